"""Questions in batches at Together: sent once, in files that are always the same, waited for by anybody, shared with all others."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together import (
    BatchFailed,
    BatchResult,
    ChatRequest,
    ProviderBatch,
    asubmit_batch,
    await_for_batch,
    reconcile,
    requests_from_table,
)
from prefect_together.engine import batch_lines
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import picture, run_batch
from .batching import (
    CREATE,
    FULL_PRICE,
    LLAMA,
    PATH,
    answered,
    by_batch,
    charged,
    question,
    questions,
    submitted,
    waited,
)

# Sent once, and shared.


def test_rows_go_in_one_batch_at_half_the_price(together_sandbox: Sandbox) -> None:
    """Twelve questions: one batch, one charge for each, order kept, and the price is that of the sandbox, half the list price."""
    result = by_batch(questions(12))
    assert (12, 1) == (result.kept, len(together_sandbox.batches()))
    assert ([f"Name fox {number}." for number in range(12)], list(range(1, 13))) == (
        [item.columns["prompt"] for item in result.items],
        [item.row for item in result.items],
    )
    assert (sum(charge.usd or 0 for charge in together_sandbox.charges()), 12) == (
        result.cost,
        len(charged(together_sandbox)),
    )
    first: Any = result.results[0]
    usage = first.usage
    assert (Decimal("0.5"), Decimal("0.52")) == (first.tariff.batch_discount, first.tariff.output)
    assert (usage.input_tokens + usage.output_tokens) * Decimal("0.52") / 1_000_000 == first.cost
    assert together_sandbox.batches()[0]["id"] == first.job_id
    assert 0 == together_sandbox.count(PATH)


def test_a_model_without_discount_costs_its_full_price(together_sandbox: Sandbox) -> None:
    """The discount is the catalogue's: another model's answers cost the list price, and say nothing of a discount."""
    result = by_batch(questions(2, model=FULL_PRICE))
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == result.cost
    assert [None, None] == [answer.tariff.batch_discount for answer in result.results]  # type: ignore[attr-defined]


@pytest.mark.parametrize("again", ["batch", "requests"])
def test_what_a_batch_answered_is_reused(together_sandbox: Sandbox, again: Any) -> None:
    """A second run, by batch or one by one, and a single question pay nothing, and get the same answers."""
    first = by_batch(questions(5))
    second = run_batch(questions(5), via=again)
    assert (5, 5) == (second.reused, len(together_sandbox.charges()))
    assert [answer.text for answer in first.results] == [answer.text for answer in second.results]  # type: ignore[attr-defined]
    assert (True, first.results[3].text) == ((one := answered(question(3))).reused, one.text)  # type: ignore[attr-defined]
    assert (5, 1) == (len(together_sandbox.charges()), len(together_sandbox.batches()))


def test_a_batch_reuses_what_was_asked_before(together_sandbox: Sandbox) -> None:
    """What a single question and an online batch paid for goes into no batch; the rest does."""
    answered(question(0))
    run_batch(questions(3))
    result = by_batch(questions(6))
    assert (3, 3) == (result.reused, result.kept)
    assert (6, 3) == (len(together_sandbox.charges()), sum(1 for charge in together_sandbox.charges() if charge.batch))


def test_equal_rows_are_one_line(together_sandbox: Sandbox) -> None:
    """Three equal rows, with a seed and without one, are one charge and three rows."""
    result = by_batch([question(1), *(question(2, seed=None) for _ in range(3)), question(1)])
    assert (2, 3, 2) == (result.kept, result.reused, len(together_sandbox.charges()))


def test_a_single_question_waits_for_the_batch(together_sandbox: Sandbox) -> None:
    """While a batch runs, a single question that is in it waits for its answer instead of paying."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=2.0)
    sent = submitted(questions(3))
    answer = answered(question(1))
    assert (True, 0, sent.batches[0]) == (answer.reused, together_sandbox.count(PATH), answer.job_id)
    assert (3, 3) == (waited(sent).kept, len(together_sandbox.charges()))


