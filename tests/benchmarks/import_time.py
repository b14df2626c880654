"""What importing the package adds to importing Prefect, in CPU: medians over fresh processes, printed; it judges nothing.

python tests/benchmarks/import_time.py [processes]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

PAIRS = (
    ("import prefect", "import prefect_together"),
    ("from prefect import flow, task", "from prefect_together import generate_image"),
    ("from prefect import flow, task", "from prefect_together import ImageRequest"),
)
"""What there is without the package, and what comes with it."""
_CODE = """
from time import process_time
begin = process_time()
{}
between = process_time()
{}
print(between - begin, process_time() - between)
"""


def seconds(before: str, after: str) -> tuple[float, float]:
    """Take both imports in a process of their own, so that a busy moment of the machine meets them alike."""
    code = _CODE.format(before, after)
    # An installation is compiled: compiling anew in each process would be half of what is measured.
    compiling = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=compiling).stdout.split()
    return float(said[0]), float(said[1])


def main(processes: int) -> None:
    """Print a line for each pair, which are taken in turn."""
    for pair in PAIRS:
        seconds(*pair)  # compiles, and warms the file cache
    rounds = [{pair: seconds(*pair) for pair in PAIRS} for _ in range(processes)]
    for before, after in PAIRS:
        taken = [times[before, after] for times in rounds]
        share = statistics.median(added / there for there, added in taken)
        there, added = (statistics.median(times) for times in zip(*taken, strict=True))
        print(f"{there:6.3f} s + {added:6.3f} s: {share:6.1%}  {after}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
