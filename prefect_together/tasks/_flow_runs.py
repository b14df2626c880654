"""Which flow run a task run belongs to in the end. Reads Prefect's API, and never fails: a lookup must not lose money."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.logging.loggers import get_logger

from prefect_together._internal.restarts import first_of

_LEVELS = 32
_outermost: dict[str, str] = {}


async def outermost_flow_run(flow_run: str) -> str:
    """Return the flow run at the top: when it is retried its subflows get new ids, and must not pay again.

    Where that one stands for a run that died, it is the dead one, for the same reason.
    """
    if flow_run not in _outermost:
        try:
            _outermost[flow_run] = await _climb(flow_run)
        except Exception as error:  # whatever Prefect's client raises: without the API, the run itself has to do
            get_logger("together").warning(
                "The parent of flow run %s cannot be looked up (%s): its retries may not find what this run pays for.",
                flow_run,
                type(error).__name__,
            )
            return flow_run
    return _outermost[flow_run]


async def _climb(flow_run: str) -> str:
    async with get_client() as client:
        for _ in range(_LEVELS):
            run = await client.read_flow_run(UUID(flow_run))
            above = (await client.read_task_run(run.parent_task_run_id)).flow_run_id if run.parent_task_run_id else None
            if above is None:
                flow_run = first_of(flow_run, run.idempotency_key)
                break
            flow_run = str(above)
    return flow_run
