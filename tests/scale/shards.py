"""How much faster several processes are at one table, and what becomes of it when they are killed: printed; it judges nothing.

python tests/scale/shards.py [rows] [processes ...]                 rows per second of so many processes: 1 2 by default
python tests/scale/shards.py --kill SECONDS [rows] [processes]      kills one of them at random every so often, starts another

Pictures take two seconds, or `--seconds`.

Each process runs `generate_batch` with the same table and name, has a host name of its own where `unshare --uts` is allowed,
and asks a sandbox whose pictures take a while, so that waiting and not this machine's CPU is what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect_together import sandbox

SECONDS = 2.0
"""How long a picture takes."""
AT_ONCE = 16
MODEL = "black-forest-labs/FLUX.2-pro"
PRICE = 0.03


def work(told: dict[str, Any]) -> None:
    """Do one process's part."""
    from prefect_together import generate_batch, requests_from_table

    table = requests_from_table(told["table"], constants={"model": MODEL, "width": 64, "height": 64, "seed": 7})
    result = generate_batch.fn(
        table, library=told["library"], name="scale", concurrency=told["concurrency"], on_unknown=told["on_unknown"],
        fail_on="never",
    )  # fmt: skip
    print(result.model_dump_json(), flush=True)


class Lab:
    """A table, a library, a sandbox, and processes that work on them."""

    def __init__(self, folder: Path, rows: int, url: str, on_unknown: str = "auto", concurrency: int = AT_ONCE) -> None:
        self.folder = folder
        self.table = folder / "rows.csv"
        self.table.write_text("prompt\n" + "".join(f"picture {number}\n" for number in range(rows)), encoding="utf-8")
        self._url = url
        self._how = {"on_unknown": on_unknown, "concurrency": concurrency}
        self._started = 0

    def start(self, library: str) -> subprocess.Popen[str]:
        """Start a process."""
        self._started += 1
        told = {"table": str(self.table), "library": str(self.folder / library), **self._how}
        command = [sys.executable, __file__, "--work", json.dumps(told)]
        if _own_names():
            command = ["unshare", "--uts", "sh", "-c", f'hostname machine-{self._started} && exec "$@"', "sh", *command]
        env = {
            **os.environ,
            "TOGETHER_API_KEY": "sandbox",
            "TOGETHER_BASE_URL": self._url,
            "PREFECT_HOME": str(self.folder / f"home-{self._started}"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        }
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    def size(self, library: str) -> int:
        """Return how many objects the library holds."""
        return sum(len(files) for _, _, files in os.walk(self.folder / library))


def _own_names() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(["unshare", "--uts", "true"], check=False, stderr=subprocess.DEVNULL).returncode
    )


def speed(rows: int, processes: Sequence[int], pause: float) -> None:
    """Print how many rows a second so many processes do."""
    with tempfile.TemporaryDirectory() as folder, sandbox.serve(image_seconds=pause) as together:
        lab, first = Lab(Path(folder), rows, together.url), 0.0
        for count in processes:
            together.reset()
            running = [lab.start(f"library-{count}") for _ in range(count)]
            said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
            # From the first request on: processes that start together on this machine hold each other up.
            taken = [charge.at for charge in together.charges()]
            seconds = (max(taken) - min(taken)).total_seconds() + pause
            first = first or rows / seconds
            same = len({one["manifest"] for one in said}) == 1
            print(
                f"{count} processes: {rows / seconds:.1f} rows/s, {rows / seconds / first:.2f} times the first; "
                f"{len(together.charges()):,} charges of {rows:,}; one manifest: {same}; kept {said[0]['kept']:,}",
                flush=True,
            )


def kills(rows: int, processes: int, every: float, on_unknown: str, pause: float) -> None:
    """Kill one process at random every so often, and print what was paid for more than once."""
    with tempfile.TemporaryDirectory() as folder, sandbox.serve(image_seconds=pause) as together:
        lab = Lab(Path(folder), rows, together.url, on_unknown)
        running = [lab.start("library") for _ in range(processes)]
        began = last = time.monotonic()
        killed = 0
        while any(process.poll() is None for process in running):
            time.sleep(0.2)
            if time.monotonic() - last < every:
                continue
            last = time.monotonic()
            alive = [process for process in running if process.poll() is None]
            if len(alive) < processes:  # some have come to the end
                continue
            victim = random.choice(alive)
            os.kill(victim.pid, signal.SIGKILL)
            killed += 1
            running.append(lab.start("library"))
        said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running if process.returncode == 0]
        charged = Counter(charge.prompt for charge in together.charges())
        twice = sum(charged.values()) - len(charged)
        print(
            f"{rows:,} rows, {processes} processes, {killed} killed in {time.monotonic() - began:.0f} s, "
            f"on_unknown={on_unknown}: {sum(charged.values()):,} charges, {twice} of them for a row that was paid for before, "
            f"at most {killed * AT_ONCE} were in flight at the kills; results: {Counter(one['manifest'] for one in said)}; "
            f"kept {said[-1]['kept']:,}, reused {said[-1]['reused']:,}, unknown {said[-1]['unknown']:,}"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--kill", type=float, metavar="SECONDS")
    parser.add_argument("--on-unknown", default="auto")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--work")
    given = parser.parse_args()
    if given.work:
        work(json.loads(given.work))
        return
    rows, *processes = given.numbers or [800]
    if given.kill:
        kills(rows, processes[0] if processes else 4, given.kill, given.on_unknown, given.seconds)
    else:
        speed(rows, processes or [1, 2], given.seconds)


if __name__ == "__main__":
    main()
