"""What a long film costs this machine: joined, narrated and subtitled; CPU by its length, and memory. Judges nothing.

python tests/benchmarks/film_editing.py [seconds] [folder]

Clips of ten seconds (640 x 360, 25 pictures a second) and as many narrations are made first, which does not count. Each step runs
in a process of its own, into a library in the folder, which should not be in memory.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

CLIP = 10
"""Seconds of a clip."""
STEPS = ("join_videos", "add_sound", "add_subtitles", "burn_subtitles")


def draw(folder: Path) -> None:
    """Write one clip in which something moves, and one narration."""
    import av
    from PIL import Image, ImageDraw

    library: Any = av  # its stubs speak of numpy
    with library.open(str(folder / "clip.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(CLIP * 25):
            picture = Image.new("RGB", (640, 360), (20, 30, number % 200))
            ImageDraw.Draw(picture).ellipse((number * 2, 100, number * 2 + 120, 220), fill=(240, 200, 90))
            out.mux(stream.encode(library.VideoFrame.from_image(picture)))
        out.mux(stream.encode(None))
    from prefect_together.generations.sound_shape import PCM, SampleForm

    tone = [round(6000 * math.sin(2 * math.pi * 220 * at / 24000)) for at in range(24000 * (CLIP - 2))]
    samples = array("h", tone).tobytes()
    (folder / "line.wav").write_bytes(SampleForm(PCM, 16, 24000).header(len(samples)) + samples)


def step(name: str, seconds: int, folder: Path) -> dict[str, Any]:
    """Take one step, on what the one before made."""
    os.environ |= {
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(folder / "library"),
        "PREFECT_INTEGRATIONS_TOGETHER_ARTIFACTS": "false",
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    from prefect_together import Placed, Segment, add_sound, add_subtitles, burn_subtitles, join_videos

    count = seconds // CLIP
    said = [
        Segment(
            id=number, start=number * CLIP + 0.5, end=number * CLIP + 8.5, text=f"This is what is said in scene {number}."
        )
        for number in range(count)
    ]
    last = folder / "last.txt"
    before = Path(last.read_text(encoding="utf-8")) if last.is_file() else folder
    began, cpu = time.monotonic(), time.process_time()
    if name == "join_videos":
        made = join_videos([folder / "clip.mp4"] * count)
    elif name == "add_sound":
        made = add_sound(before, [Placed(folder / "line.wav", at=number * CLIP + 0.5) for number in range(count)])
    else:
        made = {"add_subtitles": add_subtitles, "burn_subtitles": burn_subtitles}[name](before, said)
    spent = time.process_time() - cpu
    last.write_text(str(made.path()), encoding="utf-8")
    return {
        "step": name,
        "cpu_by_length": round(spent / seconds, 4),
        "seconds": round(time.monotonic() - began, 1),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "film_seconds": made.seconds,
    }


def main() -> None:
    """Take all steps, each in a process of its own."""
    if len(sys.argv) > 1 and sys.argv[1] in STEPS:
        print(json.dumps(step(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
        return
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        draw(Path(name))
        for one in STEPS:
            command = [sys.executable, __file__, one, str(seconds), name]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
