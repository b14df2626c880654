"""Runs of deployments whose worker, process or server died are started again once, and pay for nothing again."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from prefect_together import sweep
from prefect_together._internal.restarts import TAG
from prefect_together.automations import when_lost
from prefect_together.sandbox import Sandbox
from prefect_together.tasks import _lost_runs
from tests.forking import Process
from tests.waiting import until

from .running import environment, own_prefect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SERVE = Path(__file__).with_name("lost.py")
PATIENCE = timedelta(seconds=10)
"""The least that Prefect takes. Heartbeats come every thirty seconds at most, so a run here beats once."""


@contextmanager
def _served(api: str, together: Sandbox, folder: Path, tag: str = TAG) -> Generator[Process]:
    """Serve the flows from a process of its own, and make sure that it and all its runs end."""
    variables = {
        "PREFECT_API_URL": api, "TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_HOME": str(folder / "worker"),
        "LOST": str(folder), "PREFECT_RUNNER_POLL_FREQUENCY": "1", "PREFECT_RUNNER_SERVER_ENABLE": "false",
    }  # fmt: skip
    with (folder / "served.log").open("a") as log:
        process = Process([str(SERVE), str(folder), tag], env=environment() | variables, out=log)
    try:
        yield process
    finally:
        for one in (process.pid, *_pids(folder)):
            _kill(one)
        process.wait()


def _pids(folder: Path) -> list[int]:
    """Return the processes of the flow's runs, each of which has its first picture."""
    said = folder / "pids"
    return [int(line) for line in said.read_text().split()] if said.exists() else []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Return the runs of the errand, the oldest first."""
    found = client.read_flow_runs(limit=50)
    errands = [run for run in found if run.parameters and "prompt" in run.parameters]
    return sorted(errands, key=lambda run: str(run.created))


def _state(client: SyncPrefectClient, run: FlowRun) -> StateType | None:
    return client.read_flow_run(run.id).state_type


def test_a_run_that_died_with_all_around_it_is_started_again(
    tmp_path: Path, together: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is killed: it lives on, alone. It, its worker and the server are killed: it is started again, once.

    The new run has its parameters, those that were given and those that were not, and finds the first one's picture, which
    has no seed.
    """
    monkeypatch.setenv("TOGETHER_BASE_URL", together.url)
    monkeypatch.setenv("TOGETHER_API_KEY", together.api_key)
    given = {"folder": str(tmp_path), "prompt": "a fox"}
    with own_prefect(tmp_path) as (api, _), _served(api, together, tmp_path) as worker, _client(api) as client:
        until("both are served", lambda: 2 == len(client.read_deployments()))
        (errand,) = [one for one in client.read_deployments() if one.name == f"errand-{TAG}"]
        when_lost(restart=True, within=PATIENCE).create()
        first = client.create_flow_run_from_deployment(errand.id, parameters=given)
        until("it has its picture", lambda: _pids(tmp_path))
        worker.kill()
        worker.wait()
        assert [] == sweep.fn().restarted, "a run that lives is none that died"
        assert [first.id] == [run.id for run in _runs(client)]
        _kill(_pids(tmp_path)[0])
    with own_prefect(tmp_path) as (api, _), _client(api) as client:
        until("it is taken for dead", lambda: _state(client, first) == StateType.CRASHED)
        until("the automation runs the sweep", lambda: len(client.read_flow_runs()) > len(_runs(client)))
        with ThreadPoolExecutor() as pool:
            found = [work.result() for work in [pool.submit(copy_context().run, sweep.fn) for _ in range(2)]]
        assert {1} == {len(one.restarted) for one in found}, "both saw it, and one new run came of it"
        second = _runs(client)[1:]
        assert [(first.parameters, 1)] == [(run.parameters, one.number) for run in second for one in found[0].restarted]
        (tmp_path / "go").touch()
        with _served(api, together, tmp_path):
            until("the new one completes", lambda: _state(client, second[0]) == StateType.COMPLETED)
        assert [] == sweep.fn().restarted, "it is not started again a second time"
        assert 2 == len(_runs(client))
    assert 2 == len(together.charges())


def test_a_run_that_never_began_is_started_again(
    tmp_path: Path, prefect_server: str, together: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker dies between taking it and its first heartbeat: it is Pending until a sweep finds it so for too long.

    One new run comes of it, which pays for what it makes once, and the sweeps after that find nothing.
    """
    monkeypatch.setenv("TOGETHER_BASE_URL", together.url)
    monkeypatch.setenv("TOGETHER_API_KEY", together.api_key)
    monkeypatch.setattr(_lost_runs, "GRACE", 1.0)
    tag = f"tag-{uuid.uuid4().hex}"
    (tmp_path / "unstarted").touch()
    (tmp_path / "go").touch()
    with _served(prefect_server, together, tmp_path, tag) as worker, get_client(sync_client=True) as client:
        until("it is served", lambda: [one for one in client.read_deployments(limit=200) if one.name == f"errand-{tag}"])
        errand = client.read_deployment_by_name(f"errand/errand-{tag}")
        run = client.create_flow_run_from_deployment(errand.id, parameters={"folder": str(tmp_path), "prompt": "a fox"})
        worker.wait(120)
        assert StateType.PENDING == _state(client, run)
        assert [] == sweep.fn(tag=tag).restarted, "a run that may still begin is none that died"
        with ThreadPoolExecutor() as pool:
            looks = [pool.submit(copy_context().run, partial(sweep.fn, tag=tag, pending=0.5)) for _ in range(2)]
            made = {one.restarted for look in looks for one in look.result().restarted}
        assert (StateType.CRASHED, 1) == (_state(client, run), len(made))
        (tmp_path / "unstarted").unlink()
        with _served(prefect_server, together, tmp_path, tag):
            until(
                "the new one completes",
                lambda: {StateType.COMPLETED} == {client.read_flow_run(one).state_type for one in made},
            )
        assert [] == sweep.fn(tag=tag, pending=0.5).restarted
    assert 2 == len(together.charges())


@contextmanager
def _client(api: str) -> Generator[SyncPrefectClient]:
    with (
        temporary_settings({PREFECT_API_URL: api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        get_client(sync_client=True) as client,
    ):
        yield client
