"""Length, rate and channels of a sound, from its headers, its frames and its size. Decodes nothing.

The header of a WAV is not believed where it cannot be true: an encoder that sends while it speaks does not know how long it
will speak, and writes 0, 0xFFFFFFFF or another length that the file does not have.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from prefect_together.generations.sound_frames import SoundFrames

PCM, FLOAT, ALAW, MULAW = 1, 3, 6, 7
"""How a WAV says that its samples are written."""
_EXTENSIBLE = 0xFFFE
_CHUNK = 1024 * 1024
_HEADERS = 1024 * 1024  # bytes from the start of a file in which its samples begin


@dataclass(frozen=True)
class SoundFacts:
    """What a sound measures; None where it does not tell."""

    seconds: float | None = None
    sample_rate: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class SampleForm:
    """How samples are written.

    Args:
        encoding: ``PCM``, ``FLOAT``, ``ALAW`` or ``MULAW``.
        bits: Of one sample.
        sample_rate: Samples per second of each channel.
        channels: How many there are.
    """

    encoding: int
    bits: int
    sample_rate: int
    channels: int = 1

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    def seconds(self, size: int) -> float:
        """Return how long so many bytes of samples last."""
        return size // self.block / self.sample_rate

    def header(self, size: int) -> bytes:
        """Return the header of a WAV with so many bytes of samples."""
        form = struct.pack(
            "<HHIIHH", self.encoding, self.channels, self.sample_rate, self.block * self.sample_rate, self.block, self.bits
        )
        chunks = b"fmt " + struct.pack("<I", len(form)) + form
        if self.encoding != PCM:  # the others have to say how many samples there are
            chunks += b"fact" + struct.pack("<II", 4, size // self.block)
        least = min(size, 0xFFFFFFFF - len(chunks) - 16)  # 4 GB and more: as much as the fields can say
        return b"RIFF" + struct.pack("<I", 12 + len(chunks) + least) + b"WAVE" + chunks + b"data" + struct.pack("<I", least)


@dataclass(frozen=True)
class WavHead:
    """The header of a WAV: how its samples are written, where they begin, and how many bytes of them it states."""

    form: SampleForm
    start: int
    stated: int

    def size(self, file_size: int) -> int:
        """Return how many bytes of samples there are in a file of a size: what is stated, where that can be true."""
        there = max(0, file_size - self.start)
        return there if self.lies(file_size) else min(there, self.stated)

    def lies(self, file_size: int) -> bool:
        """Tell whether the stated size is what an encoder writes that does not know it yet."""
        return (self.stated == 0 and file_size > self.start) or self.stated >= 0x7FFFF000 > file_size


def wav_head(file: BinaryIO) -> WavHead | None:
    """Read the header of a WAV from its start; None where it is none, or its samples begin nowhere."""
    file.seek(0)
    if file.read(4) not in {b"RIFF", b"RF64"} or file.read(8)[4:] != b"WAVE":
        return None
    form: SampleForm | None = None
    while file.tell() < _HEADERS and len(head := file.read(8)) == 8:
        kind, size = head[:4], struct.unpack("<I", head[4:])[0]
        if kind == b"data":
            return WavHead(form, file.tell(), size) if form else None
        content = file.read(min(size, 40)) if kind == b"fmt " else b""
        if kind == b"fmt ":
            form = _form(content)
        file.seek(size + size % 2 - len(content), io.SEEK_CUR)
    return None


def _form(content: bytes) -> SampleForm | None:
    if len(content) < 16:
        return None
    encoding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if encoding == _EXTENSIBLE and len(content) >= 26:
        encoding = struct.unpack("<H", content[24:26])[0]
    form = SampleForm(encoding, bits, rate, channels)
    return form if rate and form.block else None


def sound_facts(file: BinaryIO) -> SoundFacts:
    """Return what a sound measures: WAV, MP3, AAC, FLAC, Ogg and M4A; a file of another kind tells nothing.

    Args:
        file: Open for reading, at any place.
    """
    if head := wav_head(file):
        size = head.size(file.seek(0, io.SEEK_END))
        return SoundFacts(round(head.form.seconds(size), 3), head.form.sample_rate, head.form.channels)
    if (frames := _frames(file)).first:
        return SoundFacts(round(frames.seconds, 3), frames.first.sample_rate, frames.first.channels)
    from tinytag import TinyTag  # is needed for few formats

    file.seek(0)
    try:
        found = TinyTag.get(file_obj=file, tags=False)
    except Exception:  # whatever a reader makes of bytes that are no sound: it is kept all the same
        return SoundFacts()
    seconds = round(found.duration, 3) if found.duration else None
    return SoundFacts(seconds, found.samplerate or None, found.channels or None)


def _frames(file: BinaryIO) -> SoundFrames:
    frames, at = SoundFrames(), 0
    file.seek(0)
    while not frames.over and (chunk := file.read(_CHUNK)):
        frames.feed(chunk, at)
        at += len(chunk)
    return frames
