"""Short ways to make requests, references and real files; asserts nothing."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
from PIL import Image

from prefect_together.generations.formats import Family
from prefect_together.generations.image import GeneratedImage, ImageLora, ImageRequest
from prefect_together.generations.input_forms import Form
from prefect_together.generations.keyframes import Keyframe
from prefect_together.generations.request import MediaInput, MediaReference
from prefect_together.generations.result_reference import ResultReference
from prefect_together.generations.video import GeneratedVideo, VideoRequest

# PyAV's stubs speak of numpy, which is not needed here and may not be installed.
_av: Any = av

FLUX = "black-forest-labs/FLUX.2-pro"
HAILUO = "minimax/hailuo-02"
WHEN = datetime(2026, 11, 22, 12, 30, tzinfo=timezone.utc)


def shown(value: MediaInput, form: Form, family: Family | None = None, /) -> str:
    """Show what would stand in a body, and in which form."""
    return f"{form}:{value.uri if isinstance(value, MediaReference) else value}"


def image(**fields: Any) -> ImageRequest:
    """Return an image request, changed as told."""
    asked: dict[str, Any] = {"prompt": "a fox in the snow", "model": FLUX, **fields}
    return ImageRequest(**asked)


def video(**fields: Any) -> VideoRequest:
    """Return a video request, changed as told."""
    asked: dict[str, Any] = {"prompt": "slow push in", "model": HAILUO, **fields}
    return VideoRequest(**asked)


def reference(data: bytes = b"bytes", **fields: Any) -> MediaReference:
    """Return a reference to a picture that was kept."""
    known = {
        "uri": "file:///library/images/x.png",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "media_type": "image/png",
        "created_at": WHEN,
    }
    return MediaReference.model_validate({**known, **fields})


def generated_image(**fields: Any) -> GeneratedImage:
    """Return a reference to a generated picture, changed as told."""
    known = {**reference().model_dump(), "model": FLUX, "fingerprint": "f" * 40, "request": image(seed=7)}
    return GeneratedImage.model_validate({**known, **fields})


def generated_video(**fields: Any) -> GeneratedVideo:
    """Return a reference to a generated clip, changed as told."""
    known = {**reference(media_type="video/mp4").model_dump(), "model": HAILUO, "fingerprint": "f" * 40, "request": video()}
    return GeneratedVideo.model_validate({**known, **fields})


def full_image() -> ImageRequest:
    """Return an image request that sets every field."""
    return ImageRequest(
        model=FLUX,
        prompt="a fox",
        width=1344,
        height=768,
        aspect_ratio="16:9",
        n=3,
        steps=28,
        seed=7,
        negative_prompt="rain",
        guidance_scale=3.5,
        image_url="https://example.com/a.png",
        reference_images=("https://example.com/b.png", reference()),
        image_loras=(ImageLora(path="https://example.com/lora", scale=0.5),),
        prompt_upsampling=False,
        output_format="png",
        response_format="base64",
        disable_safety_checker=True,
        extra={"newer": {"than": ["this", 1, None]}},
        take=2,
        based_on=ResultReference(kind="chat", fingerprint="0123456789abcdef", title="a prompt for a fox"),
    )


def full_video() -> VideoRequest:
    """Return a video request that sets every field."""
    return VideoRequest(
        model=HAILUO,
        prompt="slow push in",
        width=1366,
        height=768,
        resolution="720p",
        ratio="16:9",
        seconds=6,
        fps=24,
        steps=30,
        seed=7,
        guidance_scale=7.5,
        output_format="MP4",
        output_quality=20,
        negative_prompt="rain",
        generate_audio=True,
        frame_images=(Keyframe(input_image="https://example.com/a.png", frame="first"), reference()),
        frame_videos=("https://example.com/a.mp4",),
        reference_images=("https://example.com/b.png",),
        reference_videos=("https://example.com/b.mp4",),
        source_video="https://example.com/c.mp4",
        audio_inputs=("https://example.com/a.wav",),
        reference_audios=("https://example.com/b.wav",),
        media_layout="media",
        extra={"settings": {"audio": False}},
        take=2,
        based_on=ResultReference(kind="chat", fingerprint="0123456789abcdef", title="a prompt for a fox"),
    )


@lru_cache
def picture(kind: str = "PNG", width: int = 48, height: int = 32, *, progressive: bool = False) -> bytes:
    """Return a real picture with some detail in it."""
    gradient: Any = Image.linear_gradient("L")  # the stubs of `resize` speak of numpy
    made = gradient.resize((width, height)).convert("RGB")
    file = io.BytesIO()
    made.save(file, kind, **({"progressive": True} if progressive else {}))
    return file.getvalue()


@lru_cache
def clip(kind: str = "mp4", *, faststart: bool = False, width: int = 64, height: int = 48, frames: int = 24) -> bytes:
    """Return a real clip of one second; with ``faststart`` its index stands in front."""
    options = {"movflags": "faststart"} if faststart else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"clip.{kind}"  # FFmpeg opens it a second time to move the index to the front
        with _av.open(str(file), "w", format=kind, options=options) as target:
            stream = target.add_stream("mpeg4" if kind == "mp4" else "libvpx", rate=24)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(frames):
                still = Image.new("RGB", (width, height), (number * 10 % 256, 80, 160))
                target.mux(stream.encode(_av.VideoFrame.from_image(still)))
            target.mux(stream.encode())
        return file.read_bytes()


@lru_cache
def _tone(hertz: int, seconds: int) -> bytes:
    return b"".join(struct.pack("<h", round(9000 * math.sin(n * 0.06))) for n in range(hertz * seconds))


@lru_cache
def sound(kind: str = "wav", *, seconds: int = 1) -> bytes:
    """Return real sound: a tone in one channel."""
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "ogg": "libopus", "flac": "flac", "m4a": "aac"}[kind]
    hertz = 48000
    wave = _tone(hertz, seconds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"sound.{kind}"
        with _av.open(str(file), "w", format="ipod" if kind == "m4a" else kind) as target:
            stream = target.add_stream(codec, rate=hertz, layout="mono")
            resampler = _av.AudioResampler(stream.format, "mono", hertz)
            for start in range(0, len(wave), 2048):
                piece = wave[start : start + 2048]
                frame = _av.AudioFrame(format="s16", layout="mono", samples=len(piece) // 2, align=1)
                frame.planes[0].update(piece)
                frame.sample_rate, frame.pts, frame.time_base = hertz, start // 2, Fraction(1, hertz)
                for part in resampler.resample(frame):
                    target.mux(stream.encode(part))
            target.mux(stream.encode())
        return file.read_bytes()


def write(path: Path, data: bytes) -> str:
    """Write a file and return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@contextmanager
