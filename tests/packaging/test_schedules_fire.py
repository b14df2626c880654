"""The versions that were installed together are ones with which a Prefect server starts and schedules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule, IntervalSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.ports import free_port
from tests.shared_server import server_of_people
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.timeout(3 * PATIENCE), pytest.mark.slow]


@flow(name="on-a-schedule")
def on_a_schedule() -> None:
    """Do nothing: it is only scheduled here."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server as people do (a temporary one has no scheduler), and yield the URL of its API."""
    home = tmp_path_factory.mktemp("scheduling")
    port = free_port()
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")}
    with server_of_people(port, environment, home / "server.log", "--no-ui", new_interpreter=True):
        yield f"http://127.0.0.1:{port}/api"


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
        runs = until("its scheduler comes by", lambda: client.read_flow_runs(deployment_filter=of_deployment), every=0.5)
    assert {(StateType.SCHEDULED, True)} == {(run.state_type, run.auto_scheduled) for run in runs}
