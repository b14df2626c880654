"""Recordings put behind each other: the samples of WAV files as they are, and encoded where a file is to be compressed."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect_together._internal.optional import library
from prefect_together.errors import MediaError
from prefect_together.generations.sound_shape import FLOAT, PCM, wav_head

_PIECE = 1024 * 1024
_FADE = 0.005  # seconds in which what begins or ends loud comes up or dies away: a jump in the samples is a click
_LOUD = 0.01  # of the loudest possible
_CODECS = {"audio/mpeg": ("mp3", "libmp3lame"), "audio/ogg": ("ogg", "libopus"), "audio/flac": ("flac", "flac")}
_LAYOUTS = {1: "mono", 2: "stereo"}
_OPUS_RATE = 48_000
_CODECS |= {"audio/aac": ("adts", "aac")}


def join_wavs(sounds: Sequence[Path], target: Path) -> tuple[str, ...]:
    """Write the samples of several WAV files behind each other as one, and return what is not as it was, for people.

    A piece that begins or ends loud is faded there, for five milliseconds; all other samples are as they were.

    Raises:
        MediaError: One is no WAV, or its samples are not written as those of the first.
    """
    pieces = [_Piece(path) for path in sounds]
    form = pieces[0].form
    for number, piece in enumerate(pieces, 1):
        if piece.form != form:
            what = f"Piece {number} of a recording is not written as the first one: {piece.form}, not {form}"
            raise MediaError(f"{what}.", paid="yes", advice="All pieces are kept; join_sounds brings them to one form.")
    faded: list[str] = []
    with target.open("wb") as out:
        out.write(form.header(sum(piece.size for piece in pieces)))
        for number, piece in enumerate(pieces, 1):
            for data in piece.samples(first=number == 1, last=number == len(pieces)):
                out.write(data)
            if piece.faded:
                faded.append(f"piece {number}: faded over 5 ms where it is loud at its edge")
    return tuple(faded)


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


class _Piece:
    """A WAV whose samples are read a megabyte at a time, faded at edges where something else stands beside them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            head = wav_head(file)
            if head is None:
                raise MediaError(f"{path.name} is no WAV.", paid="yes")
            self.form, self._start = head.form, head.start
            size = head.size(path.stat().st_size)
        self.size = size - size % self.form.block
        self.faded = False

    def samples(self, *, first: bool, last: bool) -> Iterator[bytes]:
        """Yield its samples; the first and the last piece have a quiet edge of their own."""
        edge = round(_FADE * self.form.sample_rate) * self.form.block
        with self._path.open("rb") as file:
            file.seek(self._start)
            left = self.size
            while left:
                data = file.read(min(left, _PIECE // self.form.block * self.form.block))
                begins, left = left == self.size, left - len(data)
                if begins and not first:
                    data = self._quiet(data[:edge], rising=True) + data[edge:]
                if not left and not last:
                    data = data[: -edge or None] + self._quiet(data[-edge:], rising=False)
                yield data

    def _quiet(self, edge: bytes, *, rising: bool) -> bytes:
        """Return an edge that comes up from silence, or dies away into it; as it is where it is quiet already."""
        kind = {(PCM, 16): "h", (FLOAT, 32): "f"}.get((self.form.encoding, self.form.bits))
        if kind is None or not edge:
            return edge
        values = array(kind, edge)
        if sys.byteorder == "big":
            values.byteswap()
        outermost = values[: self.form.channels] if rising else values[-self.form.channels :]
        if max(map(abs, outermost)) <= _LOUD * (1.0 if kind == "f" else 32768):
            return edge
        self.faded = True
        frames = len(values) // self.form.channels
        for place in range(len(values)):
            share = (place // self.form.channels) / frames
            share = share if rising else 1 - share
            values[place] = values[place] * share if kind == "f" else round(values[place] * share)
        if sys.byteorder == "big":
            values.byteswap()
        return values.tobytes()
