"""Questions in batches at Together: sent once, answered by line, taken whatever the batch comes to, and shared with all others."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import flow
from pydantic import BaseModel

from prefect_together import (
    BatchFailed,
    BatchResult,
    ChatRequest,
    ProviderBatch,
    SpendLimit,
    asubmit_batch,
    await_for_batch,
    generate_text,
    plan,
    reconcile,
    requests_from_table,
    submit_batch,
    wait_for_batch,
)
from prefect_together.engine import batch_lines, batch_output, batch_record
from prefect_together.errors import InvalidRequest, ServerError, UnknownOutcome
from prefect_together.sandbox import Sandbox

from .asking import picture, run_batch

CREATE = "POST /v1/batches"
ONE = "GET /v1/batches/{id}"
LIST = "GET /v1/batches"
CHAT = "POST /v1/chat/completions"
PATH = "/v1/chat/completions"
CONTENT = "GET /v1/files/{id}/content"
UPLOAD = "POST /v1/files/upload"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
FULL_PRICE = "zai-org/GLM-5.3-Flash"


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once for what is late."""
    monkeypatch.setattr(batch_output, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr("prefect_together.engine.batch_taking.LOOK_AGAIN", 0.05)
    monkeypatch.setattr("prefect_together.engine.batch_taking.NAMED_WITHIN", 3.0)
    monkeypatch.setattr(batch_record, "LOOK_AGAIN", 0.02)


def question(number: int = 0, **fields: Any) -> ChatRequest:
    """Ask for a short answer at half price."""
    asked: dict[str, Any] = {"model": LLAMA, "prompt": f"Name fox {number}.", "max_tokens": 60, "seed": 7, **fields}
    return ChatRequest(**asked)


def questions(count: int, **fields: Any) -> list[ChatRequest]:
    """Ask so many questions."""
    return [question(number, **fields) for number in range(count)]


def by_batch(requests: Any, **options: Any) -> BatchResult:
    """Run a batch by way of Together's own."""
    return run_batch(requests, via="batch", **options)


def charged(together: Sandbox) -> Counter[str | None]:
    """Count the charges of each line."""
    return Counter(charge.custom_id for charge in together.charges())


@flow
def _answered(request: ChatRequest) -> Any:
    return generate_text(request)


@flow
def _submitted(requests: Any, **options: Any) -> ProviderBatch:
    return cast("Any", submit_batch)(requests, **options)


@flow
def _waited(batch: ProviderBatch, **options: Any) -> BatchResult:
    return cast("Any", wait_for_batch)(batch, **options)


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
    assert (True, first.results[3].text) == ((one := _answered(question(3))).reused, one.text)  # type: ignore[attr-defined]
    assert (5, 1) == (len(together_sandbox.charges()), len(together_sandbox.batches()))


def test_a_batch_reuses_what_was_asked_before(together_sandbox: Sandbox) -> None:
    """What a single question and an online batch paid for goes into no batch; the rest does."""
    _answered(question(0))
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
    sent = _submitted(questions(3))
    answer = _answered(question(1))
    assert (True, 0, sent.batches[0]) == (answer.reused, together_sandbox.count(PATH), answer.job_id)
    assert (3, 3) == (_waited(sent).kept, len(together_sandbox.charges()))


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


# What may come of a batch.


@pytest.mark.parametrize("fault", ["expired", "cancelled", "missing_ids"])
def test_what_a_batch_did_not_answer_goes_into_another(together_sandbox: Sandbox, fault: str) -> None:
    """What is there is taken, the rest is sent again in this run: each row is charged once and has its answer."""
    together_sandbox.fault(CREATE, fault)
    result = by_batch(questions(9))
    assert (9, 2, 9) == (result.kept, len(together_sandbox.batches()), len(together_sandbox.charges()))
    assert {1} == set(charged(together_sandbox).values())
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == result.cost


def test_what_a_batch_did_not_answer_goes_one_by_one_where_that_is_wanted(together_sandbox: Sandbox) -> None:
    """With `resend="requests"` the rest of an expired batch is asked for by itself, at full price."""
    together_sandbox.fault(CREATE, "expired")
    result = by_batch(questions(8), resend="requests")
    online = [charge for charge in together_sandbox.charges() if charge.batch is None]
    assert (8, 1, 4) == (result.kept, len(together_sandbox.batches()), len(online))
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == result.cost


def test_a_batch_that_never_answers_is_not_sent_for_ever(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three batches a row has failed, for free."""
    monkeypatch.setattr("prefect_together.engine.batch_taking.NAMED_WITHIN", 0.2)
    together_sandbox.fault(CREATE, "missing_ids", times=9)
    result = by_batch(questions(1), fail_on="never")
    assert (1, 3, 0) == (result.failed, len(together_sandbox.batches()), len(together_sandbox.charges()))
    assert "3 batches at Together did not answer it. Nothing was paid." in str(result.items[0].error)


def test_lines_that_are_refused_are_free_and_say_why(together_sandbox: Sandbox) -> None:
    """An error file only, or one line in it: those rows have failed with Together's words, and are not sent again in this run."""
    together_sandbox.fault(CHAT, "400", match="Name fox 1.", message="That fox has no name.")
    result = by_batch(questions(3), fail_on="never")
    assert ["kept", "failed", "kept"] == [item.outcome for item in result.items]
    assert "That fox has no name. Nothing was paid." in str(result.items[1].error)
    together_sandbox.fault(CREATE, "errors_only")
    other = by_batch([question(1), *questions(4, seed=8)], fail_on="never")
    assert ({"failed"}, {"nothing"}) == ({item.outcome for item in other.items}, {item.paid for item in other.items})
    assert (2, 2) == (len(together_sandbox.batches()), len(together_sandbox.charges()))
    assert 5 == by_batch([question(1), *questions(4, seed=8)]).kept  # a new run sends them


def test_a_batch_that_fails_costs_nothing(together_sandbox: Sandbox) -> None:
    """FAILED when it is validated: every row says Together's words, nothing is charged, and nothing is sent again in this run."""
    together_sandbox.fault(CREATE, "failed")
    result = by_batch(questions(3), fail_on="never")
    assert (3, 1, []) == (result.failed, len(together_sandbox.batches()), together_sandbox.charges())
    assert "failed at Together: line 1: not valid JSON. Nothing was paid." in str(result.items[0].error)


def test_of_two_answers_the_first_counts(together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Double ids are one answer each, and are reported."""
    together_sandbox.fault(CREATE, "duplicate_ids")
    result = by_batch(questions(6))
    assert (6, 6) == (result.kept, len(together_sandbox.charges()))
    assert not [answer for answer in result.results if str(answer.request_id).endswith("-again")]  # type: ignore[attr-defined]
    assert "2 answered twice, of which the first counts" in caplog.text


@pytest.mark.parametrize(
    ("route", "fault", "options"),
    [
        (CREATE, "late_output", {"seconds": 1.0}),
        (CREATE, "progress_backwards", {}),
        (CREATE, "stuck_validating", {"seconds": 1.0}),
        (CONTENT, "404", {"times": 2}),
        (CONTENT, "500", {}),
        (CONTENT, "empty", {"times": 2}),
        (CONTENT, "truncated", {"times": 2}),
        (CONTENT, "truncated_silently", {"times": 2}),
        (CONTENT, "close_before_accepting", {}),
        (ONE, "500", {"times": 3}),
        (ONE, "404", {}),
        (ONE, "html", {"times": 2}),
        (ONE, "accept_then_close", {"times": 2}),
        (UPLOAD, "500", {"times": 2}),
        (UPLOAD, "429", {"wait": 0.1}),
        (UPLOAD, "accept_then_close", {}),
        (LIST, "500", {}),
        (CREATE, "429", {"wait": 0.1}),
        (CREATE, "accept_then_close", {}),
        (CREATE, "html", {}),
        (CREATE, "invalid_json", {}),
        (CREATE, "500", {"charged": True}),
        (CREATE, "close_before_accepting", {}),
    ],
    ids=str,
)
def test_every_accident_is_one_batch(together_sandbox: Sandbox, route: str, fault: str, options: dict[str, Any]) -> None:
    """Whatever is late, broken or lost on the way: one batch, every row charged once and answered."""
    together_sandbox.fault(route, fault, **options)
    result = by_batch(questions(7), on_unknown="resubmit" if fault == "close_before_accepting" else "auto")
    assert (7, 1) == (result.kept, len(together_sandbox.batches()))
    assert [1] * 7 == list(charged(together_sandbox).values())


# Nobody knows whether it was made.


def test_a_batch_that_may_have_been_made_is_a_decision_about_all_of_it(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cost at most is what is at stake: above `resubmit_below` nothing is sent again, not even a single one of its rows."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_RESUBMIT_BELOW", "0.0002")
    together_sandbox.fault(CREATE, "500")
    result = by_batch(questions(6), fail_on="never")
    assert (6, 0, []) == (result.unknown, len(together_sandbox.batches()), together_sandbox.charges())
    for _ in range(2):
        again = by_batch(questions(6), fail_on="never")
        assert 6 == again.unknown
        assert "At stake: 6 answers, of which this is one" in str(again.items[0].error)
    with pytest.raises(UnknownOutcome):
        _answered(question(2))
    assert 6 == by_batch(questions(6), on_unknown="resubmit").kept
    assert (1, 6) == (len(together_sandbox.batches()), len(together_sandbox.charges()))


def test_a_cheap_batch_is_sent_again_once(together_sandbox: Sandbox) -> None:
    """Under `resubmit_below` one accident is forgiven, in the same run; a second in a row is not."""
    together_sandbox.fault(CREATE, "500")
    assert (4, 1) == (by_batch(questions(4)).kept, len(together_sandbox.batches()))
    together_sandbox.fault(CREATE, "500", times=3)
    for _ in range(2):
        assert 4 == by_batch(questions(4, seed=8), fail_on="never").unknown
    assert (3, 1) == (together_sandbox.count("/v1/batches") - 1, len(together_sandbox.batches()))


def test_a_list_that_cannot_be_had_decides_nothing(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Together's list fails too, nothing is sent again: the next run looks again before it decides, and finds the batch."""

    async def cannot(*_: object) -> list[str]:
        raise ServerError("Together answered 500.")

    together_sandbox.fault(CREATE, "accept_then_close")
    with monkeypatch.context() as patched:
        patched.setattr(batch_record, "batches_of", cannot)
        first = by_batch(questions(4), on_unknown="resubmit", fail_on="never")
    assert 4 == first.unknown
    result = by_batch(questions(4))
    assert (4, 1, 4) == (result.reused, len(together_sandbox.batches()), len(together_sandbox.charges()))


def test_a_refused_batch_leaves_its_rows_free(together_sandbox: Sandbox) -> None:
    """A 400 to the creation is free: the rows have failed, and the next run sends them; a 402 stops everything after it."""
    together_sandbox.fault(CREATE, "400", message="No batches today.")
    result = by_batch(questions(3), fail_on="never")
    assert (3, []) == (result.failed, together_sandbox.charges())
    assert "No batches today. Nothing was paid." in str(result.items[0].error)
    assert 3 == by_batch(questions(3)).kept


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


# Sent now, waited for later.


def test_submitted_and_waited_for(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """What one flow sent another waits for, rows without a seed too; the value goes through JSON; who waits again pays nothing."""
    source = tmp_path / "foxes.csv"
    source.write_text("name,seed\nRusty,1\nSnow,\n")
    table = requests_from_table(
        source, request=ChatRequest, templates={"prompt": "Describe {name}."}, constants={"model": LLAMA}
    )
    sent = _submitted(table)
    assert (2, 2, 1) == (sent.total, sent.waiting, len(sent.batches))
    assert str(sent).startswith("2 at Together. 1 batch for at most $")
    result = _waited(ProviderBatch.model_validate_json(sent.model_dump_json()))
    assert (2, 2) == (result.kept, len(together_sandbox.charges()))
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == result.cost
    assert ["Rusty", "Snow"] == [item.columns["name"] for item in result.items]
    assert "name" in result.to_table().columns
    assert (2, 1) == (_waited(sent).kept, len(together_sandbox.batches()))


async def test_the_async_twins_do_the_same(together_sandbox: Sandbox) -> None:
    """In async code too."""
    sent = await asubmit_batch.fn(questions(3))
    assert 3 == (await await_for_batch.fn(sent)).kept
    assert 3 == len(together_sandbox.charges())


def test_submitting_again_sends_nothing(together_sandbox: Sandbox) -> None:
    """The same rows, while their batch runs and afterwards: no second batch."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=1.5)
    sent, again = _submitted(questions(3)), _submitted(questions(3))
    assert (3, 3, 0) == (sent.waiting, again.waiting, len(again.batches))
    assert (3, 0) == (_waited(again).reused, _waited(again).kept)
    assert (3, 1) == (_waited(sent).kept, len(together_sandbox.batches()))
    assert 3 == _submitted(questions(3)).reused


def test_waiting_sends_nothing(together_sandbox: Sandbox) -> None:
    """What an expired batch did not answer is skipped by who only waits; a run sends it."""
    together_sandbox.fault(CREATE, "expired")
    sent = _submitted(questions(4))
    result = _waited(sent)
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
    _waited(_submitted(questions(2)))
    written = [path.read_bytes() for path in (tmp_path / "library").rglob("*") if path.is_file()]
    assert not [text for text in written if together_sandbox.api_key.encode() in text]
