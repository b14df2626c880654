"""Write samples as files: WAV, MP3 and bare samples in four encodings; a WAV's header can be made to lie."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

from prefect_together.sandbox._media import av

ENCODINGS: Mapping[str, tuple[str, str]] = {
    "pcm_s16le": ("pcm_s16le", "s16le"), "pcm_f32le": ("pcm_f32le", "f32le"), "pcm_mulaw": ("pcm_mulaw", "mulaw"),
    "pcm_alaw": ("pcm_alaw", "alaw"),
}  # fmt: skip
"""FFmpeg's codec and format for each value of `response_encoding`."""
LARGEST_COMMENT = 2_000
"""Bytes of the text that a WAV carries beside its samples."""


def wav(samples: bytes, rate: int, *, text: str = "", stated: int | None = None) -> bytes:
    """Return a WAV file of one channel.

    Args:
        samples: 16 bits each, little-endian.
        rate: Samples in a second.
        text: What is said, for whoever looks into the file's comment.
        stated: The length of the samples that the header states, bytes, as encoders write that cannot go back to it;
            None for the true one.
    """
    comment = text.encode()[:LARGEST_COMMENT].decode(errors="ignore").encode() + b"\x00"
    info = b"INFO" + _chunk(b"ICMT", comment)
    head = b"WAVE" + _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)) + _chunk(b"LIST", info)
    length = len(samples) if stated is None else stated
    whole = min(0xFFFFFFFF, len(head) + 8 + length) if stated != 0 else 0
    return b"RIFF" + struct.pack("<I", whole) + head + b"data" + struct.pack("<I", length) + samples


def mp3(samples: bytes, rate: int, *, bit_rate: int) -> bytes:
    """Return an MP3 file; `bit_rate` in bits per second, or the nearest that the rate of samples allows."""
    return _encoded(samples, rate, codec="libmp3lame", form="mp3", bit_rate=bit_rate)


def bare(samples: bytes, rate: int, *, encoding: str) -> bytes:
    """Return samples without a header, in one of `ENCODINGS`."""
    if encoding == "pcm_s16le":
        return samples
    codec, form = ENCODINGS[encoding]
    return _encoded(samples, rate, codec=codec, form=form)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\x00" * (len(content) % 2)


def _encoded(samples: bytes, rate: int, *, codec: str, form: str, bit_rate: int | None = None) -> bytes:
    target_file = io.BytesIO()
    with av.open(io.BytesIO(wav(samples, rate))) as source, av.open(target_file, "w", format=form) as target:
        stream: Any = target.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return target_file.getvalue()
