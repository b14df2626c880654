"""Open a recording and hear what is in it: how long it is, its words, and how loud it is from moment to moment."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from operator import mul, sub
from typing import IO, Any

from prefect_together.sandbox._media import av
from prefect_together.sandbox.sound.hearing import RATE, HeardWord, hear

FORMATS = frozenset({"wav", "mp3", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac", "ogg", "aac"})
"""FFmpeg's names of what is taken: WAV, MP3, M4A, WebM, FLAC, Ogg, Opus, AAC."""
MOST_SECONDS = 4 * 3600
MOMENT = 0.05
"""Seconds for which one loudness is noted."""
_STEP = round(MOMENT * RATE)
_SQUARED = 1 / 32768**2


class UnsupportedSound(ValueError):
    """Something that is no recording of a kind that is taken; the words are ours."""


class TooLong(ValueError):
    """A recording of more than `MOST_SECONDS`."""


@dataclass(frozen=True)
class Heard:
    """What is in a recording."""

    seconds: float
    words: tuple[HeardWord, ...]
    loudness: tuple[float, ...]
    """The mean square of the changes from sample to sample in each `MOMENT`, of 1: speech is bright, a hum is not."""


def listen(file: IO[bytes]) -> Heard:
    """Return what is heard in a recording.

    Raises:
        UnsupportedSound: It is none, one of another kind, a video, or empty.
        TooLong: It lasts more than four hours.
    """
    try:
        with av.open(file, "r") as source:
            return _heard(source)
    except (av.FFmpegError, EOFError) as error:
        raise UnsupportedSound("The file could not be decoded as audio") from error


def _heard(source: Any) -> Heard:
    if source.format.name not in FORMATS or not source.streams.audio:
        raise UnsupportedSound(f"Files of the format '{source.format.name}' are not audio files that are supported")
    if any(not _is_cover(stream) for stream in source.streams.video):
        raise UnsupportedSound("The file is a video: extract its audio track")
    if _stated(source) > MOST_SECONDS:
        raise TooLong
    loudness = list[float]()
    ear = _Ear(source, loudness)
    words = tuple(hear(ear.stretches()))
    if not ear.samples:
        raise UnsupportedSound("The file has no sound in it")
    return Heard(ear.samples / RATE, words, tuple(loudness))


def _stated(source: Any) -> float:
    """Return how long the file says that it is, seconds; of bare samples, what its size says: headers of streams lie."""
    stated = source.duration / av.time_base if source.duration else 0.0
    context = source.streams.audio[0].codec_context
    if context.name.startswith("pcm_") and context.bit_rate:
        return 8 * source.size / context.bit_rate
    return stated


class _Ear:
    """Sound on its way from a file to those who hear: counted, and its loudness noted."""

    def __init__(self, source: Any, loudness: list[float]) -> None:
        self._source = source
        self._loudness = loudness
        self.samples = 0

    def stretches(self) -> Iterator[list[int]]:
        """Yield about half a second at a time."""
        held = array("h")
        for samples in self._frames():
            held.extend(samples)
            if len(held) >= RATE // 2:
                # Whole moments, so that their loudness is known by their number.
                ready = len(held) // _STEP * _STEP
                yield self._noted(held[:ready])
                held = held[ready:]
        yield self._noted(held)

    def _noted(self, held: array[int]) -> list[int]:
        self.samples += len(held)
        if self.samples > MOST_SECONDS * RATE:
            raise TooLong
        for at in range(0, len(held), _STEP):
            moment = held[at : at + _STEP]
            changes = list(map(sub, moment[1:], moment))
            self._loudness.append(sum(map(mul, changes, changes)) / len(moment) * _SQUARED)
        return held.tolist()

    def _frames(self) -> Iterator[array[int]]:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for packet in self._source.demux(audio=0):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # a damaged part; what comes after it may be whole
            for frame in frames:
                yield from map(_samples, resampler.resample(frame))
        yield from map(_samples, resampler.resample(None))


def _samples(frame: Any) -> array[int]:
    # Planes are padded.
    return array("h", bytes(frame.planes[0])[: 2 * frame.samples])


def _is_cover(stream: Any) -> bool:
    """Tell the picture on a record's cover from a film."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
