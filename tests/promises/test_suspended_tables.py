"""What a run knows of its batches at Together that was suspended while they ran, and begins anew: nothing is sent too often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from prefect_together import generate_batch, generate_video
from prefect_together._internal.event_loop import Signal, run
from prefect_together.batch.provider_rows import HoldOn
from prefect_together.batch.provider_runner import ProviderBatchRun
from prefect_together.engine import batch_record
from prefect_together.errors import InvalidRequest
from prefect_together.generations.results import GenerationTimeout
from prefect_together.sandbox import Sandbox
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._batch_requests import rows_of

from .batching import CREATE, FULL_PRICE, cancel_all, charged, question, questions
from .test_suspension import CLIP


async def _suspended(work: Callable[[float], Awaitable[None]]) -> None:
    try:
        await work(0.0)
    except GenerationTimeout:
        raise Signal(InterruptedError()) from None


async def _waited(work: Callable[[float], Awaitable[None]]) -> None:
    await work(60.0)


def _passed(requests: Any, hold_on: HoldOn = _suspended, **options: Any) -> dict[Any, int]:
    """Return what one pass of a run comes to, of every outcome how many; none where it is suspended."""

    async def one() -> dict[Any, int]:
        arguments = BatchArguments(requests, via="batch", **options)
        context = await arguments.context()
        context = replace(context, run=replace(context.run, flow_run="the-run"))
        work = ProviderBatchRun(context, arguments.options(), resend=arguments.resend, hold_on=hold_on)
        try:
            await work.run(rows_of(requests))
        finally:
            work.close()
        return dict(work.totals.counts)

    try:
        return run(one())
    except InterruptedError:
        return {}


def test_what_was_sent_before_the_suspension_counts(together_sandbox: Sandbox) -> None:
    """A row goes into three batches of a run at most, each in another pass of it, and then fails for free."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=600, times=9)
    for sent in range(1, 4):
        assert {} == _passed(questions(2, seed=None))
        assert sent == len(together_sandbox.batches())
        cancel_all(together_sandbox)
    assert {"failed": 2} == _passed(questions(2, seed=None), _waited)
    assert (3, []) == (len(together_sandbox.batches()), together_sandbox.charges())


def test_what_it_did_not_answer_goes_one_by_one_where_that_is_wanted(together_sandbox: Sandbox) -> None:
    """With `resend="requests"` nothing goes into a second batch, though the first was sent in another pass."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=600)
    assert {} == _passed(questions(2), resend="requests")
    cancel_all(together_sandbox)
    assert {"kept": 2} == _passed(questions(2), _waited, resend="requests")
    assert (1, {None}) == (len(together_sandbox.batches()), {charge.batch for charge in together_sandbox.charges()})
    assert 2 == len(together_sandbox.charges())


def test_an_unknown_batch_is_sent_again_once_in_all_passes(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`on_unknown="resubmit"` decides once for a run, however often it is suspended for another batch."""
    monkeypatch.setattr(batch_record, "LOOK_AGAIN", 0.01)
    together_sandbox.fault(CREATE, "stuck_validating", seconds=600)
    together_sandbox.fault(CREATE, "500", times=2)
    rows = [question(0), question(1, model=FULL_PRICE)]
    for sent in (2, 3, 3):
        assert {} == _passed(rows, on_unknown="resubmit")
        assert (1, sent) == (len(together_sandbox.batches()), together_sandbox.count("/v1/batches"))
    cancel_all(together_sandbox)
    assert {"kept": 1, "unknown": 1} == _passed(rows, _waited, on_unknown="resubmit")
    assert 2 == len(together_sandbox.batches())
    assert {1} == set(charged(together_sandbox).values())


def test_only_the_batch_whose_time_is_up_is_given_up(together_sandbox: Sandbox) -> None:
    """Its rows say that it still runs; those of another batch are waited for, and kept."""
    together_sandbox.fault(CREATE, "stuck_validating", seconds=600)
    together_sandbox.fault(CREATE, "stuck_validating", seconds=3)
    waited = list[str]()

    async def hold_on(work: Callable[[float], Awaitable[None]]) -> None:
        try:
            await work(60.0 if waited else 0.0)
        except GenerationTimeout as late:
            waited.extend(late.waits_for)
            raise GenerationTimeout("Its time is up.", waits_for=late.waits_for[:1]) from None

    assert {"failed": 1, "kept": 1} == _passed([question(0), question(1, model=FULL_PRICE)], hold_on)
    assert (2, 1) == (len(waited), len(together_sandbox.charges()))
    assert {1} == set(charged(together_sandbox).values())


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "never": (
        lambda: generate_batch.fn(questions(1), via="batch", wait="suspend", reuse="never"),
        'reuse="never" pays in each call, and a run that was suspended makes its calls again: give the request another take=',
    ),
    "never for a clip": (
        lambda: generate_video.fn(CLIP, wait="suspend", reuse="never"),
        'reuse="never" pays in each call, and a run that was suspended makes its calls again: give the request another take=',
    ),
    "max_cost": (
        lambda: generate_batch.fn(questions(1), via="batch", wait="suspend", max_cost=1),
        'max_cost is counted by the process of a call, which wait="suspend" ends: give limit=SpendLimit',
    ),
    "requests": (
        lambda: generate_batch.fn(questions(1), wait="suspend"),
        'wait="suspend" is for batches at Together: give via="batch", or leave it out.',
    ),
}
"""Calls that would pay twice, or more than was said, once their run goes on; and what is said of each."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_pay_again_is_refused(what: str, together_sandbox: Sandbox) -> None:
    """One sentence says what to do instead, before anything is paid."""
    call, said = REFUSED[what]
    with pytest.raises(InvalidRequest) as refused:
        call()
    assert said in str(refused.value)
    assert [] == together_sandbox.charges()
