"""Answers of batches at Together by their schema, at their price, within limits, in tables."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from prefect_together import (
    ChatRequest,
    SpendLimit,
    plan,
    requests_from_table,
)
from prefect_together.sandbox import Sandbox

from .asking import picture, run_batch
from .batching import (
    CHAT,
    LLAMA,
    PATH,
    by_batch,
    question,
    questions,
)

# Answers by schema, money, tables.


class Fox(BaseModel):
    """A fox."""

    name: str
    age: int


def test_answers_by_schema_are_checked_and_repaired_one_by_one(together_sandbox: Sandbox) -> None:
    """What is not by the schema is asked for again at once, by itself; without repair the row is invalid, and paid."""
    together_sandbox.fault(CHAT, "json_wrong", match="Name fox 1.")
    result = by_batch(questions(3, response_format=Fox))
    assert ([1, 2, 1], 3) == ([len(item.files) for item in result.items], result.kept)
    assert 1 == together_sandbox.count(PATH)
    together_sandbox.fault(CHAT, "json_wrong", match="Name fox 1.")
    strict = by_batch(questions(3, response_format=Fox, repair=0, seed=8))
    assert ["kept", "invalid", "kept"] == [item.outcome for item in strict.items]
    assert strict.items[1].results[0].cost is not None
    assert ["kept", "invalid", "kept"] != [
        item.outcome for item in by_batch(questions(3, response_format=Fox, repair=0, seed=8)).items
    ]
    assert 7 == len(together_sandbox.charges())


def test_an_answer_without_usage_has_no_cost(together_sandbox: Sandbox) -> None:
    """Its cost is unknown and estimated, at the batch's price."""
    together_sandbox.fault(CHAT, "no_usage")
    (answer,) = by_batch(questions(1)).results
    assert answer.cost is None
    assert plan([question(1, seed=9)], via="batch").cost == answer.estimated_cost


def test_max_cost_is_the_batch_price(together_sandbox: Sandbox) -> None:
    """Rows are refused that would exceed it, before anything is sent; what was reserved is settled by the lines."""
    one = plan([question()], via="batch").cost
    result = by_batch(questions(5), max_cost=one * Decimal("3.5"), fail_on="never")
    assert (3, 2, 3) == (result.kept, result.refused, len(together_sandbox.charges()))


def test_a_shared_limit_is_settled_by_the_lines(together_sandbox: Sandbox) -> None:
    """What is reserved for a batch is given back but for what its lines cost."""
    one = plan([question()], via="batch").cost
    limit = SpendLimit(name="foxes", usd=one * Decimal("4.5"))
    first = by_batch(questions(4), limit=limit)
    assert 4 == first.kept
    left = one * Decimal("4.5") - (first.cost or 0)
    second = by_batch(questions(9, seed=9), limit=limit, fail_on="never")
    assert (int(left / one), 9) == (second.kept, second.kept + second.refused)


def test_a_plan_shows_both_prices(together_sandbox: Sandbox) -> None:
    """By batch half the price for a model that has it, and the price one by one beside it; a picture is refused."""
    online, batch = plan(questions(4)), plan([*questions(4), picture()], via="batch")
    assert (online.cost / 2, online.cost, 1) == (batch.cost, batch.online_cost, batch.refused)
    assert "in batches at Together" in str(batch)
    assert online.online_cost is None
    assert 0 == together_sandbox.count("/v1")


def test_a_table_goes_in_and_comes_out(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows of a table by name, one of them wrong: the same columns come out as one by one, and a second run pays nothing."""
    source = tmp_path / "foxes.csv"
    source.write_text("name,colour\nRusty,red\n,white\nSnow,white\n")
    table = requests_from_table(
        source, request=ChatRequest, templates={"prompt": "Describe {name}, a {colour} fox."}, constants={"model": LLAMA}
    )
    columns = [list(by_batch(table, name="foxes", fail_on="never").to_table().columns)]
    columns.append(list(run_batch(table, name="foxes", fail_on="never").to_table().columns))
    assert columns[0] == columns[1]
    assert (2, 2) == (by_batch(table, name="foxes").reused, len(together_sandbox.charges()))
