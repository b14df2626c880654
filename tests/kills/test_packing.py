"""Packing that is killed, done twice at once, or done while others generate: nothing is paid twice, and nothing is lost."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox

from .asking import PICTURE, job
from .running import Workshop, at_once

pytestmark = pytest.mark.slow


def pictures(count: int) -> list[dict[str, Any]]:
    """Return requests that are reused for ever."""
    return [{**PICTURE, "seed": seed} for seed in range(count)]


def left(library: Path) -> int:
    """Return how many small entries of generations are left."""
    return sum(1 for path in library.glob("ledger/??/*/*.json") if path.parent.name != "packing")


@pytest.mark.parametrize("point", ["before-pack", "after-pack", "removing", "before-old-pack"])
def test_killed_while_packing(point: str, together: Sandbox, workers: Workshop, library: Path) -> None:
    """Wherever it is killed, all is found again, and the next one packs the rest."""
    asked = job(together, library, {**PICTURE, "seed": 7}, PICTURE)
    runs = [{**asked, "flow_run": "first"}, {**asked, "flow_run": "second"}]  # that with a seed is made once
    packs = {**asked, "pack": "once"}
    made = [workers.start(runs[0]).stored()]
    workers.start(packs).stored()
    made.append(workers.start(runs[1]).stored())
    assert 0 < left(library)
    assert point == workers.start({**packs, "kill": point}).ends()["at"]
    for end in (None, packs):
        if end:
            workers.start(end).stored()
            assert 0 == left(library)
        again = [workers.start(run).stored() for run in runs]
        assert [file["uri"] for files in made for file in files] == [file["uri"] for files in again for file in files]
    assert 3 == len(together.charges())


def test_packed_while_others_generate(together: Sandbox, workers: Workshop, library: Path, tmp_path: Path) -> None:
    """Two that pack without end, killed again and again, and two that ask for the same: each picture is charged once."""
    asked = job(together, library, *pictures(24))
    done = tmp_path / "done"
    endless = {**asked, "pack": str(done)}
    packers = [workers.start(endless) for _ in range(2)]
    chance = random.Random(7)
    makers = at_once(workers, [asked, {**asked, "requests": asked["requests"][::-1]}], tmp_path / "gate")
    for _ in range(6):
        time.sleep(chance.uniform(0.1, 0.5))
        packers.pop(0).kill()
        packers.append(workers.start(endless))
    made = [{file["uri"] for file in maker.stored()} for maker in makers]
    assert made[0] == made[1]
    again = workers.start(asked).stored()
    assert (made[0], {True}) == ({file["uri"] for file in again}, {file["reused"] for file in again})
    done.touch()
    for packer in packers:
        packer.stored()
    assert 0 == left(library)
    assert 24 == len(together.charges())


def test_packed_in_a_bucket(together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """Killed in the middle of removing, and packed by the next one: all is found, as it is in a folder."""
    asked = job(together, bucket["library"], *pictures(3), options=bucket["options"])
    first = workers.start(asked).stored()
    assert "removing" == workers.start({**asked, "pack": "once", "kill": "removing"}).ends()["at"]
    for _ in range(2):
        assert [(file["uri"], True) for file in first] == [
            (file["uri"], file["reused"]) for file in workers.start(asked).stored()
        ]
        workers.start({**asked, "pack": "once"}).stored()
    assert 3 == len(together.charges())
