"""Serves flows whose runs are suspended while their jobs run; a script that knows nothing of tests.

    SUSPENDING=<folder> python suspending.py <tag>      serves until it is ended

Each pass of a flow says so in the file ``passes``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from prefect import flow, serve

from prefect_together import (
    ChatRequest,
    GenerationTimeout,
    VideoRequest,
    agenerate_video,
    generate_batch,
    generate_video,
    requests_from_table,
    submit_batch,
    submit_video,
    wait_for_batch,
    wait_for_video,
)
from prefect_together.tasks import _suspension

FOLDER = Path(os.environ["SUSPENDING"])
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
_suspend = _suspension.suspend
_dying = [False]


async def _suspended(*given: Any, **options: Any) -> Any:
    if _dying[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return await _suspend(*given, **options)


_suspension.suspend = _suspended


def _begin(name: str) -> None:
    with (FOLDER / "passes").open("a") as file:
        file.write(f"{name} {os.getpid()}\n")


def _clip(number: int) -> VideoRequest:
    return VideoRequest(prompt=f"clip {number}", model="sandbox/tiny", width=64, height=48, seconds=1, fps=15)


@flow(name="mapped")
def mapped(count: int) -> list[str]:
    """Make clips without seeds, all at once."""
    _begin("mapped")
    made = generate_video.map([_clip(number) for number in range(count)], wait="suspend").result()
    return [clip.uri for clip in made]


@flow(name="killed")
def killed(count: int) -> list[str]:
    """Make clips, and die the first time just before the run is suspended."""
    _begin("killed")
    _dying[0] = not (FOLDER / "died").exists()
    (FOLDER / "died").touch()
    made = generate_video.map([_clip(200 + number) for number in range(count)], wait="suspend").result()
    return [clip.uri for clip in made]


@flow(name="awaited")
async def awaited(count: int) -> list[str]:
    """Make clips one after the other, in an async flow."""
    _begin("awaited")
    return [(await agenerate_video(_clip(100 + number), wait="suspend")).uri for number in range(count)]


@flow(name="late")
def late(seconds: float) -> str:
    """Wait for a clip no longer than so."""
    _begin("late")
    try:
        return wait_for_video(submit_video(_clip(300)), wait="suspend", timeout=seconds).uri
    except GenerationTimeout as error:
        (FOLDER / "late").write_text(str(error))
        raise


@flow(name="asked")
def asked(count: int) -> int:
    """Ask questions in a batch at Together."""
    _begin("asked")
    questions = [ChatRequest(prompt=f"question {number}", model=LLAMA) for number in range(count)]
    return wait_for_batch(submit_batch(questions), wait="suspend").kept


@flow(name="table")
def table(count: int, chunk_size: int | None = None) -> list[str]:
    """Ask questions without seeds by way of batches at Together, and die the first time just before the run is suspended."""
    _begin("table")
    _dying[0] = not (FOLDER / "table-died").exists()
    (FOLDER / "table-died").touch()
    questions = requests_from_table(
        [{"number": number} for number in range(count)],
        request=ChatRequest,
        templates={"prompt": "row {number}"},
        constants={"model": LLAMA, "max_tokens": 60},
    )
    made = generate_batch(
        questions, via="batch", wait="suspend", name=f"table {FOLDER}", chunk_size=chunk_size, fail_on="never"
    )
    made.write_table(FOLDER / "table.csv")
    (FOLDER / "table.txt").write_text(f"{made.cost}")
    return [item.outcome for item in made.items]


if __name__ == "__main__":
    flows: Any = (mapped, killed, awaited, late, asked, table)
    served: Any = [one.to_deployment(f"{one.name}-{sys.argv[1]}", tags=[sys.argv[1]]) for one in flows]
    serve(*served)
