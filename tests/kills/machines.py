"""A work pool on a Prefect server on PostgreSQL and Redis, and machines that work on it: each with a host name and a Prefect home of its own.

A machine is a worker and all that it has started; its host name is `unshare --uts`'s. Asserts nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from tests.waiting import until

from .running import environment, own_prefect

ROOT = Path(__file__).parents[2]
POOL = "films"
AT_ONCE = 3
"""How many runs a machine takes at once."""
FLOWS = {
    "sharded": "flows/sharded.py:sharded",
    "sweep": "flows/sweep.py:sweep_runs",
    "errand": "tests/kills/lost.py:errand",
    "mapped": "tests/kills/suspending.py:mapped",
}


class Machine:
    """A worker of the pool and all processes that come of it."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self.name = name
        self._home = f"PREFECT_HOME={folder / name}".encode()
        self.log = folder / f"{name}.log"
        own = {"PREFECT_HOME": str(folder / name), "PREFECT_PROFILES_PATH": str(folder / name / "profiles.toml")}
        start = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", name]
        start += ["--limit", str(AT_ONCE)]
        # The name is set inside, and seen by all that the worker starts.
        command = ["unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh", *start]
        with self.log.open("wb") as log:
            self._worker = subprocess.Popen(command, env=environment() | variables | own, stdout=log, stderr=log)

    def off(self) -> None:
        """Kill all its processes: runs are in process groups of their own and outlive the worker that started them."""
        while processes := list(self._processes()):
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._worker.wait()

    def pause(self) -> None:
        """Let the worker stand still: it takes no runs."""
        self._worker.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the worker go on."""
        self._worker.send_signal(signal.SIGCONT)

    def _processes(self) -> Generator[int]:
        for path in Path("/proc").iterdir():
            with suppress(OSError):  # it is another user's, or has ended
                if path.name.isdecimal() and self._home in (path / "environ").read_bytes().split(b"\0"):
                    yield int(path.name)


@dataclass
class Pool:
    """The work pool, its server, and its machines."""

    client: SyncPrefectClient
    folder: Path
    library: Path
    machines: list[Machine] = field(default_factory=list[Machine])

    def deploy(self, flow: str) -> None:
        """Deploy a flow into the pool, from the folder of this project as `prefect.yaml` has it."""
        here = [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
        self.client.create_deployment(
            self.client.create_flow_from_name(flow), flow, entrypoint=FLOWS[flow], path=".", pull_steps=here,
            work_pool_name=POOL, tags=["together"], enforce_parameter_schema=False,
        )  # fmt: skip

    def start(self, flow: str, **parameters: Any) -> FlowRun:
        """Start a run of a flow on any of the machines."""
        found = self.client.read_deployment_by_name(f"{flow}/{flow}")
        return self.client.create_flow_run_from_deployment(found.id, parameters=parameters)

    def process(self, run: FlowRun) -> int:
        """Wait until a run has a process, and return its id."""
        until(f"{run.name} has a process", lambda: self.client.read_flow_run(run.id).infrastructure_pid, every=0.5)
        return int(self.client.read_flow_run(run.id).infrastructure_pid or 0)

    def comes_to(self, run: FlowRun, wanted: StateType) -> State:
        """Wait until a run is in a state, and return that; one that ended in another one never will be."""

        def there() -> bool:
            state = self._state(run)
            assert state.type == wanted or not state.is_final(), f"{run.name}: {state}\n{self._said()}"
            return state.type == wanted

        until(f"{run.name} is {wanted}", there, every=0.5)
        return self._state(run)

    def result(self, run: FlowRun) -> Any:
        """Wait until a run completes, and return what its flow did."""
        return self.comes_to(run, StateType.COMPLETED).result()

    def runs(self, flow: str) -> list[FlowRun]:
        """Return the runs of a flow, the oldest first."""
        found = self.client.read_deployment_by_name(f"{flow}/{flow}")
        runs = [run for run in self.client.read_flow_runs(limit=50) if run.deployment_id == found.id]
        return sorted(runs, key=lambda run: str(run.created))

    def _state(self, run: FlowRun) -> State:
        state = self.client.read_flow_run(run.id).state
        assert state is not None
        return state

    def _said(self) -> str:
        return "\n".join(f"{one.name}: {one.log.read_text(errors='replace')[-3000:]}" for one in self.machines)


def skip_without_machines() -> None:
    """Skip where machines cannot have names of their own, or Prefect cannot use Redis."""
    allowed = (
        shutil.which("unshare")
        and not subprocess.run(["unshare", "--uts", "true"], check=False, stderr=subprocess.DEVNULL).returncode
    )
    if not allowed:
        pytest.skip("Processes get no host names of their own here: `unshare --uts` is not there or not allowed")
    pytest.importorskip("prefect_redis", reason="prefect-redis is not installed here")


@contextmanager
def work_pool(folder: Path, postgresql: str, redis_port: int, variables: dict[str, str]) -> Generator[Pool]:
    """Run a server and two machines, and yield their pool.

    Args:
        folder: Where all of them keep what is theirs, and the media library that they share.
        postgresql: The URL of an empty database.
        redis_port: Where Redis listens.
        variables: What the machines need to know besides.
    """
    library = folder / "library"
    with ExitStack() as stack:
        api, _ = stack.enter_context(own_prefect(folder, **_on(postgresql, redis_port)))
        stack.enter_context(temporary_settings({PREFECT_API_URL: api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
        pool = Pool(stack.enter_context(get_client(sync_client=True)), folder, library)
        pool.client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        for flow in FLOWS:
            pool.deploy(flow)
        theirs = {
            "PREFECT_API_URL": api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # the least that Prefect takes
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(library),
            "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
            "PREFECT_LOCAL_STORAGE_PATH": str(folder / "results"),
            **variables,
        }
        for number in (1, 2):
            pool.machines.append(Machine(f"machine-{number}", folder, theirs))
            stack.callback(pool.machines[-1].off)
        yield pool


def _on(postgresql: str, redis_port: int) -> dict[str, str]:
    """Return the settings of a server on both, as `compose.yaml` has them."""
    return {
        "PREFECT_API_DATABASE_CONNECTION_URL": postgresql.replace("postgresql://", "postgresql+asyncpg://"),
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis_port}/1",
    }
