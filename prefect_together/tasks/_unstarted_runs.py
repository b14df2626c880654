"""Marks runs Crashed that a worker took and that never began, since it died over them: they would be Pending for ever."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound

from prefect_together._internal.logs import Log
from prefect_together._internal.prefect_compat import heartbeats_since
from prefect_together._internal.restarts import UNSTARTED

NAME = "Unstarted"
"""What the state of such a run is called for a moment. Prefect lets a Pending state follow a Pending one of another name and
none else (3.8.8, 3.9.1), so that a run which began since it was looked at is not touched."""
_PAGE = 200


class UnstartedRuns:
    """The runs of deployments that are Pending for so long that no worker can be starting them any more.

    Args:
        client: Prefect's API.
        log: Where to say what happens.
        tag: Of the runs that are looked after.
        patience: How long a run may be in a Pending state.
        since: Runs that are Pending since before are left alone.
    """

    def __init__(self, client: SyncPrefectClient, log: Log, *, tag: str, patience: timedelta, since: datetime) -> None:
        self._client = client
        self._log = log
        self._tag = tag
        self._patience = patience
        self._since = since

    def crash(self) -> None:
        """Mark them Crashed; several may do so at once."""
        for run in list(self._found()):
            with suppress(ObjectNotFound):  # it was deleted
                self.mark(run)

    def mark(self, run: FlowRun) -> bool:
        """Mark one of them Crashed, unless it has begun since it was looked at; return whether that was so."""
        before = run.state
        if before is None or heartbeats_since(self._client, run.id, before.timestamp):
            return False
        if before.name != NAME:  # a sweep that died may have called it so
            said = self._client.set_flow_run_state(run.id, State(type=StateType.PENDING, name=NAME, message=UNSTARTED))
            if said.status != SetStateStatus.ACCEPT:
                return False
            before = said.state
        now = self._client.read_flow_run(run.id).state
        if now is None or before is None or now.id != before.id:
            return False
        self._client.set_flow_run_state(run.id, State(type=StateType.CRASHED, message=UNSTARTED))
        self._log.warning("Flow run %r was Pending for %s and never began: it is marked Crashed.", run.name, self._patience)
        return True

    def _found(self) -> Iterable[FlowRun]:
        until = datetime.now(timezone.utc) - self._patience
        wanted = FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])),
            tags=FlowRunFilterTags(all_=[self._tag]),
            expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": until}),
        )
        for offset in range(0, 100 * _PAGE, _PAGE):
            page = self._client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=offset)
            for run in page:
                waiting = run.state is not None and self._since <= run.state.timestamp <= until
                if waiting and run.deployment_id and not run.parent_task_run_id:
                    yield run
            if len(page) < _PAGE:
                return
