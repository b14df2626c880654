"""The tasks that make many pictures and clips in one task run. Each body is one line; the work is in ``batch``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.batch.results import BatchResult
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.tasks._batch import batch, batch_so_far
from prefect_together.tasks._batch_arguments import CONCURRENCY, BatchArguments, FailOn, Resend, Retry, Via
from prefect_together.tasks._batch_requests import Requests
from prefect_together.tasks._checks import Money
from prefect_together.tasks._suspension import Waiting
from prefect_together.tasks._task import async_stateful_task, stateful_task


@stateful_task("batch")
def generate_batch(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    timeout: float | None = None,
    concurrency: int | str = CONCURRENCY,
    stop_after_failures: int | None = None,
    fail_on: FailOn = "all",
    max_cost: Money | None = None,
    limit: SpendLimit | None = None,
    chunk_size: int | None = None,
    name: str | None = None,
    retry: Retry = "failed",
    via: Via = "requests",
    resend: Resend = "batch",
    wait: Waiting = "poll",
) -> BatchResult:
    """Make many pictures and clips in one task run, each with a ledger entry and an outcome of its own.

    A request that fails never loses the others. A batch that is killed is run again: what is paid for is found in the
    ledger and not paid for again. Its manifest grows while it runs: ``read_batch`` reads what came of a named one so far.

    For more speed than one process has, start several with the same table and ``name``, on any machines that share the
    library: flow runs in a work pool, ``[generate_batch.submit(table, name=…) for _ in range(4)]`` or
    ``generate_batch.map([table] * 4, name=…)`` on any task runner.

    Example:
        ```python
        from prefect import flow
        from prefect_together import generate_batch, requests_from_table

        @flow
        def catalogue():
            table = requests_from_table(
                "products.csv",
                templates={"prompt": "a photo of {product}, {style}"},
                constants={"model": "black-forest-labs/FLUX.2-pro", "seed": 7},
            )
            return generate_batch(table, name="catalogue", max_cost=50).write_table("pictures.parquet")
        ```

    Args:
        requests: A table of ``requests_from_table``, or requests of any kinds.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep the files and the manifest; by default as for ``generate_image``.
        reuse: Whose results may be taken, see ``generate_image``. Under a ``name``, requests without a seed are made once
            for the name instead of once for the run.
        on_unknown: What to do when one was sent and nobody knows whether it was accepted, see ``generate_image``.
        timeout: Seconds to wait for each clip, counted from its submission: by default half an hour; for each batch at
            Together three days.
        concurrency: How many at once; or the name of a Prefect global concurrency limit, one slot of which is held while
            the batch runs.
        stop_after_failures: After how many failed or unknown requests the rest is skipped.
        fail_on: Whether the task fails when ``"any"`` request has no file, when ``"all"`` have none, or ``"never"``.
        max_cost: The most that this call may spend, in USD; what would exceed it is refused.
        limit: What this call may spend together with all others that name the same limit.
        chunk_size: Splits the batch into task runs of so many rows, one after the other. Under a ``name``, also how many
            rows a process takes at a time; left out, that follows from the number of rows, 2,000 at most.
        name: Makes the batch one that is run again: with the last run's manifest for comparison. Processes that are given
            the same rows under the same name at the same time share them, and return one result; what one that is killed
            leaves the others do. ``max_cost``, ``concurrency`` and ``stop_after_failures`` are each process's own, ``limit``
            is all theirs.
        retry: What becomes of what failed in the last run under the name: ``"failed"`` does it again, ``"none"`` leaves it.
        via: ``"requests"`` sends them one by one; ``"batch"`` sends them as files in batches at Together, which take minutes
            to a day and cost half for some models: for ``ChatRequest``. Whoever asks for one of them meanwhile waits for it.
        resend: How goes out again what such a batch did not answer: in another ``"batch"``, or as ``"requests"``.
        wait: ``"poll"``: this process waits. ``"suspend"``, with ``via="batch"``: the run of a deployment is suspended when
            all is sent, and its process ends, see ``generate_video``. ``timeout`` counts from when the run first waited for
            a batch; what may be spent is said by ``limit``, not by ``max_cost``, which is one process's.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not; it carries the result.
        InvalidRequest: An option makes no sense.
        ConfigurationError: There is no key.
    """
    return run(
        batch(
            BatchArguments(
                requests, credentials, library, reuse, on_unknown, timeout, concurrency, stop_after_failures, fail_on,
                max_cost, limit, chunk_size, name, retry, via, resend, wait,
            )
        )
    )  # fmt: skip


@async_stateful_task("batch")
async def agenerate_batch(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    timeout: float | None = None,
    concurrency: int | str = CONCURRENCY,
    stop_after_failures: int | None = None,
    fail_on: FailOn = "all",
    max_cost: Money | None = None,
    limit: SpendLimit | None = None,
    chunk_size: int | None = None,
    name: str | None = None,
    retry: Retry = "failed",
    via: Via = "requests",
    resend: Resend = "batch",
    wait: Waiting = "poll",
) -> BatchResult:
    """Make many pictures and clips: ``generate_batch`` for async flows."""
    return await arun(
        batch(
            BatchArguments(
                requests, credentials, library, reuse, on_unknown, timeout, concurrency, stop_after_failures, fail_on,
                max_cost, limit, chunk_size, name, retry, via, resend, wait,
            )
        )
    )  # fmt: skip


def read_batch(name: str, *, library: AnyLibrary | None = None) -> BatchResult | None:
    """Return what came of a named batch so far: at any time, in any process, while it runs as well. Sends nothing.

    Example:
        ```python
        from prefect_together import read_batch

        so_far = read_batch("catalogue")
        if so_far:
            print(so_far.running, so_far)  # and so_far.stream(), so_far.write_table("so-far.csv") as ever
        ```

    Args:
        name: What the batch is called.
        library: Where it is; by default as for ``generate_image``.

    Returns:
        Its last run, ``running`` where that has not come to its end (or was killed); None where there was none.

    Raises:
        LibraryError: The library cannot be read.
    """
    return run(batch_so_far(name, library))


async def aread_batch(name: str, *, library: AnyLibrary | None = None) -> BatchResult | None:
    """Return what came of a named batch so far: ``read_batch`` for async flows."""
    return await arun(batch_so_far(name, library))
