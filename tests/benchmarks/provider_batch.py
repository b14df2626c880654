"""What questions cost this machine in batches at Together: CPU and memory beside sending them one by one; judges nothing.

python tests/benchmarks/provider_batch.py [questions] [rounds] [folder]

    batch       so many questions in batches at a local Together: written, uploaded, taken back, each kept as an answer
    limited     the same within a limit that many runs spend from together
    requests    the same questions one by one, 32 at once

Each runs in a process and a flow of its own, into a library in the folder, which should not be in memory; the sandbox is a third
process, and its work does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from servers import Highest, measured, medians, prefect, settings

RIVALS = ("batch", "limited", "requests")
MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


@contextmanager
def sandbox() -> Generator[str]:
    """Run a local Together in a process of its own; yield its address."""
    code = (
        "import sys, prefect_together.sandbox as s\n"
        "with s.serve(batch_seconds=0.5) as box:\n"
        "    print(box.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        try:
            yield serving.stdout.readline().strip()
        finally:
            serving.kill()


def run(rival: str, origin: str, count: int, folder: str) -> dict[str, float]:
    """Ask all of them here."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        os.environ |= {**settings(origin, name), "PREFECT_INTEGRATIONS_TOGETHER_BATCH_POLL_SECONDS": "1"}
        from prefect import flow

        from prefect_together import SpendLimit, generate_batch, requests_from_table

        @flow
        def answers(first: int, last: int) -> int:
            table = requests_from_table(
                [{"number": number} for number in range(first, last)],
                type="chat",
                templates={"prompt": "What does fox {number} do in the snow?"},
                constants={"model": MODEL, "seed": 1, "max_tokens": 100},
            )
            limit = SpendLimit(name="benchmark", usd=Decimal(1000)) if rival == "limited" else None
            result = generate_batch(table, via="requests" if rival == "requests" else "batch", fail_on="any", limit=limit)
            return result.kept

        answers(count, count + 40)  # brings in what is imported late
        highest, used, began = Highest(), time.process_time(), time.perf_counter()
        kept = answers(0, count)
        return {
            "kept": kept,
            "seconds": time.perf_counter() - began,
            "cpu": 1000 * (time.process_time() - used) / count,
            "memory": highest.megabytes(),
        }


def main(count: int, rounds: int, folder: str) -> None:
    """Run all and print what came of it."""
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in RIVALS}
    with prefect() as server, sandbox() as origin:
        for number in range(rounds):
            for rival in RIVALS if number % 2 == 0 else RIVALS[::-1]:
                server.settle()
                found[rival].append(measured(__file__, rival, origin, count, folder, env={"PREFECT_API_URL": server.url}))
                print(f"  {rival:9} {found[rival][-1]}", file=sys.stderr)
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{'':9} {'kept':>8} {'seconds':>8} {'CPU a line':>11} {'÷ requests':>11} {'memory':>8}")
    for rival, numbers in middle.items():
        print(
            f"{rival:9} {numbers['kept']:8,.0f} {numbers['seconds']:8.1f} {numbers['cpu']:8.2f} ms "
            f"{numbers['cpu'] / middle['requests']['cpu']:11.2f} {numbers['memory']:5.0f} MB"
        )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        given = sys.argv[1:]
        main(
            int(given[0]) if given else 10_000,
            int(given[1]) if len(given) > 1 else 1,
            given[2] if len(given) > 2 else str(Path.cwd()),
        )
