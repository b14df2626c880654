"""Whatever a batch at Together comes to, what it answered is taken and nothing is sent twice; nobody knows: somebody decides."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_together.engine import batch_record
from prefect_together.errors import ServerError, UnknownOutcome
from prefect_together.sandbox import Sandbox

from .batching import (
    CHAT,
    CONTENT,
    CREATE,
    LIST,
    ONE,
    UPLOAD,
    answered,
    by_batch,
    charged,
    question,
    questions,
)

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
    """Those rows have failed with Together's words, and are not sent again in this run; a new one sends them."""
    together_sandbox.fault(CHAT, "400", match="Name fox 1.", message="That fox has no name.")
    result = by_batch(questions(3), fail_on="never")
    assert ["kept", "failed", "kept"] == [item.outcome for item in result.items]
    assert "That fox has no name. Nothing was paid." in str(result.items[1].error)
    assert (1, 2) == (len(together_sandbox.batches()), len(together_sandbox.charges()))
    assert (1, 2) == ((again := by_batch(questions(3))).kept, again.reused)


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
        answered(question(2))
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


def test_an_error_file_only_goes_into_another_batch(together_sandbox: Sandbox) -> None:
    """Where all lines met a server that was out of order: each is charged once."""
    together_sandbox.fault(CREATE, "errors_only")
    result = by_batch([question(1), *questions(4, seed=8)])
    assert (5, 2, 5) == (result.kept, len(together_sandbox.batches()), len(together_sandbox.charges()))


@pytest.mark.parametrize("status", ["429", "500", "503"])
def test_a_line_that_met_a_busy_server_goes_into_another_batch(together_sandbox: Sandbox, status: str) -> None:
    """It says nothing against the request, and nothing was paid for it."""
    together_sandbox.fault(CHAT, status, match="Name fox 1.", times=1)
    result = by_batch(questions(3))
    assert (3, 2, 3) == (result.kept, len(together_sandbox.batches()), len(together_sandbox.charges()))
    assert {1} == set(charged(together_sandbox).values())
