"""What it costs to ask once for ten thousand open jobs, beside a bare poller: CPU and memory of one process; judges nothing.

python tests/benchmarks/open_jobs.py [jobs] [rounds]

Rivals, each in a process of its own, on one fake Together and one library on a disk:

    bare        our HTTP client alone, at the same pace: it knows the ids by heart
    sweep       what flows/sweep.py does: ledger read, each job asked for, nothing done yet
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

from servers import measured, medians, together

MODEL = "minimax/hailuo-02"
RIVALS = ("bare", "sweep")


async def fill(origin: str, folder: str, count: int) -> list[str]:
    """Write down so many jobs as accepted, each with an id that the fake Together knows."""
    from prefect_together.engine.attempt import Acceptance
    from prefect_together.generations.spec import Job
    from prefect_together.http.client import TogetherClient
    from prefect_together.ledger.heartbeats import owned
    from prefect_together.ledger.ledger import Attempt, Ledger
    from prefect_together.storage.storage import Storage

    ledger, client = Ledger(Storage(folder)), TogetherClient("key", origin)
    now, ids = asyncio.get_running_loop(), list[str]()
    for number in range(count):
        asked = {"model": MODEL, "prompt": f"clip {number}"}
        body = json.dumps(asked).encode()
        answer = await now.run_in_executor(
            None, lambda body=body: urllib.request.urlopen(f"{origin}/v2/videos", body).read()
        )
        attempt = Attempt(f"{number * 2654435761 % 2**160:040x}", "any", 1)
        claim = {
            **owned(),
            "kind": "video",
            "model": MODEL,
            "request": asked,
            "realm": client.environment,
            "title": "a clip",
        }
        await ledger.record(attempt, "claimed", {**claim, "account": client.account, "flow_run": "none"})
        accepted = Acceptance(datetime.now(timezone.utc), Job(json.loads(answer)["id"]), client.account)
        await ledger.record(attempt, "accepted", accepted.entry())
        ids.append(json.loads(answer)["id"])
    await client.aclose()
    return ids


async def bare(origin: str, folder: str, ids: list[str]) -> None:
    """Ask for each id with our client."""
    assert folder
    from prefect_together.engine.batch_taking import each
    from prefect_together.engine.open_jobs import PER_SECOND
    from prefect_together.generations.video import SPEC
    from prefect_together.http.client import TogetherClient

    assert SPEC.job is not None
    client, read = TogetherClient("key", origin), SPEC.job.parse
    for begin in range(0, len(ids), PER_SECOND):
        until = time.monotonic() + 1.0
        await each(ids[begin : begin + PER_SECOND], lambda job: client.get(f"/v2/videos/{job}", read))
        if begin + PER_SECOND < len(ids):
            await asyncio.sleep(until - time.monotonic())
    await client.aclose()


async def sweep(origin: str, folder: str, ids: list[str]) -> None:
    """Ask for all open jobs of the library."""
    from prefect_together.engine import open_jobs
    from prefect_together.generations.policy import Policy
    from prefect_together.http.client import TogetherClient
    from prefect_together.storage.storage import Storage

    client = TogetherClient("key", origin)
    jobs = open_jobs.OpenJobs(Storage(folder), client, logging.getLogger("sweep"), Policy())
    assert await jobs.ask()
    assert len(ids) == len(jobs.open)
    await client.aclose()


def run(rival: str, origin: str, folder: str) -> dict[str, float]:
    """Run one rival here."""
    importlib.import_module("prefect_together.engine.open_jobs")  # both need it, and it is not measured
    ids = Path(folder, "ids").read_text().split()
    began, used = time.monotonic(), time.process_time()
    asyncio.run({"bare": bare, "sweep": sweep}[rival](origin, folder, ids))
    found = {"cpu": time.process_time() - used, "seconds": time.monotonic() - began}
    return {**found, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(count: int, rounds: int) -> None:
    """Let the rivals take turns and print the medians."""
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in RIVALS}
    with together(1, 360000) as origin, tempfile.TemporaryDirectory(dir=os.environ.get("SCALE_DISK")) as folder:
        Path(folder, "ids").write_text("\n".join(asyncio.run(fill(origin, folder, count))))
        print(f"  the first sweep, which reads all entries: {measured(__file__, 'sweep', origin, folder)}", file=sys.stderr)
        for number in range(rounds):
            for rival in RIVALS if number % 2 == 0 else RIVALS[::-1]:
                found[rival].append(measured(__file__, rival, origin, folder))
                print(f"  {rival:6} {found[rival][-1]}", file=sys.stderr)
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{count:,} open jobs: {'CPU':>6} {'÷ bare':>7} {'seconds':>8} {'memory':>8}")
    for rival, numbers in middle.items():
        ratio = numbers["cpu"] / middle["bare"]["cpu"]
        print(f"{rival:16} {numbers['cpu']:6.1f} s {ratio:6.2f} {numbers['seconds']:8.1f} {numbers['memory']:5.0f} MB")


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(*sys.argv[2:5])))
    else:
        given = [int(value) for value in sys.argv[1:]]
        main(*(given + [10_000, 3][len(given) :]))
