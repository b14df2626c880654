"""A batch of clips that is cut off while they render: the next run of the same process goes on with what was paid for."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from pathlib import Path

from prefect_together import VideoRequest, sandbox
from prefect_together._internal.event_loop import runtime
from prefect_together.batch.batch_rows import Options
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.runner import Batch
from prefect_together.engine.context import RunContext, RunInfo
from prefect_together.http.pool import shared_client
from prefect_together.sandbox import Sandbox
from prefect_together.storage.opening import shared
from tests.waiting import until

MODEL = "minimax/hailuo-02"
VIDEOS = "/v2/videos"


def begun(together: Sandbox, library: Path, run: str, prompts: list[str]) -> tuple[Batch, Future[None]]:
    """Begin a batch of clips without seeds in a flow run of its own."""
    client = shared_client(together.api_key, together.url, timeout=60.0, max_connections=64)
    info = RunInfo(logging.getLogger("prefect_together"), flow_run=run)
    batch = Batch(RunContext(client=client, storage=shared(str(library)), run=info), Options())
    rows = [TableRow(number, VideoRequest(prompt=prompt, model=MODEL)) for number, prompt in enumerate(prompts)]
    return batch, runtime().start(lambda: batch.run(rows))


def _asked_for(together: Sandbox) -> int:
    """Return for how many jobs it was asked."""
    return len({one.path for one in together.requests() if one.method == "GET" and one.path.startswith(f"{VIDEOS}/")})


def test_the_next_run_goes_on_with_them(tmp_path: Path) -> None:
    """Ctrl-C in a notebook, and the cell once more: every clip is charged once, and the second run has it."""
    prompts = [f"push in, {number}" for number in range(4)]
    with sandbox.serve(render_seconds=10) as together:
        first, running = begun(together, tmp_path, "first", prompts)
        until("all render, and are waited for", lambda: len(prompts) == len(together.charges()) == _asked_for(together))
        running.cancel()
        runtime().start(lambda: asyncio.sleep(0.5)).result(60)  # as long as it takes a person to press a key again
        assert 0 == first.done
        second, running = begun(together, tmp_path, "second", prompts)
        running.result(120)
        assert len(prompts) == second.totals.good
        assert len(prompts) == len(together.charges())
    first.close()
    second.close()
