"""The tasks that send requests in batches at Together, and wait for those. Each body is one line."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.batch.provider_batch import ProviderBatch
from prefect_together.batch.results import BatchResult
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.tasks._batch_arguments import BATCH_TIMEOUT, BatchArguments, FailOn
from prefect_together.tasks._batch_requests import Requests
from prefect_together.tasks._checks import Money, expect
from prefect_together.tasks._provider_batch import submitted, waited_for
from prefect_together.tasks._suspension import Waiting
from prefect_together.tasks._task import async_stateful_task, stateful_task


@stateful_task("batch")
def submit_batch(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    limit: SpendLimit | None = None,
    name: str | None = None,
) -> ProviderBatch:
    """Send many requests in batches at Together, and return at once: ``wait_for_batch`` waits for what comes.

    What is kept already, or was sent by somebody before, is not sent again. A run that is killed is run again: what Together
    has is found by its record, or in Together's own list, and never sent twice.

    Example:
        ```python
        from prefect import flow
        from prefect_together import ChatRequest, submit_batch, wait_for_batch

        @flow
        def overnight(questions: list[str]):
            model = "meta-llama/Llama-3.3-70B-Instruct-Turbo"  # half the price in a batch
            sent = submit_batch([ChatRequest(prompt=text, model=model, seed=7) for text in questions])
            return wait_for_batch(sent)  # or in another flow, another day, on another machine
        ```

    Args:
        requests: A table of ``requests_from_table``, or requests: of ``ChatRequest``.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where results are kept; by default as for ``generate_image``.
        reuse: Whose results may be taken, see ``generate_batch``.
        on_unknown: What to do when a batch was sent and nobody knows whether it was made, which puts all of it at stake: see
            ``generate_image``.
        max_cost: The most that this call may spend, in USD; what would exceed it is refused.
        limit: What this call may spend together with all others that name the same limit.
        name: Makes the batch one that is run again, see ``generate_batch``.

    Raises:
        UnknownOutcome: Nobody knows whether Together made a batch.
        APIError: Together refused it; refusals are free.
        ConnectionFailed: Together could not be reached; nothing was sent.
        InvalidRequest: An option makes no sense.
        ConfigurationError: There is no key.
    """
    return run(
        submitted(
            BatchArguments(
                requests, credentials, library, reuse, on_unknown, max_cost=max_cost, limit=limit, name=name, via="batch"
            )
        )
    )


@async_stateful_task("batch")
async def asubmit_batch(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    limit: SpendLimit | None = None,
    name: str | None = None,
) -> ProviderBatch:
    """Send many requests in batches at Together: ``submit_batch`` for async flows."""
    return await arun(
        submitted(
            BatchArguments(
                requests, credentials, library, reuse, on_unknown, max_cost=max_cost, limit=limit, name=name, via="batch"
            )
        )
    )


@stateful_task("batch")
def wait_for_batch(
    batch: ProviderBatch,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    timeout: float = BATCH_TIMEOUT,
    fail_on: FailOn = "all",
    wait: Waiting = "poll",
) -> BatchResult:
    """Wait for what ``submit_batch`` sent, and keep what comes. Never sends and never pays.

    Any process may wait, and several may: what comes is kept once. Rows that Together did not answer are ``skipped``,
    and answers that are not what was asked for ``invalid``: ``generate_batch`` with the same requests goes on with those.

    Args:
        batch: What was sent.
        credentials: The account that sent it; by default the one of ``TOGETHER_API_KEY``.
        library: The library that it was sent from; by default the one that it names. Where that was moved, where it is now.
        timeout: Seconds to wait for each batch, counted from its creation; by default three days. Nothing is lost when it is
            over: wait again.
        fail_on: Whether the task fails when ``"any"`` request has no result, when ``"all"`` have none, or ``"never"``.
        wait: ``"poll"``: this process waits. ``"suspend"``: the run of a deployment is suspended and its process ends, see
            ``generate_video``. ``timeout`` counts from when the run first waited for the batch.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not; it carries the result.
        LibraryError: Its rows are not in the library: it was moved, or another is named. Nothing is paid.
        ConfigurationError: There is no key.
    """
    return run(_waited(batch, credentials, library, timeout, fail_on, wait, "wait_for_batch"))


@async_stateful_task("batch")
async def await_for_batch(
    batch: ProviderBatch,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    timeout: float = BATCH_TIMEOUT,
    fail_on: FailOn = "all",
    wait: Waiting = "poll",
) -> BatchResult:
    """Wait for what was sent: ``wait_for_batch`` for async flows."""
    return await arun(_waited(batch, credentials, library, timeout, fail_on, wait, "await_for_batch"))


async def _waited(
    batch: ProviderBatch,
    credentials: TogetherCredentials | None,
    library: AnyLibrary | None,
    timeout: float,
    fail_on: FailOn,
    wait: Waiting,
    task: str,
) -> BatchResult:
    sent = expect(batch, ProviderBatch, task)
    where = sent.library if library is None else library
    arguments = BatchArguments(
        (), credentials, where, timeout=timeout, fail_on=fail_on, name=sent.name, via="batch", wait=wait
    )
    return await waited_for(sent, arguments)
