"""Topics become rows that another model judges: the good ones, each once, with what they cost; and nothing is paid twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together import BatchFailed, Plan
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

CHAT = "POST /v1/chat/completions"
WRITER, JUDGE = "zai-org/GLM-5.3-Flash", "openai/gpt-oss-120b"
TOPICS = ["tides", "volcanoes", "owls"]


def _models(together: Sandbox) -> dict[str, int]:
    return dict(Counter(charge.model for charge in together.charges()))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_written_judged_and_filtered(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """The table has those that are good enough, with the tokens and the cost of both models; a rerun pays nothing."""
    flow, out = load("synthesize").synthesize, tmp_path / "rows.jsonl"
    (tmp_path / "topics.csv").write_text("id,Topic\n1,tides\n2,volcanoes\n3,owls\n4,tides\n5,\n", encoding="utf-8")
    options: dict[str, Any] = {"table": str(tmp_path / "topics.csv"), "count": 2, "out": str(out), "threshold": 7}
    before = flow(**options, plan=True)
    assert isinstance(before, Plan)
    assert 6 == before.send
    assert f"Then up to 6 judgements by {JUDGE}" in before.text()
    assert [] == together_sandbox.charges()
    made = flow(**options)
    assert {WRITER: 6, JUDGE: 6} == _models(together_sandbox)
    scores = [row.verdict.score for row in made]
    assert min(scores) < 7 <= max(scores)
    rows = _rows(out)
    assert [score for score in scores if score >= 7] == [row["score"] for row in rows]
    assert {"good"} == {row["status"] for row in rows}
    charged = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    flow(**{**options, "rejected": True})
    rows = _rows(out)
    assert {"good", "rejected"} == {row["status"] for row in rows}
    assert charged == sum(Decimal(row["cost"]) + Decimal(row["judge_cost"]) for row in rows)
    after = flow(**options, plan=True)
    assert (0, 12) == (after.send, after.reused), after.text()
    assert {WRITER: 6, JUDGE: 6} == _models(together_sandbox)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_row_that_is_none_stays_a_row(
    ending: str, load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its text and what it cost are in the table, and nobody judges it; a judgement that is none leaves its row unjudged."""
    from prefect_together import requests_from_table

    together_sandbox.fault(CHAT, "json_wrong", match=WRITER, times=2)
    together_sandbox.fault(CHAT, "json_wrong", match=JUDGE, times=2)
    out = tmp_path / f"rows.{ending}"
    load("synthesize").synthesize(TOPICS, count=1, out=str(out), concurrency=1, threshold=0)
    assert {WRITER: 4, JUDGE: 3} == _models(together_sandbox)
    rows = [row.columns for row in requests_from_table(out, constants={"prompt": "any", "model": "any"})]
    assert ["invalid", "not judged", "good"] == [row["status"] for row in rows]
    assert "unexpected" in rows[0]["text"]
    spent = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    costs = [row[name] for row in rows for name in ("cost", "judge_cost") if row[name]]
    assert spent == sum(Decimal(str(cost)) for cost in costs)
    load("synthesize").synthesize(TOPICS, count=1, out=str(out), threshold=0)
    assert {WRITER: 4, JUDGE: 3} == _models(together_sandbox)


def test_a_row_that_comes_twice_is_one(load: Callable[[str], Any]) -> None:
    """Case and spaces do not make another question of it, and the second one is not judged."""
    module = load("synthesize")
    asked = module._question("tides", 1, 2, WRITER, 7)
    made = [
        module.Made(topic="tides", number=number, asked=asked, status="written", row={"question": said, "answer": "a"})
        for number, said in enumerate(("What are tides?", "what  are TIDES? ", "Who are tides?"), 1)
    ]
    module._mark_doubles(made)
    assert ["written", "double", "written"] == [row.status for row in made]


def test_a_model_does_not_judge_what_it_wrote(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """That is said before anything is sent."""
    with pytest.raises(InvalidRequest, match="would judge what it wrote"):
        load("synthesize").synthesize(TOPICS, judge=WRITER, out=str(tmp_path / "rows.csv"))
    assert [] == together_sandbox.requests()


def test_where_no_row_is_written(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """The flow fails, and the table says what was answered and what that cost."""
    together_sandbox.fault(CHAT, "json_wrong", times=20)
    with pytest.raises(BatchFailed):
        load("synthesize").synthesize(TOPICS, count=1, out=str(tmp_path / "rows.jsonl"))
    assert ["invalid"] * 3 == [row["status"] for row in _rows(tmp_path / "rows.jsonl")]


@pytest.mark.parametrize("after", [2, 8], ids=["writing", "judging"])
def test_killed_and_started_again(after: int, command: Command, killed: Killed, together_sandbox: Sandbox) -> None:
    """Killed between rows or between judgements: the next run pays for the others, once each."""
    options = ["--topics", str(TOPICS), "--count", "2", "--concurrency", "1"]
    killed("synthesize.py", *options, at=CHAT, after=after)
    assert after <= len(together_sandbox.charges()) < 12
    done = command("synthesize.py", *options)
    assert 0 == done.returncode, done.stderr
    assert {WRITER: 6, JUDGE: 6} == _models(together_sandbox)
    again = command("synthesize.py", *options)
    assert "Paid in this run: nothing, all 12 reused." in again.stdout
    assert {WRITER: 6, JUDGE: 6} == _models(together_sandbox)


def test_in_batches_at_half_the_price(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Two batches in all, each row at the price that its model has in one; the plan says both, a rerun pays nothing."""
    flow = load("synthesize").synthesize
    llama = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    options: dict[str, Any] = {
        "topics": TOPICS,
        "count": 2,
        "writer": llama,
        "out": str(tmp_path / "rows.parquet"),
        "batch": True,
    }
    before = flow(**options, plan=True)
    assert before.online_cost == before.cost * 2
    made = flow(**options)
    assert {llama: 6, JUDGE: 6} == _models(together_sandbox)
    assert 2 == len(together_sandbox.batches())
    answers = [answer for row in made for answer in row.answers]
    assert {Decimal("0.5")} == {answer.tariff.batch_discount for answer in answers}
    charged = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    assert charged == sum(answer.cost for row in made for answer in (*row.answers, *row.looks))
    flow(**options)
    assert {llama: 6, JUDGE: 6} == _models(together_sandbox)
