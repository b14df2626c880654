"""Which crashed runs are started again, how often, and what is said where nobody could."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Crashed, Pending, Running

from prefect_together import automations, sweep
from prefect_together._internal.prefect_compat import heartbeats_since
from prefect_together._internal.restarts import LOST
from prefect_together.automations import when_lost
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.tasks import _lost_runs, _unstarted_runs
from tests.waiting import until


@flow(name="restarted")
def restarted(what: str, also: int = 3) -> None:
    """Do nothing: nobody serves it."""


@pytest.fixture
def client(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncPrefectClient]:
    """Yield Prefect's API."""
    assert prefect_server
    monkeypatch.setattr(_lost_runs, "GRACE", 0.0)
    with get_client(sync_client=True) as found:
        yield found


@pytest.fixture
def tag() -> str:
    """Return a tag that no other test has."""
    return f"tag-{uuid.uuid4().hex}"


@pytest.fixture
def start(client: SyncPrefectClient, tag: str) -> Callable[[], FlowRun]:
    """Return what starts a run of a deployment of its own."""
    deployment = client.create_deployment(client.create_flow(restarted), name=tag, tags=[tag])
    return lambda: client.create_flow_run_from_deployment(deployment, parameters={"what": "a fox"})


def _crash(client: SyncPrefectClient, run: uuid.UUID, message: str = "") -> None:
    client.set_flow_run_state(run, Crashed(message=message), force=True)


def test_a_run_is_started_again_so_often_and_no_more(
    client: SyncPrefectClient, start: Callable[[], FlowRun], tag: str
) -> None:
    """A run that crashes each time is started again twice where two are allowed: with its parameters, tags and name."""
    first = start()
    crashed, names = first.id, list[str]()
    for number in (1, 2):
        _crash(client, crashed)
        (made,) = sweep.fn(restarts=2, tag=tag).restarted
        assert (crashed, number) == (made.crashed, made.number)
        crashed, now = made.restarted, client.read_flow_run(made.restarted)
        names.append(now.name)
        assert (first.parameters, first.tags, first.deployment_id) == (now.parameters, now.tags, now.deployment_id)
    assert [f"{first.name} · restart 1", f"{first.name} · restart 2"] == names
    _crash(client, crashed)
    assert [] == sweep.fn(restarts=2, tag=tag).restarted


def test_only_crashed_runs_are_started_again(client: SyncPrefectClient, start: Callable[[], FlowRun], tag: str) -> None:
    """A run that completed is left alone, also where it crashed before; so is one without a deployment, and all with 0."""
    done, bare, crashed = start(), client.create_flow_run(restarted, parameters={"what": "x"}, tags=[tag]), start()
    for run in (done, bare, crashed):
        _crash(client, run.id)
    client.set_flow_run_state(done.id, Completed(), force=True)
    assert [] == sweep.fn(restarts=0, tag=tag).restarted
    assert [crashed.id] == [one.crashed for one in sweep.fn(tag=tag).restarted]


def test_a_run_that_lives_is_not_started_again(client: SyncPrefectClient, start: Callable[[], FlowRun], tag: str) -> None:
    """Taken for dead because the server heard nobody, it beats again, and is left alone; one that does not beat is dead."""
    alive, dead = start(), start()
    for run in (alive, dead):
        _crash(client, run.id, LOST)
    at = datetime.now(timezone.utc) - timedelta(seconds=60)
    beat = {
        "occurred": datetime.now(timezone.utc).isoformat(), "event": "prefect.flow-run.heartbeat", "id": str(uuid.uuid4()),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{alive.id}"},
    }  # fmt: skip
    client.request("POST", "/events", json=[beat])
    until("the server heard it", lambda: heartbeats_since(client, alive.id, at), every=0.2)
    assert [dead.id] == [one.crashed for one in sweep.fn(tag=tag).restarted]


def test_a_run_that_began_meanwhile_is_not_touched(
    client: SyncPrefectClient, start: Callable[[], FlowRun], tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pending for too long when the sweep looks, Running when it acts: it stays so. One that stays Pending is marked.

    Where a sweep died in the middle of that, the next one goes on; one that is Pending for a short time is left alone.
    """
    began, dead, half, young = (start() for _ in range(4))
    for run in (began, dead, half):
        client.set_flow_run_state(run.id, Pending())
    client.set_flow_run_state(half.id, State(type=StateType.PENDING, name=_unstarted_runs.NAME))
    mark = _unstarted_runs.UnstartedRuns.mark

    def late(self: _unstarted_runs.UnstartedRuns, run: FlowRun) -> bool:
        if run.id == began.id:
            client.set_flow_run_state(began.id, Running())
        return mark(self, run)

    monkeypatch.setattr(_unstarted_runs.UnstartedRuns, "mark", late)
    time.sleep(1.0)
    client.set_flow_run_state(young.id, Pending())
    assert {dead.id, half.id} == {one.crashed for one in sweep.fn(tag=tag, pending=1.0).restarted}
    names = [client.read_flow_run(run.id).state_name for run in (began, dead, half, young)]
    assert ["Running", "Crashed", "Crashed", "Pending"] == names


def test_a_number_that_makes_no_sense_is_refused() -> None:
    """Nothing is asked of anybody then."""
    with pytest.raises(InvalidRequest, match="restarts=-1 makes no sense"):
        sweep.fn(restarts=-1)
    with pytest.raises(InvalidRequest, match="pending=0 makes no sense"):
        sweep.fn(pending=0)


def test_an_automation_that_would_take_the_living_for_dead_is_refused() -> None:
    """Less than two heartbeats is no patience; without a word it is three."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 60}):
        with pytest.raises(ConfigurationError, match="heartbeats come every 60 s"):
            when_lost(within=timedelta(seconds=90))
        assert timedelta(seconds=180) == when_lost().trigger.within  # type: ignore[union-attr]


def test_restarting_needs_the_sweep(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not deployed the error says how that is done; a run is never scheduled by the automation itself."""
    monkeypatch.setattr(automations, "SWEEP", f"sweep-{uuid.uuid4()}")
    with pytest.raises(ConfigurationError, match="prefect deploy --name sweep"):
        when_lost(restart=True)
    named = uuid.uuid4()
    crash, rest = when_lost(restart=True, sweep=named).actions
    assert isinstance(crash, ChangeFlowRunState)
    assert isinstance(rest, RunDeployment)
    assert ("CRASHED", named) == (crash.state.value, rest.deployment_id)