def processes(commands: list[list[str]], stdout: int | None = None) -> Generator[list[subprocess.Popen[str]]]:
    """Start commands side by side. None of them, and no pipe, is left when the block ends, however it ends."""
    with ExitStack() as stack:
        running: list[subprocess.Popen[str]] = []
        for command in commands:
            running.append(stack.enter_context(subprocess.Popen(command, stdout=stdout, text=True)))
            stack.callback(running[-1].kill)
        yield running


SPENDER = """
import asyncio, os, random, signal, sys
from decimal import Decimal
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.errors import BudgetExceeded
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.storage.storage import Storage

async def spend(folder, who, dies):
    ledger = Ledger(Storage(folder))
    budget = Budget(worst_case=Decimal(5), limit=SpendLimit(name="shared", usd=Decimal("1.00")), storage=ledger.storage)
    last = random.randrange(20), random.choice(["reserved", "claimed"])
    def may_die(n, where):
        if dies and last == (n, where):
            os.kill(os.getpid(), signal.SIGKILL)
    async def one(n):
        attempt = Attempt(f"{who}{n:063x}", "any", 1)
        try:
            await budget.reserve(attempt.key, Decimal("0.03"))
        except BudgetExceeded:
            may_die(n, last[1])
            return
        may_die(n, "reserved")
        await ledger.record(attempt, "claimed", owned())
        await asyncio.sleep(0)  # sent, and charged
        may_die(n, "claimed")
        await ledger.record(attempt, "stored", {"media": [{}]})
        await budget.settle(attempt.key)
    await asyncio.gather(*(one(n) for n in range(20)))
    await budget.close()

asyncio.run(spend(sys.argv[1], sys.argv[2], sys.argv[3] == "dies"))
"""
"""Spends from a limit as a batch does: reserves, claims, stores, settles. Told to die, it kills itself anywhere."""
