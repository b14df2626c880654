"""The samples of sounds, piece by piece: decoded, cut, filled with silence, encoded. No more than a piece is in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from prefect_together.tasks._editing.sound_form import SoundForm, Written

_PIECE = 1024  # samples that an encoder takes at once
_GAP = 0.05  # seconds of missing sound that are heard
_FAR = 5  # seconds of a file that are not worth a leap


def samples_of(av: Any, path: Path, form: SoundForm, origin: Fraction | None = None) -> Iterator[bytes]:
    """Yield the samples of a file's sound in a form; where a film has none for a while, they are silence.

    Args:
        av: PyAV.
        path: The file.
        form: How the samples are wanted.
        origin: Seconds of the file at which the first sample stands, such as those of a clip's first picture; what is
            before them is left out. By default where the sound begins.

    Raises:
        FFmpegError: It cannot be read.
    """
    with av.open(str(path)) as source:
        audio = source.streams.audio[0]
        if origin is not None and origin > _FAR:
            source.seek(int((origin - 1) * 1_000_000))
        # FFmpeg makes one channel quieter when it becomes two; both are as loud as it was.
        doubled = form.channels == 2 and audio.codec_context.layout.nb_channels == 1
        asked = form._replace(layout="mono", channels=1) if doubled else form
        resampler = av.AudioResampler(format=asked.format, layout=asked.layout, rate=asked.rate)
        given = 0
        for frame in chain(source.decode(audio), [None]):
            time = _time(frame)
            for part in resampler.resample(frame):
                samples = bytes(part.planes[0])[: part.samples * asked.frame]
                if origin is not None and time is not None:
                    place = round((time - origin) * form.rate)
                    samples = samples[max(0, -place) * asked.frame :]
                    if place - given > _GAP * form.rate:
                        yield form.silence(place - given)
                        given = place
                time = None
                given += len(samples) // asked.frame
                yield _twice(samples, asked) if doubled else samples


def _time(frame: Any | None) -> Fraction | None:
    return None if frame is None or frame.pts is None else frame.pts * frame.time_base


def _twice(mono: bytes, form: SoundForm) -> bytes:
    both = array(form.item, bytes(2 * len(mono)))
    both[0::2] = both[1::2] = array(form.item, mono)
    return both.tobytes()


def exactly(pieces: Iterable[bytes], count: int, form: SoundForm) -> Iterator[bytes]:
    """Yield so many samples: what is more is cut off, what is missing is silence."""
    left = count
    for piece in pieces:
        part = piece[: left * form.frame]
        left -= len(part) // form.frame
        yield part
        if not left:
            return
    while left:
        filled = min(left, form.rate)
        left -= filled
        yield form.silence(filled)


def without_first(pieces: Iterable[bytes], count: int, form: SoundForm) -> Iterator[bytes]:
    """Yield what is behind so many samples."""
    left = count * form.frame
    for piece in pieces:
        yield piece[left:]
        left = max(0, left - len(piece))


def blocks(pieces: Iterable[bytes], count: int, form: SoundForm) -> Iterator[bytes]:
    """Yield the same samples in blocks of so many; the last one may be shorter."""
    size, waiting = count * form.frame, bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def frame_of(av: Any, samples: bytes, form: SoundForm, at: int) -> Any:
    """Return a piece of sound as FFmpeg takes it.

    Args:
        av: PyAV.
        samples: The piece.
        form: Of its samples.
        at: How many samples are before it.
    """
    frame = av.AudioFrame(format=form.format, layout=form.layout, samples=len(samples) // form.frame, align=1)
    frame.planes[0].update(samples)
    frame.sample_rate, frame.pts, frame.time_base = form.rate, at, Fraction(1, form.rate)
    return frame


def aac_stream(out: Any, form: SoundForm) -> Any:
    """Return a new stream of a film for its sound."""
    stream = out.add_stream("aac", rate=form.rate, layout=form.layout)
    stream.bit_rate = 96_000 * form.channels
    return stream


def encoded(av: Any, stream: Any, pieces: Iterable[bytes], form: SoundForm) -> Iterator[Any]:
    """Yield the packets of an encoder for samples."""
    given = 0
    for piece in blocks(pieces, _PIECE, form):
        yield from stream.encode(frame_of(av, piece, form, given))
        given += len(piece) // form.frame
    yield from stream.encode(None)


def write_sound(av: Any, target: Path, kept: Written, pieces: Iterable[bytes]) -> None:
    """Write samples into a file of their own, as they are.

    Raises:
        FFmpegError: A sound that the samples come from cannot be read.
    """
    options = {"rf64": "auto"} if kept.container == "wav" else {}  # beyond 4 GB, which a WAV cannot be
    with av.open(str(target), "w", format=kept.container, options=options) as out:
        stream = out.add_stream(kept.codec, rate=kept.form.rate, layout=kept.form.layout)
        stream.format = kept.form.format
        for packet in encoded(av, stream, pieces, kept.form):
            out.mux(packet)
