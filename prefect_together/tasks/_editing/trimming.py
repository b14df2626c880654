"""Parts of clips and sounds: sounds to the sample, clips to the picture, as they are where that goes. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import Spliced
from prefect_together.tasks._editing.clip_facts import ClipFacts, facts_of
from prefect_together.tasks._editing.pictures import (
    COPIED,
    PictureEncoder,
    Upright,
    copied,
    copy_stream,
    decoded,
    even,
    mux,
    new_film,
)
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.samples import (
    aac_stream,
    encoded,
    exactly,
    samples_of,
    without_first,
    write_sound,
)
from prefect_together.tasks._editing.sound_form import SoundForm, film_form, kept_as, written
from prefect_together.tasks._editing.tracks import sound_track

_ROUNDED = Fraction(1, 20)  # of a picture, by which containers round times


def trim_sound(sound: Path, target: Path, begin: float, end: float | None) -> Spliced:
    """Write a part of a sound, to the sample.

    Raises:
        ConfigurationError: PyAV is not installed.
        InvalidRequest: It is over before the part begins.
        MediaError: It cannot be read.
    """
    av = pyav()
    with refused(f"{sound.name} cannot be read as a sound"):
        with av.open(str(sound)) as source:
            own = written(source.streams.audio[0])
        kept = kept_as([own])
        part = _Part(kept.form, begin, end)
        write_sound(av, target, kept, part.of(samples_of(av, sound, kept.form)))
    if not part.given:
        raise _over(sound, begin, part.seconds)
    changes = [] if own.lossless else [f"{own.codec} decoded, and kept without further loss as FLAC"]
    if end is not None and part.seconds < end:
        changes.append(_ends(part.seconds, end))
    return Spliced(reencoded=not own.lossless, changes=tuple(changes))


class _Part:
    """A part of a sound, which counts what it has of it."""

    def __init__(self, form: SoundForm, begin: float, end: float | None) -> None:
        self._form = form
        self._first = round(begin * form.rate)
        self._count = None if end is None else round(end * form.rate) - self._first
        self.given = 0
        self._seen = 0

    @property
    def seconds(self) -> float:
        """How many seconds of the sound there were, up to the end of the part."""
        return self._seen / self._form.rate

    def of(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the part's samples."""

        def seen() -> Iterator[bytes]:
            for piece in pieces:
                self._seen += len(piece) // self._form.frame
                yield piece

        for piece in without_first(seen(), self._first, self._form):
            left = len(piece) if self._count is None else (self._count - self.given) * self._form.frame
            self.given += len(piece[:left]) // self._form.frame
            yield piece[:left]
            if self._count is not None and self.given >= self._count:
                self._seen = self._first + self._count
                return


def trim_clip(clip: Path, target: Path, begin: float, end: float | None) -> Spliced:
    """Write a part of a clip, to the picture; its pictures are as they are where it begins at a key frame.

    Raises:
        ConfigurationError: PyAV is not installed.
        InvalidRequest: It is over before the part begins.
        MediaError: It cannot be read.
    """
    av = pyav()
    with refused(f"{clip.name} cannot be read as a clip"):
        facts = facts_of(av, clip)
        whole = max(facts.length, facts.sound.end if facts.sound else Fraction(0))
        first, last = _exact(begin), whole if end is None else min(_exact(end), whole)
        if first >= facts.length or first >= last:
            raise _over(clip, begin, float(facts.length))
        anew = _why_anew(av, facts, first, last)
        with new_film(av, target) as out:
            if anew is None:
                pictures = copied(av, copy_stream(av, out, facts), facts, begin=first, end=_until(facts, last))
            else:
                encoder = PictureEncoder(out, even(facts.size), facts.rate, steady=facts.steady)
                upright = Upright(av, ("scale", "{}:{}".format(*even(facts.size))))
                pictures = encoder.packets(decoded(av, facts, upright, begin=first, end=_until(facts, last)))
            sound, changes = _sound(av, out, facts, first, last)
            mux(out, pictures, *sound)
    said = [f"pictures encoded anew, as {anew}"] if anew else []
    ended = [_ends(float(whole), end)] if end is not None and whole < _exact(end) else []
    return Spliced(reencoded=anew is not None, changes=(*said, *changes, *ended))


def _sound(av: Any, out: Any, clip: ClipFacts, begin: Fraction, end: Fraction) -> tuple[list[Iterator[Any]], list[str]]:
    if not begin:
        return sound_track(av, out, clip, end=end)
    form = film_form([clip.sound.form]) if clip.sound else None
    if clip.sound is None or form is None:
        return [], []
    count = max(0, round((min(end, clip.sound.end) - begin) * form.rate))
    samples = exactly(samples_of(av, clip.path, form, clip.start + begin), count, form)
    return [encoded(av, aac_stream(out, form), samples, form)], ["sound encoded anew as AAC"] if count else []


def _why_anew(av: Any, clip: ClipFacts, begin: Fraction, end: Fraction) -> str | None:
    """Return why the pictures of a part have to be encoded anew; None where their packets can be taken as they are."""
    if clip.codec not in COPIED:
        return f"an MP4 takes no {clip.codec}"
    stop = _until(clip, end)
    begun = behind = False
    with av.open(str(clip.path)) as source:
        for packet in source.demux(source.streams.video[0]):  # in the order in which they are decoded
            if packet.pts is None or not packet.size:
                continue
            time = packet.pts * packet.time_base - clip.start
            behind |= time >= stop
            if not begin - clip.picture / 2 <= time < stop:
                continue
            if not begun and not (packet.is_keyframe and abs(time - begin) <= clip.picture / 2):
                return f"no key frame is at {float(begin):g} s"
            if behind:
                return f"pictures before {float(end):g} s are made of some behind it"
            begun = True
    return None


def _until(clip: ClipFacts, end: Fraction) -> Fraction:
    """Return the time from which pictures are left out; of those that are shown equally long, each is in or out."""
    return end - clip.picture * (Fraction(1, 2) if clip.steady else _ROUNDED)


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)


def _over(file: Path, begin: float, seconds: float) -> InvalidRequest:
    return InvalidRequest(f"trim: {file.name} is {seconds:.2f} s long, and nothing of it is behind {begin:g} s.")


def _ends(seconds: float, end: float) -> str:
    return f"it ends at {seconds:.2f} s already, before {end:g} s"
