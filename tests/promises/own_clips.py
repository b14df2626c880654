"""Clips as other people make them: of any size, turn, times and sound; written with PyAV, asserts nothing."""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Sequence
from datetime import datetime, timezone
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw

from prefect_together import GeneratedVideo, VideoRequest

reader: Any = av  # the stubs speak of numpy, which need not be there

MATRICES = {
    "clockwise": (0, 1, -1, 0),
    "upside-down": (-1, 0, 0, -1),
    "counterclockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
}


def marked(size: tuple[int, int], shade: int) -> Image.Image:
    """Return a picture with a circle in its middle, and its upper left corner in red."""
    width, height = size
    picture = Image.new("RGB", size, (0, 0, shade))
    draw, radius = ImageDraw.Draw(picture), min(size) * 0.4
    draw.ellipse((width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius), fill="white")
    draw.rectangle((0, 0, width // 8, height // 8), fill="red")
    return picture


def written(
    path: Path,
    size: tuple[int, int] = (128, 96),
    *,
    times: Sequence[float] | None = None,
    rate: int = 25,
    turn: str | None = None,
    sound: tuple[int, str, float] | None = None,
    hertz: float = 440,
    square: Fraction | None = None,
    made: tuple[str, str, str] = ("mp4", "libx264", "aac"),
) -> GeneratedVideo:
    """Write a clip and return a reference to it.

    Args:
        path: Where.
        size: Pixels as they are in the file.
        times: Seconds at which each picture is shown; by default one second at ``rate``.
        rate: Pictures per second.
        turn: How it says that it is to be turned.
        sound: Samples per second, layout and seconds of its sound.
        hertz: The tone of it.
        square: How wide a pixel is, where it is not square.
        made: Its container, and the codecs of its pictures and sound.
    """
    shown = [n / rate for n in range(rate)] if times is None else times
    with reader.open(str(path), "w", format=made[0]) as out:
        video = out.add_stream(made[1], rate=rate)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        if square:
            video.codec_context.sample_aspect_ratio = square
        heard = out.add_stream(made[2], rate=sound[0], layout=sound[1]) if sound else None
        for number, time in enumerate(shown):
            frame = reader.VideoFrame.from_image(marked(size, 40 + number * 5 % 160))
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound and heard:
            for frame in _tone(sound, hertz):
                out.mux(heard.encode(frame))
            out.mux(heard.encode(None))
    if turn:
        _turn(path, MATRICES[turn])
    data = path.read_bytes()
    return GeneratedVideo(
        uri=path.resolve().as_uri(), sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type="video/mp4",
        created_at=datetime.now(timezone.utc), model="m", request=VideoRequest(prompt="x", model="m"), fingerprint="f" * 40,
        job_id="j",
    )  # fmt: skip


def _tone(sound: tuple[int, str, float], hertz: float) -> list[Any]:
    rate, layout, seconds = sound
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    frames: list[Any] = []
    for start in range(0, round(rate * seconds), 1024):
        count = min(1024, round(rate * seconds) - start)
        wave = [math.sin(2 * math.pi * hertz * (start + n) / rate) * 0.5 for n in range(count)]
        frame = reader.AudioFrame(format="fltp", layout=layout, samples=count, align=1)
        for plane in frame.planes[:channels]:
            plane.update(struct.pack(f"<{count}f", *wave))
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frames.append(frame)
    return frames


def _turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix into the first track of an MP4."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    a, b, c, d = (65536 * number for number in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1073741824)
    path.write_bytes(data)


def frames(data: bytes) -> list[tuple[float, Image.Image]]:
    """Return all pictures of a film with their times."""
    with reader.open(io.BytesIO(data)) as film:
        return [(frame.time, frame.to_image()) for frame in film.decode(video=0)]


def loudness(data: bytes, begin: float, end: float) -> tuple[float, float]:
    """Return how loud a film is between two times (0 to 1), and its tone in hertz by how often the wave rises through zero."""
    samples: list[float] = []
    rate = 1
    with reader.open(io.BytesIO(data)) as film:
        resampler = reader.AudioResampler(format="flt", layout="mono")
        for frame in film.decode(audio=0):
            rate = frame.sample_rate
            for part in resampler.resample(frame):
                first = round(part.time * rate) if part.time is not None else len(samples)
                samples += [0.0] * (first - len(samples))
                samples += struct.unpack(f"<{part.samples}f", bytes(part.planes[0])[: part.samples * 4])
    wanted = samples[round(begin * rate) : round(end * rate)]
    rising = sum(before <= 0 < after for before, after in pairwise(wanted))
    return (sum(value * value for value in wanted) / max(1, len(wanted))) ** 0.5, rising / (end - begin)


def sound_of(data: bytes) -> tuple[int, str] | None:
    """Return samples per second and layout of a film's sound, or None where it has none."""
    with reader.open(io.BytesIO(data)) as film:
        if not film.streams.audio:
            return None
        context = film.streams.audio[0].codec_context
        return context.sample_rate, context.layout.name


def extent(picture: Image.Image) -> tuple[int, int]:
    """Return how wide and high the white of a picture is."""
    box = picture.convert("L").point([0] * 200 + [255] * 56).getbbox()
    return (0, 0) if box is None else (box[2] - box[0], box[3] - box[1])


def is_red(picture: Image.Image, place: tuple[int, int]) -> bool:
    """Tell whether a picture is red at a place."""
    red, green, blue = picture.convert("RGB").crop((*place, place[0] + 1, place[1] + 1)).tobytes()
    return red > 150 and green < 100 and blue < 100
