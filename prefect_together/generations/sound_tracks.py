"""The sound of recordings and films, with PyAV: taken out, made smaller, cut out, and where it is quiet. Names no files."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Literal, cast

from prefect_together._internal.optional import library

RATE = 16_000
"""Samples per second of what is encoded anew: models of speech work with as many."""
_WHAT = "Taking the sound out of films, and making recordings smaller,"
_CONTAINERS = {"flac": "flac", "libopus": "ogg"}
_SMALL = 24_000  # bits per second
_QUICK = {"compression_level": "3"}  # a fifth of the time of the best, and 60 MB for four hours
_BYTES = 2  # of a sample
_ATTACHED = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
_GAP = 0.05  # seconds of missing sound that move what follows
_LATE = 0.04  # seconds by which sound may begin after its pictures, and be copied all the same
_AROUND = 30.0  # seconds on either side of a place in which a quiet one is looked for
_QUIET = 0.25  # seconds that are quiet together

Codec = Literal["flac", "libopus"]
"""How sound is encoded anew: as it is, or small."""

COPIED = {
    "aac": ("ipod", "m4a", "audio/mp4"),
    "mp3": ("mp3", "mp3", "audio/mpeg"),
    "mp3float": ("mp3", "mp3", "audio/mpeg"),
    "opus": ("ogg", "ogg", "audio/ogg"),
    "vorbis": ("ogg", "ogg", "audio/ogg"),
    "flac": ("flac", "flac", "audio/flac"),
}
"""Sound that is taken out of a film as it is: by codec, the container, extension and media type that hold it."""


class NoSound(ValueError):
    """A recording or film has no sound, or none that can be decoded."""


@dataclass(frozen=True)
class Track:
    """The sound of a recording or film."""

    seconds: float | None
    """How long the file is; None where it does not say."""
    has_pictures: bool
    codec: str
    late: float
    """Seconds by which it begins after the file does."""


def track_of(file: BinaryIO) -> Track:
    """Return what is known of the sound of a file.

    Raises:
        ConfigurationError: The extra ``media`` is not installed.
        NoSound: It has none.
    """
    with _opened(file) as (_, container):
        sound, begins = container.streams.audio[0], container.start_time or 0
        first = (sound.start_time or 0) * sound.time_base
        return Track(
            seconds=container.duration / 1_000_000 if container.duration else None,
            has_pictures=any(not _is_cover(stream) for stream in container.streams.video),
            codec=sound.codec_context.name,
            late=max(0.0, float(first) - begins / 1_000_000),
        )


def copied(file: BinaryIO, track: Track) -> tuple[BinaryIO, str, str] | None:
    """Return the sound of a film as it is, in a file of its own, with its extension and media type; None where it cannot be.

    Args:
        file: The film.
        track: What is known of its sound.
    """
    form = COPIED.get(track.codec)
    if form is None or track.late > _LATE:
        return None
    made = cast("BinaryIO", TemporaryFile())  # noqa: SIM115 - whoever sends it closes it
    try:
        with _opened(file) as (av, container), av.open(made, "w", format=form[0]) as target:
            stream = target.add_stream_from_template(container.streams.audio[0])
            for packet in container.demux(container.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    except NoSound:  # not in a container of its own: it can still be decoded
        made.close()
        return None
    return made, form[1], form[2]


def encoded(file: BinaryIO, codec: Codec, start: float | None = None, end: float | None = None) -> BinaryIO:
    """Return the sound of a file as one channel of 16 kHz, in a file of its own; where it pauses, so does that.

    Args:
        file: A recording or film.
        codec: How it is encoded.
        start: Seconds at which what is taken begins.
        end: Seconds at which it ends.

    Raises:
        NoSound: There is none, or not between these times.
    """
    made = cast("BinaryIO", TemporaryFile())  # noqa: SIM115 - whoever sends it closes it
    try:
        with _opened(file) as (av, container), av.open(made, "w", format=_CONTAINERS[codec]) as target:
            stream = target.add_stream(codec, rate=RATE, layout="mono", format="s16")
            if codec == "libopus":
                stream.bit_rate, stream.options = _SMALL, _QUICK
            given = 0
            for samples in _samples(av, container, start or 0.0, end):
                frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // _BYTES, align=1)
                frame.planes[0].update(samples)
                frame.sample_rate, frame.pts = RATE, given
                given += len(samples) // _BYTES
                target.mux(stream.encode(frame))
            if not given:
                raise NoSound("it has no sound" + (f" from {start or 0:g} s on" if start or end else ""))
            target.mux(stream.encode(None))
    except BaseException:  # interrupted as well: half a sound is nobody's
        made.close()
        raise
    return made


def quiet_places(file: BinaryIO, wanted: Sequence[float]) -> list[float]:
    """Return for each wanted time, in seconds, one near it at which a recording is quiet; equal files have equal ones."""
    found: list[float] = []
    for place in wanted:
        with _opened(file) as (av, container):
            begin = max(0.0, place - _AROUND)
            samples = b"".join(_samples(av, container, begin, place + _AROUND))
        loudness = array("h", samples)
        step = int(_QUIET * RATE)
        levels = [(sum(map(abs, loudness[at : at + step])), at) for at in range(0, len(loudness) - step, step // 2)]
        quietest = min(levels, default=(0, int((place - begin) * RATE)))[1]
        found.append(round(begin + quietest / RATE + _QUIET / 2, 2))
    return found


def _samples(av: Any, container: Any, start: float, end: float | None) -> Iterator[bytes]:
    """Yield what is heard between two times, silence included, as samples of 16 bits."""
    begins = (container.start_time or 0) / 1_000_000
    if start > _AROUND and container.format.name != "mp3":  # where its times are guessed, what is found there is elsewhere
        container.seek(int((begins + start - 1) * 1_000_000))
    last = None if end is None else round((end - start) * RATE)
    given = 0
    for place, heard in _placed(av, container, begins + start):
        if last is not None and place >= last:
            return
        samples = heard[max(0, -place) * _BYTES :]
        if not samples:
            continue
        while given < place:
            silence = min(RATE, place - given)
            yield bytes(silence * _BYTES)
            given += silence
        part = samples if last is None else samples[: (last - given) * _BYTES]
        given += len(part) // _BYTES
        yield part


def _placed(av: Any, container: Any, start: float) -> Iterator[tuple[int, bytes]]:
    """Yield the samples of a recording, each with its place, counted from a time of the container, in seconds."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    place, begun = 0, False
    for frame in chain(container.decode(container.streams.audio[0]), [None]):
        time = None if frame is None or frame.time is None else round((frame.time - start) * RATE)
        if time is not None and (not begun or time - place > _GAP * RATE):
            place = time
        begun = True
        samples = b"".join(bytes(part.planes[0])[: part.samples * _BYTES] for part in resampler.resample(frame))
        yield place, samples
        place += len(samples) // _BYTES


def _is_cover(stream: Any) -> bool:
    """Tell whether a picture is that of a record's cover."""
    flags = stream.disposition  # which is a number in later releases of PyAV than 16
    return bool(int(getattr(flags, "value", flags)) & _ATTACHED)


@contextmanager
def _opened(file: BinaryIO) -> Generator[tuple[Any, Any]]:
    """Open a file with PyAV, which has sound.

    Raises:
        NoSound: It has none, or none that can be decoded.
    """
    av = library("av", _WHAT, extra="media")
    file.seek(0)
    try:
        with av.open(file) as container:
            if not container.streams.audio:
                raise NoSound("it has no sound")
            yield av, container
    except NoSound:
        raise
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise NoSound(f"its sound cannot be read: {error}") from None