def test_rows_that_somebody_else_is_sending_are_waited_for(together_sandbox: Sandbox) -> None:
    """Two batches of the same rows at the same moment: each row is charged once, and both have all answers."""
    found: list[BatchResult] = []
    threads = [threading.Thread(target=lambda: found.append(by_batch(questions(10)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [1] * 10 == list(charged(together_sandbox).values())
    assert [10, 10] == [result.kept + result.reused for result in found]
    assert 10 == sum(result.kept for result in found)


# The file.


def test_the_file_is_the_same_for_the_same_rows(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order, streamed or not: the same bytes, sorted, named by their fingerprints, so that a second upload is none."""
    together_sandbox.fault(CREATE, "400")
    with pytest.raises(BatchFailed):
        by_batch(questions(6))
    assert 6 == by_batch([*reversed(questions(6, stream=True))]).kept
    files = [one for one in together_sandbox._store.uploads.values() if "output" not in one.filename]  # type: ignore[attr-defined]
    assert (1, 2) == (len(files), together_sandbox.count("/v1/files/upload"))
    content = together_sandbox._store.input(files[0].content)  # type: ignore[attr-defined]
    lines = [json.loads(line) for line in content.splitlines()]
    names = [line["custom_id"] for line in lines]
    assert (sorted(names), {"body", "custom_id"}) == (names, set(lines[0]))
    assert {"stream", "stream_options"}.isdisjoint(lines[0]["body"])
    assert set(charged(together_sandbox)) == set(names)


def test_large_tables_are_split(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number of lines and by bytes; rows of several models go in batches of one model each."""
    monkeypatch.setattr(batch_lines, "MAX_LINES", 4)
    assert 10 == by_batch(questions(10)).kept
    assert [2, 4, 4] == sorted(Counter(charge.batch for charge in together_sandbox.charges()).values())
    monkeypatch.setattr(batch_lines, "MAX_BYTES", 500)
    assert 6 == by_batch(questions(6, seed=8)).kept
    assert 3 == len(together_sandbox.batches()) - 3
    monkeypatch.setattr(batch_lines, "MAX_BYTES", 100_000_000)
    together_sandbox.reset()
    by_batch([*questions(2, seed=9), *questions(2, seed=9, model=FULL_PRICE)])
    assert {LLAMA, FULL_PRICE} == {one["model_id"] for one in together_sandbox.batches()}


def test_a_line_that_is_too_large_is_refused_alone(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together would fail the whole batch for it, after it had begun."""
    monkeypatch.setattr(batch_lines, "MAX_LINE_BYTES", 1000)
    result = by_batch([question(1), question(2, prompt="fox " * 400), question(3)])
    assert (["kept", "refused", "kept"], 2) == ([item.outcome for item in result.items], len(together_sandbox.charges()))
    assert "a line of a batch may have 1,000" in str(result.items[1].error)


def test_what_cannot_go_into_a_batch_is_refused(together_sandbox: Sandbox) -> None:
    """A picture between questions: its row is refused and says so, for free; the others are answered."""
    result = by_batch([question(1), picture("a fox", seed=1)])
    assert ["kept", "refused"] == [item.outcome for item in result.items]
    assert 'ImageRequest cannot go into batches at Together: send it with via="requests".' == result.items[1].error
    with pytest.raises(InvalidRequest, match="chunk_size"):
        by_batch(questions(2), chunk_size=1)
    with pytest.raises(InvalidRequest, match="via is 'post'"):
        run_batch(questions(2), via="post")


# Sent now, waited for later.


def test_submitted_and_waited_for(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """What one flow sent another waits for, rows without a seed too; the value goes through JSON; who waits again pays nothing."""
    source = tmp_path / "foxes.csv"
    source.write_text("name,seed\nRusty,1\nSnow,\n")
    table = requests_from_table(
        source, request=ChatRequest, templates={"prompt": "Describe {name}."}, constants={"model": LLAMA}
    )
    sent = submitted(table)
    assert (2, 2, 1) == (sent.total, sent.waiting, len(sent.batches))
    assert str(sent).startswith("2 at Together. 1 batch for at most $")
    result = waited(ProviderBatch.model_validate_json(sent.model_dump_json()))
    assert (2, 2) == (result.kept, len(together_sandbox.charges()))
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == result.cost
    assert ["Rusty", "Snow"] == [item.columns["name"] for item in result.items]
    assert "name" in result.to_table().columns
    assert (2, 1) == (waited(sent).kept, len(together_sandbox.batches()))


async def test_the_async_twins_do_the_same(together_sandbox: Sandbox) -> None:
    """In async code too."""
    sent = await asubmit_batch.fn(questions(3))
    assert 3 == (await await_for_batch.fn(sent)).kept
    assert 3 == len(together_sandbox.charges())


def test_submitting_again_sends_nothing(together_sandbox: Sandbox) -> None:
    """The same rows, while their batch runs and afterwards: no second batch."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=1.5)
    sent, again = submitted(questions(3)), submitted(questions(3))
    assert (3, 3, 0) == (sent.waiting, again.waiting, len(again.batches))
    assert (3, 0) == (waited(again).reused, waited(again).kept)
    assert (3, 1) == (waited(sent).kept, len(together_sandbox.batches()))
    assert 3 == submitted(questions(3)).reused


def test_waiting_sends_nothing(together_sandbox: Sandbox) -> None:
    """What an expired batch did not answer is skipped by who only waits; a run sends it."""
    together_sandbox.fault(CREATE, "expired")
    sent = submitted(questions(4))
    result = waited(sent)
    assert (2, 2, 1) == (result.kept, result.skipped, len(together_sandbox.batches()))
    assert (2, 2) == ((run := by_batch(questions(4))).kept, run.reused)


def test_a_deadline_loses_nothing(together_sandbox: Sandbox) -> None:
    """Who waits too short hears so, and the next one has the answers; nothing is sent again."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=1.5)
    with pytest.raises(BatchFailed, match="still runs at Together"):
        by_batch(questions(3), timeout=0.3)
    result = by_batch(questions(3))
    assert (3, 1, 3) == (result.reused, len(together_sandbox.batches()), len(together_sandbox.charges()))


def test_reconcile_takes_what_was_left_behind(together_sandbox: Sandbox) -> None:
    """From the library alone, all lines of a batch; while it runs they are listed as running, with one question to Together."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=1.5)
    with pytest.raises(BatchFailed):
        by_batch(questions(5), timeout=0.1)
    asked = together_sandbox.count("/v1/batches/", "GET")
    assert (5, 1) == (len(reconcile.fn().running), together_sandbox.count("/v1/batches/", "GET") - asked)
    time.sleep(2.0)
    assert 5 == len(reconcile.fn().kept)
    assert (5, 5) == (by_batch(questions(5)).reused, len(together_sandbox.charges()))


def test_the_key_is_in_no_record(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither the records of batches nor what was submitted hold the key."""
    waited(submitted(questions(2)))
    written = [path.read_bytes() for path in (tmp_path / "library").rglob("*") if path.is_file()]
    assert not [text for text in written if together_sandbox.api_key.encode() in text]
