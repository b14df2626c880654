"""Sounds as other people record them, and what is in files of sound; written with PyAV, asserts nothing."""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

from .own_clips import reader

_ITEMS = {"s16": ("h", 32767), "s32": ("i", 2147483647), "flt": ("f", 1), "fltp": ("f", 1), "s16p": ("h", 32767)}


def tone(
    path: Path,
    seconds: float = 1.0,
    *,
    rate: int = 24_000,
    hertz: float = 440,
    layout: str = "mono",
    codec: str = "pcm_s16le",
    loud: float = 0.5,
    turned: float = 0.0,
) -> Path:
    """Write a tone and return where.

    Args:
        path: Where; its extension says which container.
        seconds: How long it is.
        rate: Samples per second.
        hertz: Of the tone.
        layout: Its channels.
        codec: How it is written.
        loud: Its largest sample, of 1.
        turned: Where in its wave it begins: 0.25 is its top.
    """
    written = {"pcm_s16le": "s16", "pcm_s24le": "s32", "flac": "s16", "libmp3lame": "fltp", "libopus": "flt"}[codec]
    code, full = _ITEMS[written]
    count, channels = round(rate * seconds), {"mono": 1, "stereo": 2}[layout]
    wave = [math.sin(2 * math.pi * (hertz * n / rate + turned)) * loud * full for n in range(count)]
    values = wave if code == "f" else [round(value) for value in wave]
    planar = written.endswith("p")
    with reader.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.format = written
        for start in range(0, count, 1024):
            part = values[start : start + 1024]
            frame = reader.AudioFrame(format=written, layout=layout, samples=len(part), align=1)
            for plane in frame.planes:
                each = part if planar else [value for value in part for _ in range(channels)]
                plane.update(struct.pack(f"<{len(each)}{code}", *each))
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def samples(data: bytes, format: str | None = None) -> bytes:
    """Return the samples of a file of sound as they are decoded, all channels in turn."""
    found = bytearray()
    with reader.open(io.BytesIO(data)) as source:
        audio = source.streams.audio[0]
        wanted = format or audio.codec_context.format.packed.name
        resampler = reader.AudioResampler(format=wanted, layout=audio.codec_context.layout, rate=audio.sample_rate)
        width = {"u8": 1, "s16": 2, "s32": 4, "flt": 4}[wanted] * audio.codec_context.layout.nb_channels
        for frame in [*source.decode(audio), None]:
            for part in resampler.resample(frame):
                found += bytes(part.planes[0])[: part.samples * width]
    return bytes(found)


def floats(data: bytes) -> list[float]:
    """Return the samples of a sound of one channel, of 1."""
    raw = samples(data, "flt")
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def packets(data: bytes, kind: str) -> list[bytes]:
    """Return the packets of the first video, audio or subtitle stream of a file, as they are in it."""
    with reader.open(io.BytesIO(data)) as source:
        stream: Any = getattr(source.streams, {"subtitle": "subtitles"}.get(kind, kind))[0]
        return [bytes(packet) for packet in source.demux(stream) if packet.size]


def moved_sound(source: Path, target: Path, seconds: float) -> Path:
    """Write a clip anew whose sound begins so much later than its pictures, and return where."""
    with reader.open(str(source)) as clip, reader.open(str(target), "w", format="mp4") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in clip.streams}
        for packet in clip.demux():
            if packet.dts is None or not packet.size:
                continue
            late = round(seconds / packet.time_base) if packet.stream.type == "audio" else 0
            packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, streams[packet.stream.index]
            out.mux(packet)
    return target
