"""What a thousand videos cost while they are waited for: CPU for each poll and memory beside a bare poller; judges nothing.

python tests/benchmarks/waiting_videos.py [videos] [seconds of each] [rounds]

Rivals, each in a process of its own, on one fake Together:

    bare        our HTTP client and a loop for each job that asks at the same pace: no ledger, no library
    outside     agenerate_video for each on one loop, outside of Prefect
    inside      the same in a flow, as task runs
    batch       generate_batch in a flow, all at once

CPU is that of the process while all jobs wait and none is submitted or fetched, for each poll that the server counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from servers import measured, medians, memory, prefect, together

MODEL = "minimax/hailuo-02"
RIVALS = ("bare", "outside", "inside", "batch")
_QUIET = 6.0
"""Seconds after the last submission until the window opens: by then leases are there, and everybody has asked once."""


def _prompt(number: int) -> str:
    return "done at once" if number < 0 else f"clip {number}"


def polls(origin: str) -> dict[str, float]:
    """Ask the server what it has counted."""
    with urllib.request.urlopen(f"{origin}/counted", timeout=10) as answer:
        return json.loads(answer.read())


class Window:
    """Measures from when all are submitted until the first may be done. Runs beside the work, in a thread."""

    def __init__(self, origin: str, count: int, seconds: float) -> None:
        self.found: dict[str, float] = {}
        self._idle = memory()
        self._before = polls(origin)["jobs"]
        self._thread = threading.Thread(target=self._watch, args=(origin, count, seconds), daemon=True)
        self._thread.start()

    def _watch(self, origin: str, count: int, seconds: float) -> None:
        while polls(origin)["jobs"] - self._before < count:
            time.sleep(0.25)
        time.sleep(_QUIET)
        began, used, asked = time.monotonic(), time.process_time(), polls(origin)["polls"]
        time.sleep(seconds)
        asked = polls(origin)["polls"] - asked
        self.found = {
            "cpu": time.process_time() - used,
            "polls": asked,
            "seconds": time.monotonic() - began,
            "memory": memory() - self._idle,
        }

    def result(self) -> dict[str, float]:
        """Return what was measured."""
        self._thread.join()
        return self.found


async def _all(count: int, one: Callable[[int], Awaitable[object]]) -> None:
    await asyncio.gather(*(one(number) for number in range(count)))


def bare(origin: str, count: int, window: Callable[[], Window]) -> Window:
    """Submit, ask and fetch with our client and nothing else."""
    from prefect_together.generations.policy import Pace
    from prefect_together.generations.spec import Job
    from prefect_together.generations.video import SPEC
    from prefect_together.http.client import TogetherClient

    assert SPEC.job is not None
    read = SPEC.job.parse

    async def run() -> Window:
        client = TogetherClient("key", origin)

        async def one(number: int) -> None:
            job = await client.send_paid("/v2/videos", {"model": MODEL, "prompt": _prompt(number)}, SPEC.parse)
            assert isinstance(job, Job)
            pauses = Pace().pauses()
            while (await client.get(f"/v2/videos/{job.id}", read)).made is None:
                await asyncio.sleep(next(pauses))

        await one(-1)
        measuring = window()
        await _all(count, one)
        await client.aclose()
        return measuring

    return asyncio.run(run())


def ours(rival: str, count: int, window: Callable[[], Window]) -> Window:
    """Generate with the tasks; a first clip brings in what is imported late."""
    from prefect import flow

    from prefect_together import VideoRequest, agenerate_batch, agenerate_video

    def request(number: int) -> VideoRequest:
        return VideoRequest(prompt=_prompt(number), model=MODEL, seed=1)

    async def work() -> Window:
        if rival == "batch":
            await agenerate_batch([request(-1)], concurrency=1)
            measuring = window()
            await agenerate_batch([request(number) for number in range(count)], concurrency=count, fail_on="never")
            return measuring
        generate: Any = agenerate_video.fn if rival == "outside" else agenerate_video
        await generate(request(-1))
        measuring = window()
        await _all(count, lambda number: generate(request(number)))
        return measuring

    return asyncio.run(work() if rival == "outside" else flow(work)())  # pyright: ignore[reportArgumentType]


def run(rival: str, origin: str, count: int, seconds: float) -> dict[str, float]:
    """Run one rival here."""
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {
            "TOGETHER_BASE_URL": origin,
            "TOGETHER_API_KEY": "key",
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": name,
            "PREFECT_HOME": f"{name}/home",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }

        def window() -> Window:
            return Window(origin, count, seconds)

        return (bare(origin, count, window) if rival == "bare" else ours(rival, count, window)).result()


def main(count: int, seconds: int, rounds: int) -> None:
    """Let the rivals take turns and print the medians."""
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in RIVALS}
    window = seconds * 0.6 - 2 * _QUIET  # jobs take 0.75 to 1.25 times as long
    with together(1, seconds) as origin, prefect() as server:
        for number in range(rounds):
            server.settle()
            for rival in RIVALS if number % 2 == 0 else RIVALS[::-1]:
                once = measured(__file__, rival, origin, count, window, env={"PREFECT_API_URL": server.url})
                once["each"] = 1000 * once["cpu"] / once["polls"]
                found[rival].append(once)
                print(f"  {rival:8} {once}", file=sys.stderr)
                server.settle()
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{'':8} {'polls/s':>8} {'CPU':>6} {'a poll':>8} {'÷ bare':>7} {'memory':>7} {'- bare':>7}")
    for rival, numbers in middle.items():
        print(
            f"{rival:8} {numbers['polls'] / numbers['seconds']:8.1f} {100 * numbers['cpu'] / numbers['seconds']:5.1f}% "
            f"{numbers['each']:5.2f} ms {numbers['each'] / middle['bare']['each']:7.2f} {numbers['memory']:4.0f} MB "
            f"{numbers['memory'] - middle['bare']['memory']:4.0f} MB"
        )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))))
    else:
        given = [int(value) for value in sys.argv[1:]]
        main(*(given + [1000, 80, 3][len(given) :]))
