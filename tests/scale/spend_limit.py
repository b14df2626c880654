"""How many entries a spend limit takes that several processes share, and whether it holds: printed; it judges nothing.

python tests/scale/spend_limit.py [requests] [processes] [--fits SHARE] [--kill SECONDS]

Each process asks for its part of the requests with `generate_batch`, in a batch of its own, and the limit is enough for a
share of all of them: all by default, and with `--fits 0.9` nine of ten. With `--kill`, one of them is killed at random every
so often, and another one started in its place, until the first has come to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from prefect_together import sandbox

AT_ONCE = 16
MODEL = "black-forest-labs/FLUX.2-pro"
PRICE = Decimal("0.03")


def work(told: dict[str, Any]) -> None:
    """Do one process's part."""
    from prefect_together import ImageRequest, SpendLimit, generate_batch

    requests = [
        ImageRequest(prompt=f"picture {number}", model=MODEL, width=64, height=64, seed=7)
        for number in range(told["first"], told["last"])
    ]
    limit = SpendLimit(name="scale", usd=Decimal(told["usd"]))
    result = generate_batch.fn(
        requests, library=told["library"], limit=limit, concurrency=AT_ONCE, on_unknown="fail", fail_on="never"
    )
    print(json.dumps({"kept": result.kept, "reused": result.reused, "refused": result.refused, "unknown": result.unknown}))


def start(told: dict[str, Any], url: str) -> subprocess.Popen[str]:
    """Start a process."""
    env = {
        **os.environ,
        "TOGETHER_API_KEY": "sandbox",
        "TOGETHER_BASE_URL": url,
        "PREFECT_HOME": str(Path(told["library"]).with_name("home")),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }
    return subprocess.Popen(
        [sys.executable, __file__, "--work", json.dumps(told)], stdout=subprocess.PIPE, text=True, env=env
    )


def measure(total: int, processes: int, fits: float, every: float | None) -> None:
    """Have so many processes spend from one limit, and print what came of it."""
    affordable = int(total * fits)
    with tempfile.TemporaryDirectory() as folder, sandbox.serve() as together:
        library, part = Path(folder) / "library", total // processes
        jobs = [
            {"first": n * part, "last": (n + 1) * part, "usd": str(PRICE * affordable), "library": str(library)}
            for n in range(processes)
        ]
        began = last = time.monotonic()
        running, killed = {n: start(job, together.url) for n, job in enumerate(jobs)}, 0
        while any(process.poll() is None for process in running.values()):
            time.sleep(0.2)
            alive = [n for n, process in running.items() if process.poll() is None]
            if every and len(alive) == processes and time.monotonic() - last >= every:
                last, victim = time.monotonic(), random.choice(alive)
                os.kill(running[victim].pid, signal.SIGKILL)
                running[victim].communicate()
                running[victim], killed = start(jobs[victim], together.url), killed + 1
        said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running.values()]
        entries = sorted(int(path.stem) for path in library.glob("limits/*/*.json"))
        (newest,) = library.glob(f"limits/*/{entries[-1]:08d}.json")
        last_entry = json.loads(newest.read_bytes())
        print(
            f"{total:,} requests, {processes} processes, {killed} killed, {time.monotonic() - began:.0f} s: "
            f"{entries[-1]:,} entries; {len(together.charges()):,} charges of {affordable:,} that the limit is enough for; "
            f"${last_entry['committed']} of ${PRICE * affordable} taken, by {len(last_entry['holders'])} still; {said}"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--fits", type=float, default=1.0)
    parser.add_argument("--kill", type=float, metavar="SECONDS")
    parser.add_argument("--work")
    given = parser.parse_args()
    if given.work:
        work(json.loads(given.work))
        return
    total, processes = [*given.numbers, *[10_000, 4][len(given.numbers) :]]
    measure(total, processes, given.fits, given.kill)


if __name__ == "__main__":
    main()
