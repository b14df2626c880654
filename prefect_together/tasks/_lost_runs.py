"""Starts crashed runs of deployments again, each at most once, as new runs with the same parameters. Pays nothing itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from prefect_together._internal.logs import Log
from prefect_together._internal.prefect_compat import heartbeats_since
from prefect_together._internal.restarts import LOST, UNSTARTED, restart_key, restart_of
from prefect_together._internal.text import counted
from prefect_together.tasks._swept import RestartedRun

GRACE = 35.0
"""Seconds that a run which stopped beating gets to prove that it lives: a server that was gone heard nobody, and runs beat
every thirty seconds."""
_NEWS = timedelta(minutes=10)
"""How long it is said each minute that a run is given up."""
_PAGE = 200
_TAKEN_FOR_DEAD = {LOST, UNSTARTED}
"""Messages of states of runs that nobody saw die."""


class LostRuns:
    """The crashed runs of deployments that nobody has started again.

    Args:
        client: Prefect's API.
        log: Where to say what happens.
        tag: Of the runs that are looked after.
        most: How often a run is started again; the restarts of a restarted run count as its own.
        since: Runs that crashed before are left alone.
    """

    def __init__(self, client: SyncPrefectClient, log: Log, *, tag: str, most: int, since: datetime) -> None:
        self._client = client
        self._log = log
        self._tag = tag
        self._most = most
        self._since = since

    def restart(self) -> list[RestartedRun]:
        """Start each of them again and return the new runs; several may do so at once, and one new run comes of it."""
        dead = list(self._dead())
        known = self._known(restart_key(first, number) for _, first, number in dead)
        left = [one for one in dead if restart_key(*one[1:]) not in known]
        self._wait_for_signs_of_life(run for run, _, _ in left)
        made = [self._restarted(*one) for one in left if not self._lives(one[0])]
        return [run for run in made if run]

    def _dead(self) -> Iterable[tuple[FlowRun, str, int]]:
        """Yield each crashed run, the run that was the first, and which restart the next one is."""
        wanted = FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
            tags=FlowRunFilterTags(all_=[self._tag]),
            end_time=FlowRunFilterEndTime.model_validate({"after_": self._since}),
        )
        for offset in range(0, 100 * _PAGE, _PAGE):
            page = self._client.read_flow_runs(
                flow_run_filter=wanted, sort=FlowRunSort.START_TIME_DESC, limit=_PAGE, offset=offset
            )
            for run in page:
                # A run that another one called is started again with that one.
                if run.deployment_id and not run.parent_task_run_id and run.state and run.state.timestamp >= self._since:
                    first, number = restart_of(run.idempotency_key) or (str(run.id), 0)
                    yield run, first, number + 1
            if len(page) < _PAGE:
                return

    def _known(self, keys: Iterable[str]) -> set[str | None]:
        """Return which of the keys have a run already."""
        wanted, known = list(keys), set[str | None]()
        for begin in range(0, len(wanted), _PAGE):
            some = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=wanted[begin : begin + _PAGE]))
            known |= {run.idempotency_key for run in self._client.read_flow_runs(flow_run_filter=some, limit=_PAGE)}
        return known

    def _wait_for_signs_of_life(self, runs: Iterable[FlowRun]) -> None:
        """Wait until every run that stopped beating, or never beat, has had its time to do so."""
        stopped = [run.state.timestamp for run in runs if run.state and run.state.message in _TAKEN_FOR_DEAD]
        if stopped:
            time.sleep(max(0.0, GRACE - (datetime.now(timezone.utc) - max(stopped)).total_seconds()))

    def _lives(self, run: FlowRun) -> bool:
        """Tell whether a run that was taken for dead has beaten since, or has been set going by somebody."""
        if run.state is None or run.state.message not in _TAKEN_FOR_DEAD:
            return False
        if heartbeats_since(self._client, run.id, run.state.timestamp):
            self._log.warning("Flow run %r was taken for dead and lives: it is not started again.", run.name)
            return True
        return False

    def _restarted(self, run: FlowRun, first: str, number: int) -> RestartedRun | None:
        if number > self._most:
            crashed = run.state.timestamp if run.state else self._since
            say = self._log.warning if datetime.now(timezone.utc) - crashed < _NEWS else self._log.debug
            say("Flow run %r crashed after %s: it is not started again.", run.name, counted(number - 1, "restart"))
            return None
        try:
            now = self._client.read_flow_run(run.id)
            if now.state is None or now.state.type != StateType.CRASHED:  # a person was quicker
                return None
            made = self._client.create_flow_run_from_deployment(
                UUID(str(run.deployment_id)),
                parameters=run.parameters,
                name=f"{run.name.partition(' · restart ')[0]} · restart {number}",
                tags=run.tags,
                idempotency_key=restart_key(first, number),
                work_queue_name=run.work_queue_name,
                job_variables=run.job_variables,
            )
        except ObjectNotFound:  # the run or its deployment was deleted
            self._log.warning("Flow run %r cannot be started again: it or its deployment is gone.", run.name)
            return None
        self._log.info("Flow run %r crashed: started again as %r.", run.name, made.name)
        return RestartedRun(crashed=run.id, restarted=made.id, name=made.name, number=number)
