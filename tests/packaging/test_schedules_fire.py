"""The versions that were installed together are ones with which a Prefect server starts and schedules."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule, IntervalSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings

PATIENCE = 150
"""Seconds for a server to start, and again for its scheduler to come by, on a machine that has other work."""

pytestmark = [pytest.mark.timeout(3 * PATIENCE), pytest.mark.slow]


@flow(name="on-a-schedule")
def on_a_schedule() -> None:
    """Do nothing: it is only scheduled here."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server as people do (a temporary one has no scheduler), and yield the URL of its API."""
    home = tmp_path_factory.mktemp("scheduling")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"],
            env={**os.environ, "PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")},
            stdout=said, stderr=said,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/api"
    try:
        ends = time.monotonic() + PATIENCE
        while not _is_healthy(url):
            if process.poll() is not None or time.monotonic() > ends:
                pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(CronSchedule(cron="*/5 * * * *"), id="cron"),
        pytest.param(IntervalSchedule(interval=timedelta(minutes=5)), id="interval"),
    ],
)
def test_a_schedule_fires(server: str, schedule: SCHEDULE_TYPES) -> None:
    """The server makes a deployment's scheduled runs by itself, with the FastAPI and the SQLAlchemy that are here."""
    with temporary_settings({PREFECT_API_URL: server}), get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(on_a_schedule),
            name=type(schedule).__name__,
            schedules=[DeploymentScheduleCreate(schedule=schedule, active=True)],
        )
        of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        ends = time.monotonic() + PATIENCE
        while not (runs := client.read_flow_runs(deployment_filter=of_deployment)):
            assert time.monotonic() < ends, "its scheduler never came by"
            time.sleep(0.5)
    assert {(StateType.SCHEDULED, True)} == {(run.state_type, run.auto_scheduled) for run in runs}
