"""What thousands of videos cost while they are waited for: CPU for each poll and memory beside a bare poller; judges nothing.

python tests/benchmarks/waiting_videos.py [videos] [seconds of each] [rounds] [rivals]
python tests/benchmarks/waiting_videos.py 10000 900 1 bare batch      ten thousand: their submission alone takes minutes

Rivals, each in a process of its own, on one fake Together:

    bare        our HTTP client and a loop for each job that asks at the same pace: no ledger, no library
    outside     agenerate_video for each on one loop, outside of Prefect
    inside      the same in a flow, as task runs
    batch       generate_batch in a flow, all at once

CPU is that of the process while all jobs wait and none is submitted or fetched, for each poll that the server counted: from
some seconds after the last submission until the first job may be over, a minute at most. The process ends then.
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
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from servers import disk, measured, medians, memory, prefect, settings, together

MODEL = "minimax/hailuo-02"
RIVALS = ("bare", "outside", "inside", "batch")
_QUIET = 6.0
"""Seconds after the last submission until the window opens: by then leases are there, and everybody has asked once."""
_LONGEST = 60.0
"""Seconds for which the window is open at most."""
_SHORTEST = 10.0
"""Seconds for which it has to be open."""
_EARLIEST = 0.75
"""The part of its usual time that the quickest job takes, see ``fake_server``."""


def _prompt(number: int) -> str:
    return "done at once" if number < 0 else f"clip {number}"


def polls(origin: str) -> dict[str, float]:
    """Ask the server what it has counted."""
    with urllib.request.urlopen(f"{origin}/counted", timeout=10) as answer:
        return json.loads(answer.read())


class Window:
    """Measures from when all are submitted until the first may be done, prints that and ends the process. In a thread."""

    def __init__(self, origin: str, count: int, seconds: float) -> None:
        self._idle = memory()
        self._before = polls(origin)["jobs"]
        self._thread = threading.Thread(target=self._watch, args=(origin, count, seconds), daemon=True)
        self._thread.start()

    def _watch(self, origin: str, count: int, seconds: float) -> None:
        first = time.monotonic() + _EARLIEST * seconds
        while polls(origin)["jobs"] - self._before < count:
            time.sleep(0.25)
        time.sleep(_QUIET)
        began, used, asked = time.monotonic(), time.process_time(), polls(origin)["polls"]
        left = min(_LONGEST, first - _QUIET - began)
        if left < _SHORTEST:
            print(
                f"The first job is over before all are submitted: let each take more than {seconds:.0f} s.", file=sys.stderr
            )
            os._exit(1)
        time.sleep(left)
        asked = polls(origin)["polls"] - asked
        found = {
            "cpu": time.process_time() - used,
            "polls": asked,
            "seconds": time.monotonic() - began,
            "memory": memory() - self._idle,
            "whole": memory(),
        }
        print(json.dumps(found), flush=True)
        os._exit(0)


async def _all(count: int, one: Callable[[int], Awaitable[object]]) -> None:
    await asyncio.gather(*(one(number) for number in range(count)))


def bare(origin: str, count: int, window: Callable[[], Window]) -> None:
    """Submit, ask and fetch with our client and nothing else."""
    from prefect_together.generations.policy import Pace
    from prefect_together.generations.spec import Job
    from prefect_together.generations.video import SPEC
    from prefect_together.http.client import TogetherClient

    assert SPEC.job is not None
    read = SPEC.job.parse

    async def run() -> None:
        client = TogetherClient("key", origin)

        async def one(number: int) -> None:
            job = await client.send_paid("/v2/videos", {"model": MODEL, "prompt": _prompt(number)}, SPEC.parse)
            assert isinstance(job, Job)
            pauses = Pace().pauses()
            while (await client.get(f"/v2/videos/{job.id}", read)).made is None:
                await asyncio.sleep(next(pauses))

        await one(-1)
        window()
        await _all(count, one)

    asyncio.run(run())


def ours(rival: str, count: int, window: Callable[[], Window]) -> None:
    """Generate with the tasks; a first clip brings in what is imported late."""
    from prefect import flow

    from prefect_together import VideoRequest, agenerate_batch, agenerate_video

    def request(number: int) -> VideoRequest:
        return VideoRequest(prompt=_prompt(number), model=MODEL, seed=1)

    async def work() -> None:
        if rival == "batch":
            await agenerate_batch([request(-1)], concurrency=1)
            window()
            await agenerate_batch([request(number) for number in range(count)], concurrency=count, fail_on="never")
            return
        generate: Any = agenerate_video.fn if rival == "outside" else agenerate_video
        await generate(request(-1))
        window()
        await _all(count, lambda number: generate(request(number)))

    asyncio.run(work() if rival == "outside" else flow(work)())  # pyright: ignore[reportArgumentType]


def run(rival: str, origin: str, count: int, seconds: float, folder: str) -> None:
    """Run one rival here."""
    os.environ |= settings(origin, folder)

    def window() -> Window:
        return Window(origin, count, seconds)

    bare(origin, count, window) if rival == "bare" else ours(rival, count, window)


def main(count: int, seconds: int, rounds: int, rivals: Sequence[str]) -> None:
    """Let the rivals take turns and print the medians."""
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in rivals}
    with together(1, seconds) as origin, prefect() as server:
        for number in range(rounds):
            server.settle()
            for rival in rivals if number % 2 == 0 else rivals[::-1]:
                with tempfile.TemporaryDirectory(dir=disk()[0]) as folder:
                    told = origin, count, seconds, folder
                    once = measured(__file__, rival, *told, env={"PREFECT_API_URL": server.url})
                once["each"] = 1000 * once["cpu"] / once["polls"]
                found[rival].append(once)
                print(f"  {rival:8} {once}", file=sys.stderr)
                server.settle()
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{'':8} {'polls/s':>8} {'CPU':>6} {'a poll':>8} {'÷ bare':>7} {'memory':>7} {'- bare':>7} {'in all':>7}")
    for rival, numbers in middle.items():
        print(
            f"{rival:8} {numbers['polls'] / numbers['seconds']:8.1f} {100 * numbers['cpu'] / numbers['seconds']:5.1f}% "
            f"{numbers['each']:5.2f} ms {numbers['each'] / middle['bare']['each']:7.2f} {numbers['memory']:4.0f} MB "
            f"{numbers['memory'] - middle['bare']['memory']:4.0f} MB {numbers['whole']:4.0f} MB"
        )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        run(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
    else:
        given = [int(value) for value in sys.argv[1:] if value.isdecimal()]
        clips, long, times = given + [1000, 80, 3][len(given) :]
        main(clips, long, times, [name for name in RIVALS if name in sys.argv] or RIVALS)
