"""What a sweep does, on the background loop: one coroutine."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext

from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.waits import all_waits
from prefect_together.errors import InvalidRequest
from prefect_together.storage.storage import Storage
from prefect_together.tasks._checks import account, seconds
from prefect_together.tasks._context import run_logger
from prefect_together.tasks._lost_runs import LostRuns
from prefect_together.tasks._suspended_runs import Suspended
from prefect_together.tasks._swept import RestartedRun, Sweep
from prefect_together.tasks._unstarted_runs import UnstartedRuns

SINCE = timedelta(days=1)
"""How long ago a run may have died that is still started again."""


async def swept(
    restarts: int, tag: str, pending: float, credentials: TogetherCredentials | None, library: AnyLibrary | None
) -> Sweep:
    """Start dead runs again, ask for open jobs, and resume what waited for those that are over.

    Raises:
        InvalidRequest: A number makes no sense.
        ConfigurationError: The library has a ledger, and there is no key to ask for its open jobs.
        LibraryError: The library cannot be read.
    """
    if restarts < 0:
        raise InvalidRequest(f"restarts={restarts} makes no sense: 0 starts no run again.")
    seconds("pending", pending)
    if not pending:
        raise InvalidRequest("pending=0 makes no sense: every run is Pending for some seconds while it starts.")
    found = Sweep(restarted=await asyncio.to_thread(_restarted, restarts, tag, timedelta(seconds=pending)))
    storage = await storage_of(library)
    if await storage.holds("ledger"):
        await _look_after_jobs(found, storage, credentials)
    run_logger().info("%s", found.text())
    return found


async def _look_after_jobs(found: Sweep, storage: Storage, credentials: TogetherCredentials | None) -> None:
    from prefect_together.engine.open_jobs import OpenJobs  # imports the HTTP client, which is slow

    log = run_logger()
    waits = await all_waits(storage, log)
    waited = {name for wait in waits for name in wait.open}
    jobs = OpenJobs(storage, account(credentials).get_client(), log, current_settings().policy(), waited)
    if await jobs.ask():
        found.kept, found.failed, found.open = jobs.kept, jobs.failed, len(jobs.open)
        found.resumed = await Suspended(storage, log).resume(waits, jobs.open)


def _restarted(restarts: int, tag: str, pending: timedelta) -> list[RestartedRun]:
    if not restarts:
        return []
    with get_client(sync_client=True) as client:
        log, since = run_logger(), datetime.now(timezone.utc) - SINCE
        since = max(_deployed_at(client) or since, since)
        UnstartedRuns(client, log, tag=tag, patience=pending, since=since).crash()
        return LostRuns(client, log, tag=tag, most=restarts, since=since).restart()


def _deployed_at(client: SyncPrefectClient) -> datetime | None:
    """Return when the deployment was made whose run this is; what died before was not meant to be started again."""
    context = FlowRunContext.get()
    deployment = context.flow_run.deployment_id if context and context.flow_run else None
    return client.read_deployment(deployment).created if deployment else None
