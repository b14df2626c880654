"""How often a job is asked for, and how late its end is known: our schedule beside a fixed one, on a simulated clock.

python tests/benchmarks/polling.py
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterator

from prefect_together.durations import KEPT, looks

JOBS = 2000


def _models() -> dict[str, Callable[[], float]]:
    def near(usual: float, spread: float) -> Callable[[], float]:
        return lambda: min(180.0, max(60.0, usual * random.lognormvariate(0.0, spread)))

    return {
        "usually  70 s, spread 10 %": near(70, 0.1),
        "usually 120 s, spread 10 %": near(120, 0.1),
        "usually 120 s, spread 20 %": near(120, 0.2),
        "anything from 60 to 180 s": lambda: random.uniform(60, 180),
    }


def _follow(pauses: Iterator[float], over: float) -> tuple[int, float]:
    age = 0.0
    for polls in itertools.count(1):
        age += next(pauses)
        if age >= over:
            return polls, age - over
    raise AssertionError


def main() -> None:
    """Print the mean of both for models of several habits."""
    random.seed(1)
    print(f"{'jobs that take':28} {'learnt: polls, late':>22} {'every 5 s: polls, late':>26}")
    for name, draw in _models().items():
        known = tuple(sorted(draw() for _ in range(KEPT)))
        ends = [draw() for _ in range(JOBS)]
        row = [
            (statistics.mean(polls for polls, _ in found), statistics.mean(late for _, late in found))
            for found in (
                [_follow(looks(known, 0.0), over) for over in ends],
                [_follow(itertools.repeat(5.0), over) for over in ends],
            )
        ]
        print(f"{name:28} {row[0][0]:13.1f}, {row[0][1]:4.1f} s {row[1][0]:17.1f}, {row[1][1]:4.1f} s")


if __name__ == "__main__":
    main()
