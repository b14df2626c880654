"""What importing the package adds to importing Prefect: medians over fresh processes, printed; it judges nothing.

python tests/benchmarks/import_time.py [processes]
"""

from __future__ import annotations

import statistics
import subprocess
import sys

PAIRS = (
    ("import prefect", "import prefect, prefect_together"),
    ("from prefect import flow, task", "from prefect import flow, task; from prefect_together import generate_image"),
    ("import prefect", "from prefect_together import ImageRequest"),
)
"""What there is without the package, and what with it; the last line is what needs no Prefect at all."""


def seconds(statement: str) -> float:
    """Time one import in a process of its own, the start of the interpreter excluded."""
    code = f"import time; begin = time.perf_counter(); {statement}; print(time.perf_counter() - begin)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main(processes: int) -> None:
    """Take the statements in turn, so that a busy moment of the machine meets all of them alike."""
    statements = list(dict.fromkeys(statement for pair in PAIRS for statement in pair))
    for statement in statements:
        seconds(statement)  # compiles, and warms the file cache
    rounds = [{statement: seconds(statement) for statement in statements} for _ in range(processes)]
    medians = {statement: statistics.median(times[statement] for times in rounds) for statement in statements}
    for before, after in PAIRS:
        print(f"{medians[before]:6.3f} s -> {medians[after]:6.3f} s {medians[after] / medians[before] - 1:+7.1%}  {after}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
