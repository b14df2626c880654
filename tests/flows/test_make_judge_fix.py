"""Pictures that are judged and made again: the best one is kept, bounded in rounds and money, and nothing is paid twice."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together import Plan
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

CHAT, IMAGES = "POST /v1/chat/completions", "POST /v1/images/generations"
SMALL: dict[str, Any] = {"width": 256, "height": 192}
WISH = "a red fox in snow"


def _kinds(together: Sandbox) -> dict[str, int]:
    return dict(Counter(charge.kind for charge in together.charges()))


def test_rounds_until_it_is_good(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A table of wishes: scores rise, the best is marked, a bad row is a row; a rerun, and its plan, find all of it there."""
    flow = load("make_judge_fix").make_judge_fix
    (tmp_path / "wishes.csv").write_text(f"id,prompt\n1,{WISH}\n2,a grey heron by a pond\n3,\n", encoding="utf-8")
    options = {**SMALL, "table": str(tmp_path / "wishes.csv"), "threshold": 9, "out": str(tmp_path / "rounds.csv")}
    before = flow(**options, plan=True)
    assert isinstance(before, Plan)
    assert "depends on what the judge says" in before.text()
    assert [] == together_sandbox.charges()
    done = flow(**options)
    scores = {row: [turn.judgement.score for turn in done if turn.row == row and turn.judgement] for row in (1, 2)}
    assert all(found == sorted(found) and len(found) > 1 for found in scores.values()), scores
    assert [max(scores[1]), max(scores[2])] == [turn.judgement.score for turn in done if turn.best]
    made = sum(map(len, scores.values()))
    assert {"image": made, "chat": made} == _kinds(together_sandbox)
    with (tmp_path / "rounds.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [*["1"] * len(scores[1]), *["2"] * len(scores[2]), "3"] == [row["row"] for row in rows]
    assert rows[-1]["error"].startswith("Row 3")
    spent = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    assert spent == sum(Decimal(row["picture_estimated_cost"]) + Decimal(row["judge_cost"]) for row in rows[:-1])
    again = flow(**options)
    assert [turn.record() for turn in done] == [turn.record() for turn in again]
    after = flow(**options, plan=True)
    assert (0, 2 * made) == (after.send, after.reused), after.text()
    assert {"image": made, "chat": made} == _kinds(together_sandbox)


@pytest.mark.parametrize("spoilt", ["json_wrong", "thought_only"])
def test_a_judgement_that_is_none(spoilt: str, load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """The picture is kept and the row says why it is not judged, what that cost included; a rerun asks nobody again."""
    together_sandbox.fault(CHAT, spoilt, times=2)
    flow = load("make_judge_fix").make_judge_fix
    (turn,) = flow(prompt=WISH, **SMALL)
    assert turn.picture
    assert turn.best
    assert turn.judgement is None
    assert "not judged" in str(turn)
    asked = len(together_sandbox.charges()) - 1
    assert asked == len(turn.answers)
    spent = sum(charge.usd for charge in together_sandbox.charges() if charge.kind == "chat" and charge.usd)
    assert spent == turn.record()["judge_cost"]
    (again,) = flow(prompt=WISH, **SMALL)
    assert turn.record() == again.record()
    assert 1 + asked == len(together_sandbox.charges())


@pytest.mark.parametrize(("budget", "pictures", "judged"), [("0.031", 1, 0), ("0.034", 1, 1), ("0.065", 2, 2)])
def test_the_budget_is_an_end(
    budget: str, pictures: int, judged: int, load: Callable[[str], Any], together_sandbox: Sandbox
) -> None:
    """What would exceed it is not sent, and is a row that says so; no later run has anything to add within it."""
    flow = load("make_judge_fix").make_judge_fix
    options = {**SMALL, "prompt": WISH, "threshold": 10, "rounds": 3, "budget": Decimal(budget)}
    done = flow(**options)
    assert pictures == sum(turn.picture is not None for turn in done)
    assert judged == sum(turn.judgement is not None for turn in done)
    assert "Not sent" in done[-1].error
    spent = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    assert spent <= Decimal(budget)
    assert [turn.record() for turn in done] == [turn.record() for turn in flow(**options)]
    assert pictures + judged == len(together_sandbox.charges())


@pytest.mark.parametrize(("at", "match"), [(CHAT, None), (IMAGES, ",")], ids=["judging", "fixing"])
def test_killed_and_started_again(
    at: str, match: str | None, command: Command, killed: Killed, together_sandbox: Sandbox
) -> None:
    """Killed before the first judgement, or before the second picture: the next run pays for what is missing, once."""
    options = ["--prompt", WISH, "--width", "256", "--height", "192", "--threshold", "9"]
    killed("make_judge_fix.py", *options, at=at, match=match)
    assert 1 <= len(together_sandbox.charges()) <= 2
    done = command("make_judge_fix.py", *options)
    assert 0 == done.returncode, done.stderr
    rounds = done.stdout.count(" of 10 (")
    assert rounds > 1
    assert {"image": rounds, "chat": rounds} == _kinds(together_sandbox)
    assert [1] * 2 * rounds == list(Counter((charge.kind, charge.id) for charge in together_sandbox.charges()).values())
    again = command("make_judge_fix.py", *options)
    assert "Paid in this run: nothing" in again.stdout
    assert 2 * rounds == len(together_sandbox.charges())
