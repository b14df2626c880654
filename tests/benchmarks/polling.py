"""How often a job is asked for, and how late its end is known: ours, every 5 s, and the best possible; simulated clock.

The best possible knows all that will ever happen but not which job it looks at: for every price of a look there is a
schedule that costs least, and of those this prints the one that looks as often as ours.

python tests/benchmarks/polling.py
"""

from __future__ import annotations

import itertools
import random
import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterator

from prefect_together.engine.poll_schedule import poll_pauses

JOBS = 200
LIBRARIES = 20
"""Each has learnt from other jobs."""


def _models() -> dict[str, Callable[[], float]]:
    def near(usual: float, spread: float) -> Callable[[], float]:
        return lambda: min(180.0, max(60.0, usual * random.lognormvariate(0.0, spread)))

    def mixed(part: float, one: Callable[[], float], other: Callable[[], float]) -> Callable[[], float]:
        return lambda: one() if random.random() < part else other()

    return {
        "usually  70 s, spread 10 %": near(70, 0.1),
        "usually 120 s, spread  5 %": near(120, 0.05),
        "usually 120 s, spread 10 %": near(120, 0.1),
        "usually 120 s, spread 15 %": near(120, 0.15),
        "usually 120 s, spread 20 %": near(120, 0.2),
        "70 s, a tenth of them queued": mixed(0.9, near(70, 0.08), near(130, 0.2)),
        "75 or 150 s: 150, told apart": near(150, 0.08),
        "75 or 150 s, not apart": mixed(0.5, near(75, 0.08), near(150, 0.08)),
        "anything from 60 to 180 s": lambda: random.uniform(60, 180),
    }


def _follow(pauses: Iterator[float], over: float) -> tuple[int, float]:
    age = 0.0
    for polls in itertools.count(1):
        age += next(pauses)
        if age >= over:
            return polls, age - over
    raise AssertionError


def _best(ends: list[float], price: float, step: float = 1.0) -> tuple[float, float]:
    """Return looks and lateness of the schedule that costs least: dynamic programming over all that happens."""
    ends = sorted(ends)
    ages = [step * place for place in range(int(ends[-1] / step) + 2)]
    over = [bisect_right(ends, age) for age in ages]
    sums = [0.0, *itertools.accumulate(ends)]
    cost: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)] * len(ages)  # in all, looks, lateness
    for now in range(len(ages) - 2, -1, -1):
        left = len(ends) - over[now]
        found: list[tuple[float, float, float]] = []
        if not left:
            continue
        for then in range(now + 1, len(ages)):
            late = ages[then] * (over[then] - over[now]) - (sums[over[then]] - sums[over[now]])
            _, looked, later = cost[then]
            found.append((price * (left + looked) + late + later, left + looked, late + later))
        cost[now] = min(found)
    return cost[0][1] / len(ends), cost[0][2] / len(ends)


def _as_often(ends: list[float], looked: float) -> tuple[float, float]:
    low, high = 0.001, 10.0
    for _ in range(7):
        price = (low * high) ** 0.5
        low, high = (price, high) if _best(ends, price)[0] > looked else (low, price)
    return _best(ends, high)


def main() -> None:
    """Print the means for models of several habits, by how many jobs the library has learnt from."""
    random.seed(1)
    print(f"{'jobs that take':28} {'20 known':>13} {'200 known':>13} {'best possible':>13} {'every 5 s':>13}")
    for name, draw in _models().items():
        row: list[tuple[float, float]] = []
        for known in (20, 200):
            found = [
                _follow(poll_pauses(learnt, 0.0), draw())
                for learnt in (tuple(sorted(draw() for _ in range(known))) for _ in range(LIBRARIES))
                for _ in range(JOBS)
            ]
            row.append(_means(found))
        ends = [draw() for _ in range(JOBS * LIBRARIES)]
        row += [_as_often(ends, row[-1][0]), _means([_follow(itertools.repeat(5.0), over) for over in ends])]
        print(f"{name:28} {' '.join(f'{looked:6.1f} {late:4.1f} s' for looked, late in row)}")


def _means(found: list[tuple[int, float]]) -> tuple[float, float]:
    return statistics.mean(looked for looked, _ in found), statistics.mean(late for _, late in found)


if __name__ == "__main__":
    main()
