"""What a sweep does, on the background loop: one coroutine."""

from __future__ import annotations

import asyncio
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext

from prefect_together.errors import InvalidRequest
from prefect_together.tasks._context import run_logger
from prefect_together.tasks._lost_runs import LostRuns
from prefect_together.tasks._swept import RestartedRun, Sweep


async def swept(restarts: int, tag: str) -> Sweep:
    """Start crashed runs again.

    Raises:
        InvalidRequest: ``restarts`` is no number of restarts.
    """
    if restarts < 0:
        raise InvalidRequest(f"restarts={restarts} makes no sense: 0 starts no run again.")
    found = Sweep(restarted=await asyncio.to_thread(_restarted, restarts, tag))
    run_logger().info("%s", found.text())
    return found


def _restarted(restarts: int, tag: str) -> list[RestartedRun]:
    if not restarts:
        return []
    with get_client(sync_client=True) as client:
        return LostRuns(client, run_logger(), tag=tag, most=restarts, since=_deployed_at(client)).restart()


def _deployed_at(client: SyncPrefectClient) -> datetime | None:
    """Return when the deployment was made whose run this is; what crashed before was not meant to be started again."""
    context = FlowRunContext.get()
    deployment = context.flow_run.deployment_id if context and context.flow_run else None
    return client.read_deployment(deployment).created if deployment else None
