"""The task that looks after runs: those that died, and those that wait for jobs. Each body is one line."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together._internal.restarts import TAG
from prefect_together.tasks._sweeping import swept
from prefect_together.tasks._swept import Sweep
from prefect_together.tasks._task import async_task, sync_task

RESTARTS = 3
"""How often a run is started again."""


@sync_task("upkeep")
def sweep(*, restarts: int = RESTARTS, tag: str = TAG) -> Sweep:
    """Start crashed runs of deployments again, as new runs with their parameters. Sends nothing and pays nothing.

    A new run stands for the dead one: it finds what that one paid for, also what has no seed. It is made once for each dead
    run, however many sweep at once. Runs that crashed more than a day ago, or before the sweep was deployed, are left alone.

    Example:
        ```python
        from prefect import flow
        from prefect_together import sweep

        @flow(name="sweep")
        def every_minute():
            print(sweep().text())
        ```

    Args:
        restarts: How often a run is started again, its restarts included; 0 starts none.
        tag: Of the runs that are looked after; those of a deployment have its tags.

    Raises:
        InvalidRequest: The number makes no sense.
    """
    return run(swept(restarts, tag))


@async_task("upkeep")
async def asweep(*, restarts: int = RESTARTS, tag: str = TAG) -> Sweep:
    """Start crashed runs of deployments again: ``sweep`` for async flows."""
    return await arun(swept(restarts, tag))
