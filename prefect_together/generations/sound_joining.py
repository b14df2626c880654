"""Recordings put behind each other: the samples of WAV files as they are, and encoded where a file is to be compressed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_together._internal.optional import library
from prefect_together.errors import MediaError
from prefect_together.generations.sound_joints import Joints
from prefect_together.generations.sound_shape import FLOAT, PCM, SampleForm, wav_head

_ITEMS = {(PCM, 16): "h", (FLOAT, 32): "f"}
_CODECS = {
    "audio/mpeg": ("mp3", "libmp3lame"),
    "audio/ogg": ("ogg", "libopus"),
    "audio/flac": ("flac", "flac"),
    "audio/aac": ("adts", "aac"),
}
_LAYOUTS = {1: "mono", 2: "stereo"}
_OPUS_RATE = 48_000


def join_wavs(sounds: Sequence[Path], target: Path) -> tuple[str, ...]:
    """Write the samples of several WAV files behind each other as one, and return what is not as it was, for people.

    Where one would begin or end with a click it fades for five milliseconds; all other samples are as they were.

    Raises:
        MediaError: One is no WAV, or its samples are not written as those of the first.
    """
    pieces = [_Piece.of(path) for path in sounds]
    form = pieces[0].form
    for number, piece in enumerate(pieces, 1):
        if piece.form != form:
            what = f"Piece {number} of a recording is not written as the first one: {piece.form}, not {form}"
            raise MediaError(f"{what}.", paid="yes", advice="All pieces are kept; join_sounds brings them to one form.")
    joints = Joints([piece.samples for piece in pieces], _Items(form), pause=0.0)
    with target.open("wb") as out:
        out.write(form.header(sum(piece.size for piece in pieces)))
        for data in joints.samples():
            out.write(data)
    return tuple(joints.faded)


def encode(wav: Path, target: Path, media_type: str, bit_rate: int | None) -> None:
    """Write a WAV as a compressed sound, at constant memory.

    Args:
        wav: What is to be compressed.
        target: Where to.
        media_type: What it is to be.
        bit_rate: Bits per second; None for 128,000.

    Raises:
        ConfigurationError: PyAV is not installed.
    """
    av = library("av", "Compressed recordings of long texts", extra="media")
    container, codec = _CODECS[media_type]
    with av.open(str(wav)) as source, av.open(str(target), "w", format=container) as out:
        sound = source.streams.audio[0]
        rate = _OPUS_RATE if codec == "libopus" else sound.codec_context.sample_rate
        layout = _LAYOUTS[sound.codec_context.layout.nb_channels]  # by name: a plain WAV has none, and no encoder takes that
        stream: Any = out.add_stream(codec, rate=rate, layout=layout)
        if codec != "flac":
            stream.bit_rate = bit_rate or 128_000
        for frame in source.decode(sound):
            frame.pts = None  # counted by the encoder, which also brings it to its own form
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@dataclass(frozen=True)
class _Items:
    """The samples of a WAV, for those who look at its edges."""

    form: SampleForm

    @property
    def rate(self) -> int:
        return self.form.sample_rate

    @property
    def channels(self) -> int:
        return self.form.channels

    @property
    def frame(self) -> int:
        return self.form.block

    @property
    def item(self) -> str:
        return _ITEMS.get((self.form.encoding, self.form.bits), "B")

    @property
    def full(self) -> float:
        # Samples of other kinds cannot be told apart here: no step between them is taken for a click.
        return {"h": 32_768.0, "f": 1.0}.get(self.item, math.inf)

    @property
    def zero(self) -> int:
        return 0

    def silence(self, count: int) -> bytes:
        return bytes(count * self.frame)


@dataclass(frozen=True)
class _Piece:
    """A WAV whose samples are read a second at a time."""

    path: Path
    form: SampleForm
    start: int
    size: int

    @classmethod
    def of(cls, path: Path) -> _Piece:
        with path.open("rb") as file:
            head = wav_head(file)
        if head is None:
            raise MediaError(f"{path.name} is no WAV.", paid="yes")
        size = head.size(path.stat().st_size)
        return cls(path, head.form, head.start, size - size % head.form.block)

    def samples(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.size
            while left and (data := file.read(min(left, self.form.sample_rate * self.form.block))):
                left -= len(data)
                yield data
