"""How a table of questions grows: a CSV in, a batch, a Parquet out; CPU and memory of ten times the rows. Judges nothing.

python tests/benchmarks/table_growth.py [rows] [times as many] [folder]

Each runs in a process and a flow of its own, after forty rows that bring in what is imported late, into a library in the folder,
which should not be in memory; the sandbox is another process, and its work does not count.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from provider_batch import MODEL, sandbox
from servers import Highest, measured, prefect, settings


def run(origin: str, count: int, folder: str) -> dict[str, float]:
    """Ask all rows here."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        os.environ |= settings(origin, name)
        from prefect import flow

        from prefect_together import generate_batch, requests_from_table

        @flow
        def answers(source: str, out: str) -> int:
            table = requests_from_table(
                source,
                type="chat",
                templates={"prompt": "What does fox {number} do in the {place}?"},
                constants={"model": MODEL, "seed": 1, "max_tokens": 100},
            )
            result = generate_batch(table, name=Path(source).stem, fail_on="any")
            result.write_table(out)
            return result.kept

        for rows, numbers in ("warm", range(count, count + 40)), ("asked", range(count)):
            with Path(f"{name}/{rows}.csv").open("w", encoding="utf-8") as file:
                file.write("number,place\n")
                file.writelines(f"{number},snow\n" for number in numbers)
        answers(f"{name}/warm.csv", f"{name}/warm.parquet")
        highest, used, began = Highest(), time.process_time(), time.perf_counter()
        kept = answers(f"{name}/asked.csv", f"{name}/asked.parquet")
        seconds, at_work, memory = time.perf_counter() - began, time.process_time() - used, highest.megabytes()
        size = Path(f"{name}/asked.parquet").stat().st_size
        return {"kept": kept, "seconds": seconds, "cpu": 1000 * at_work / count, "memory": memory, "table": size / 1e6}


def main(count: int, times: int, folder: str) -> None:
    """Run both and print what came of it."""
    print(f"{'rows':>9} {'kept':>9} {'seconds':>9} {'CPU a row':>11} {'memory':>9} {'table':>8}")
    with prefect() as server, sandbox() as origin:
        for rows in (count, count * times):
            server.settle()
            found = measured(__file__, "table", origin, rows, folder, env={"PREFECT_API_URL": server.url})
            print(
                f"{rows:9,} {found['kept']:9,.0f} {found['seconds']:9.1f} {found['cpu']:8.2f} ms {found['memory']:6.0f} MB "
                f"{found['table']:5.1f} MB",
                flush=True,
            )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        given = sys.argv[1:]
        main(
            int(given[0]) if given else 10_000,
            int(given[1]) if len(given) > 1 else 10,
            given[2] if len(given) > 2 else str(Path.cwd()),
        )
