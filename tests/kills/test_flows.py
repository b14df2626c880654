"""Prefect flows in processes of their own: killed, terminated, cancelled, left by Prefect's API, and started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import DEAR, PICTURE, POLL, TINY, VIDEOS, job
from .running import Running, Workshop, own_prefect, program

pytestmark = pytest.mark.slow


@contextmanager
def _flow(together: Sandbox, api: str, told: dict[str, Any], flow: str = "called") -> Generator[Running]:
    """Run a job as a Prefect flow."""
    variables = {"PREFECT_API_URL": api, "TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key}
    with program({**told, "flow": flow}, variables) as worker:
        yield worker


def _image_to_video(seed: int | None) -> list[dict[str, Any]]:
    return [{**PICTURE, "seed": seed}, {**TINY, "seed": seed}]


def test_a_killed_flow_is_run_again(prefect_server: str, together: Sandbox, library: Path) -> None:
    """A picture becomes a clip; killed while the clip renders, the next run pays for nothing."""
    told = job(together, library, *_image_to_video(7))
    with _flow(together, prefect_server, {**told, "kill": "polling"}) as worker:
        said = worker.ends()
    assert (-signal.SIGKILL, "polling") == (said["code"], said["at"])
    with _flow(together, prefect_server, told) as worker:
        files = worker.stored()
    assert [True, True] == [file["reused"] for file in files]
    assert 2 == len(together.charges())


def test_a_killed_flow_run_is_retried(prefect_server: str, together: Sandbox, library: Path) -> None:
    """Without a seed, the same flow run scheduled again goes on where it was: same picture, same job, nothing paid."""
    told = job(together, library, *_image_to_video(None))
    with _flow(together, prefect_server, {**told, "kill": "polling"}) as worker:
        run = worker.ends()["flow_run"]
    _schedule(prefect_server, run)
    with _flow(together, prefect_server, {**told, "resume": run}) as worker:
        assert [True, True] == [file["reused"] for file in worker.stored()]
        assert run == worker.ends()["flow_run"]
    assert 2 == len(together.charges())


def test_a_terminated_flow_loses_nothing(prefect_server: str, together: Sandbox, workers: Workshop, library: Path) -> None:
    """SIGTERM while the clip renders ends the process in time, and the next run takes the job, also without a seed."""
    together.fault(POLL, "queued_forever")
    told = job(together, library, TINY)
    with _flow(together, prefect_server, told) as worker:
        until("it polls", lambda: together.count("/v2/videos/", "GET") > 1)
        began = time.monotonic()
        said = worker.kill(signal.SIGTERM)
    assert time.monotonic() - began < 60
    assert said["code"] != 0
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    workers.start({**told, "flow_run": "another"}).stored()
    assert 1 == len(together.charges())


@pytest.mark.parametrize("flow", ["called", "awaited"])
def test_a_flow_terminated_during_the_post_hears_the_answer(
    flow: str, prefect_server: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """SIGTERM leaves time to hear what was paid for: the answer is recorded, and the next run waits for the job."""
    together.fault(VIDEOS, "accept_then_delay", seconds=4)
    told = job(together, library, {**DEAR, "seed": 7})
    with _flow(together, prefect_server, told, flow) as worker:
        until("it is charged", together.charges)
        worker.kill(signal.SIGTERM)
    assert [True] == [file["reused"] for file in workers.start(told).stored()]
    assert 1 == len(together.charges())


def test_a_cancelled_flow_run_loses_nothing(
    prefect_server: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Cancelled in Prefect while the clip renders: the next run takes the job over and pays nothing."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelling

    together.fault(POLL, "queued_forever")
    told = job(together, library, TINY)
    with get_client(sync_client=True) as client, _flow(together, prefect_server, told, "served"):
        until("it is served", lambda: _deployment(client))
        run = client.create_flow_run_from_deployment(_deployment(client).id).id
        until("it polls", lambda: together.count("/v2/videos/", "GET") > 1)
        client.set_flow_run_state(run, Cancelling())
        until("it is cancelled", lambda: _state(client, run) == StateType.CANCELLED)
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    workers.start({**told, "flow_run": "another"}).stored()
    assert 1 == len(together.charges())


def test_prefects_api_may_be_gone(together: Sandbox, workers: Workshop, library: Path, tmp_path: Path) -> None:
    """A Prefect server that dies while the clip renders takes nothing with it: the next run finds the clip."""
    together.fault(POLL, "queued_forever")
    told = job(together, library, {**DEAR, "seed": 7})
    with own_prefect(tmp_path) as (api, server), _flow(together, api, told) as worker:
        until("it polls", lambda: together.count("/v2/videos/", "GET") > 1)
        server.kill()
        server.wait()
        together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
        until("the clip is fetched", lambda: together.count("/files/", "GET") > 0)
        until("it is recorded", lambda: list(library.rglob("*-stored.json")), seconds=20)
        worker.kill()
    files = workers.start(told).stored()
    assert [True] == [file["reused"] for file in files]
    assert 1 == together.count("/files/", "GET")
    assert 1 == len(together.charges())


def _schedule(api: str, run: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Scheduled

    with get_client(sync_client=True) as client:
        assert str(client.api_url).rstrip("/") == api.rstrip("/")
        client.set_flow_run_state(UUID(run), Scheduled(), force=True)


def _state(client: Any, run: UUID) -> Any:
    return client.read_flow_run(run).state_type


def _deployment(client: Any) -> Any:
    """Return the served deployment, or None where it is not there yet."""
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name("making/served")
    except ObjectNotFound:
        return None
