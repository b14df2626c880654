"""The sound of a film: that of its clips in one form, each under its own pictures, silence where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from prefect_together.tasks._clip_facts import ClipFacts, SoundFacts

_PIECE = 1024  # samples that are encoded at once
_BYTES = 4  # of a sample
_HIGHEST = 48_000
_GAP = 0.05  # seconds of missing sound that are heard


def common_form(clips: Sequence[ClipFacts]) -> tuple[int, str, int] | None:
    """Return samples per second, layout and channels of a film's sound: the best of its clips. None for a silent film."""
    sounds = [clip.sound for clip in clips if clip.sound]
    if not sounds:
        return None
    rate = min(_HIGHEST, max(sound.rate for sound in sounds))
    layouts = {sound.layout: sound.channels for sound in sounds}
    if len(layouts) == 1:
        return rate, *next(iter(layouts.items()))
    return (rate, "stereo", 2) if max(layouts.values()) > 1 else (rate, "mono", 1)


class FilmSound:
    """Takes the sound of one clip after the other, and hands on packets.

    Args:
        av: PyAV.
        stream: The film's stream, an encoder of sound.
        form: What ``common_form`` returned.
    """

    def __init__(self, av: Any, stream: Any, form: tuple[int, str, int]) -> None:
        self._av = av
        self._stream = stream
        self._rate, self._layout, self._channels = form
        self._resampler: Any = None
        self._waiting = bytearray()  # samples that are not encoded yet, of all channels in turn
        self._given = 0  # samples of the film that are encoded or waiting
        self._from = Fraction(0)

    def begin(self, at: Fraction) -> None:
        """Begin with a clip that stands at a time of the film, in seconds."""
        self._silence(round(at * self._rate))
        self._from = at
        self._resampler = self._av.AudioResampler(format="flt", layout=self._layout, rate=self._rate)

    def take(self, frame: Any | None, time: float | None) -> None:
        """Take a piece of the clip's sound.

        Args:
            frame: The piece; None takes what is left in the resampler.
            time: Seconds of the clip at which it begins; None where it follows the one before.
        """
        for part in self._resampler.resample(frame):
            samples = bytes(part.planes[0])[: part.samples * self._channels * _BYTES]
            if time is not None:
                place = round((float(self._from) + time) * self._rate)
                if place < round(self._from * self._rate):  # before the clip's first picture
                    samples = samples[(round(self._from * self._rate) - place) * self._channels * _BYTES :]
                elif place - self._given > _GAP * self._rate:
                    self._silence(place)
            time = None
            self._add(samples)

    def end(self, at: Fraction) -> None:
        """End the clip's sound at a time of the film, in seconds: what is longer is cut off, the rest is silence."""
        until = round(at * self._rate)
        if self._given > until:
            over = (self._given - until) * self._channels * _BYTES
            del self._waiting[max(0, len(self._waiting) - over) :]
            self._given = until
        self._silence(until)

    def packets(self, *, rest: bool = False) -> list[Any]:
        """Return the packets of what can be encoded; with ``rest``, of all that is left.

        A second is held back, so that the end of a clip can still be cut off.
        """
        piece = _PIECE * self._channels * _BYTES
        kept = 0 if rest else self._rate * self._channels * _BYTES
        made: list[Any] = []
        while len(self._waiting) > kept:
            samples = bytes(self._waiting[:piece])
            at = self._given - len(self._waiting) // (self._channels * _BYTES)
            del self._waiting[:piece]
            made += self._stream.encode(self._frame(samples, at))
        return made + (self._stream.encode(None) if rest else [])

    def _frame(self, samples: bytes, at: int) -> Any:
        frame = self._av.AudioFrame(
            format="flt", layout=self._layout, samples=len(samples) // (self._channels * _BYTES), align=1
        )
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, at, Fraction(1, self._rate)
        return frame

    def _silence(self, until: int) -> None:
        self._add(bytes(max(0, until - self._given) * self._channels * _BYTES))

    def _add(self, samples: bytes) -> None:
        self._waiting += samples
        self._given += len(samples) // (self._channels * _BYTES)


def resampled(clip: SoundFacts, form: tuple[int, str, int]) -> bool:
    """Tell whether a clip's sound is not in the film's form."""
    return (clip.rate, clip.layout) != form[:2]
