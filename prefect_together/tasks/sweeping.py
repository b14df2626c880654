"""The task that looks after runs: those that died, and those that wait for jobs. Each body is one line."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together._internal.restarts import TAG
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.tasks._sweeping import swept
from prefect_together.tasks._swept import Sweep
from prefect_together.tasks._task import async_task, sync_task

RESTARTS = 3
"""How often a run is started again."""
PENDING = 600.0
"""Seconds that a run may be Pending while its worker lives: images are pulled meanwhile, and workers that wait for that give
up after some minutes and mark it Crashed themselves."""


@sync_task("upkeep")
def sweep(
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    restarts: int = RESTARTS,
    tag: str = TAG,
    pending: float = PENDING,
) -> Sweep:
    """Look after all runs: start again those that crashed, and resume those whose jobs are over. Pays nothing.

    All open jobs and batches of the library are asked for once, by one process at a time; what is done is kept. A run that
    was suspended by ``wait="suspend"`` is resumed when all that it waits for is over, well or badly, or its time is up.

    A crashed run of a deployment is started again as a new run with its parameters. That one stands for the dead one: it
    finds what that one paid for, also what has no seed. It is made once for each dead run, however many sweep at once. Runs
    that crashed more than a day ago, or before the sweep was deployed, are left alone. A run that its worker took and never
    began, as it died, is marked Crashed and started again like them.

    Example:
        ```python
        from prefect import flow
        from prefect_together import sweep

        @flow(name="sweep")
        def every_minute():
            print(sweep().text())
        ```

    Args:
        credentials: The account that is asked; by default the one of ``TOGETHER_API_KEY``.
        library: The library; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        restarts: How often a run is started again, its restarts included; 0 starts none.
        tag: Of the runs that are looked after; those of a deployment have its tags.
        pending: Seconds that a run may be Pending, as it is from when a worker takes it until it begins: after them its
            worker counts as dead. More where nodes or large images take longer; one that begins later all the same runs
            beside the new one, and neither pays again.

    Raises:
        InvalidRequest: The number makes no sense.
        ConfigurationError: There is no key.
        LibraryError: The library cannot be read.
    """
    return run(swept(restarts, tag, pending, credentials, library))


@async_task("upkeep")
async def asweep(
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    restarts: int = RESTARTS,
    tag: str = TAG,
    pending: float = PENDING,
) -> Sweep:
    """Look after all runs: ``sweep`` for async flows."""
    return await arun(swept(restarts, tag, pending, credentials, library))
