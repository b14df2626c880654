"""Resumes flow runs whose jobs are over, and shows of the others how far they are. Pays nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import ObjectNotFound

from prefect_together._internal.logs import Log
from prefect_together.engine.waits import Wait, forget_wait
from prefect_together.storage.storage import Storage
from prefect_together.ui.artifacts import update


class Suspended:
    """The flow runs that wait for jobs of a library.

    Args:
        storage: The library.
        log: Where to say what happens.
    """

    def __init__(self, storage: Storage, log: Log) -> None:
        self._storage = storage
        self._log = log

    async def resume(self, waits: Sequence[Wait], running: Collection[str]) -> list[UUID]:
        """Resume those that wait for nothing any more, and return their ids.

        Args:
            waits: What they wait for.
            running: What still runs, as ``GenerationTimeout.waits_for`` names it.
        """
        if not waits:
            return []
        async with get_client() as client:
            return [UUID(wait.run) for wait in waits if await self._resumed(client, wait, running)]

    async def _resumed(self, client: PrefectClient, wait: Wait, running: Collection[str]) -> bool:
        try:
            run = await client.read_flow_run(UUID(wait.run))
        except ObjectNotFound:
            await forget_wait(self._storage, wait.run)
            return False
        state = run.state
        if state is None or state.is_final():
            await forget_wait(self._storage, wait.run)
            return False
        if not state.is_paused() or state.state_details.pause_key != wait.pause:
            return False  # it is on its way into its suspension, or out of it, or waits for somebody else
        left, count = sum(one in running for one in wait.open), len(wait.open)
        if wait.progress:
            said = f"{count - left:,} of {count:,} job(s) are over. The run is suspended and goes on when all are."
            await update(UUID(wait.progress), ArtifactUpdate(data=100.0 * (count - left) / count, description=said))
        if left and datetime.now(timezone.utc) < wait.until:
            return False
        await client.resume_flow_run(run.id)
        self._log.info("Flow run %r goes on: %s.", run.name, "its time is up" if left else "its jobs are over")
        return True
