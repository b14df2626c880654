"""Tasks that look after a library. Each body is one line; the work is in ``reconciling``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.engine.reconciliation import Reconciliation
from prefect_together.tasks._operations import reconciled
from prefect_together.tasks._task import async_task, sync_task


@sync_task("upkeep")
def reconcile(
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    wait: float = 0.0,
    bill: bool = False,
) -> Reconciliation:
    """Fetch everything that was paid for and never kept, and report what needs a decision. Never pays.

    Works from the library alone, on any machine: what a killed process left behind is found by its ledger.

    Example:
        ```python
        from prefect import flow
        from prefect_together import reconcile

        @flow
        def nightly():
            print(reconcile().text())
        ```

    Args:
        credentials: The account that paid; by default the one of ``TOGETHER_API_KEY``.
        library: The library; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        wait: Seconds to wait for each job that still renders; 0 asks each once.
        bill: Whether Together's bill of the month, by day, is held beside the ledger: it is in the report, and a table
            artifact of the run. Where the difference passes the setting ``BILL_ALERT`` an event says so, see
            ``automations.when_bill_differs``. The month is that of yesterday, the last day that is on a bill.

    Raises:
        APIError: The bill cannot be had with this key.
        ConfigurationError: There is no key.
        LibraryError: The library cannot be read.
    """
    return run(reconciled(credentials, library, wait, bill=bill))


@async_task("upkeep")
async def areconcile(
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    wait: float = 0.0,
    bill: bool = False,
) -> Reconciliation:
    """Fetch everything that was paid for and never kept: ``reconcile`` for async flows."""
    return await arun(reconciled(credentials, library, wait, bill=bill))
