"""Runs that wait without a process: suspended, resumed by a sweep, killed at any point of it; nothing is paid for twice."""

from __future__ import annotations

import csv
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags, TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, StateType

from prefect_together import Sweep, sweep
from prefect_together.sandbox import Sandbox
from prefect_together.tasks import _suspended_runs
from tests.forking import Process
from tests.promises.batching import cancel_all
from tests.waiting import until

from .asking import POLL, VIDEOS
from .running import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SERVE = Path(__file__).with_name("suspending.py")


@dataclass
class Served:
    """Flows that a process of its own serves, and the runs of them."""

    client: SyncPrefectClient
    tag: str
    folder: Path

    def start(self, flow: str, **parameters: Any) -> FlowRun:
        """Start a run."""
        found = self.client.read_deployment_by_name(f"{flow}/{flow}-{self.tag}")
        return self.client.create_flow_run_from_deployment(found.id, parameters=parameters)

    def comes_to(self, run: FlowRun, *states: str) -> FlowRun:
        """Wait until a run is in a state."""
        until(f"{run.name} is {states}", lambda: self.is_in(run, *states))
        return self.client.read_flow_run(run.id)

    def sweeps_until(self, *runs: FlowRun, state: str) -> None:
        """Sweep until runs are in a state."""
        for run in runs:
            until(f"{run.name} is {state}", lambda run=run: _swept() and self.is_in(run, state))

    def is_in(self, run: FlowRun, *states: str) -> bool:
        """Tell whether a run is in one of some states; one that ended in another one will never be."""
        now = self.client.read_flow_run(run.id).state
        assert now is not None
        assert now.name in states or not now.is_final(), (now, (self.folder / "log").read_text()[-4000:])
        return now.name in states

    def passes(self) -> list[int]:
        """Return the processes of all passes."""
        said = self.folder / "passes"
        return [int(line.split()[1]) for line in said.read_text().splitlines()] if said.exists() else []

    def no_process_waits(self) -> None:
        """Wait until the processes of all passes have ended."""
        until("no process waits", lambda: not any(_runs(pid) for pid in self.passes()))


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def served(
    prefect_server: str, together: Sandbox, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """Serve the flows; the sweeps are this process's."""
    variables = {
        "TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key,
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(library),
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tag, more = f"tag-{uuid.uuid4().hex}", {"PREFECT_API_URL": prefect_server, "SUSPENDING": str(tmp_path)}
    more |= {"PREFECT_RUNNER_POLL_FREQUENCY": "1", "PREFECT_LOGGING_LEVEL": "INFO"}
    log = (tmp_path / "log").open("w")
    process = Process([str(SERVE), tag], env=environment() | variables | more, out=log)
    with get_client(sync_client=True) as client:
        try:
            wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[tag]))
            until("they are served", lambda: 6 == sum(tag in one.tags for one in client.read_deployments(limit=200)))
            yield Served(client, tag, tmp_path)
            assert not [
                run for run in client.read_flow_runs(flow_run_filter=wanted) if not (run.state and run.state.is_final())
            ]
        finally:
            process.terminate()
            process.wait(60)
            log.close()


def _swept() -> Sweep:
    return sweep.fn(restarts=0)


def test_runs_wait_without_a_process(served: Served, together: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """All jobs are submitted, then the processes end; when all are done the runs go on, and nothing is paid for twice.

    So it is with clips that are mapped, with clips one after the other in an async flow, which is suspended for each, and
    with a batch at Together. A sweep that dies before it resumes is no harm. No task run is left Running.
    """
    together.fault(POLL, "queued_forever")
    together.fault("POST /v1/batches", "stuck_validating", seconds=30)
    runs = [served.start("mapped", count=3), served.start("awaited", count=2), served.start("asked", count=2)]
    for run in runs:
        served.comes_to(run, "Suspended")
    served.no_process_waits()
    assert 4 == together.count("/v2/videos", "POST")
    assert ([], 5) == ((found := _swept()).resumed, found.open)
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]

    async def dies(*_: object) -> list[object]:
        raise SystemError

    with monkeypatch.context() as patch:
        patch.setattr(_suspended_runs.Suspended, "resume", dies)
        with pytest.raises(SystemError):
            _swept()
    served.sweeps_until(*runs, state="Completed")
    assert (5, 1, 2) == (
        together.count("/v2/videos", "POST"), together.count("/v1/batches", "POST"), len(together.charges()) - 5
    )  # fmt: skip
    of_them = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id for run in runs]))
    until(
        "no task run is left",
        lambda: StateType.RUNNING not in {one.state_type for one in served.client.read_task_runs(task_run_filter=of_them)},
    )


def test_what_goes_badly_meanwhile(served: Served, together: Sandbox) -> None:
    """A run that dies on its way into the suspension, one whose job fails, and one whose time is up.

    The first is started again and pays nothing; the second fails with the job's error, and submits nothing again; the third
    is resumed by the first sweep after its time, and says that its job still runs.
    """
    together.fault(POLL, "queued_forever")
    together.fault(VIDEOS, "failed", match="clip 1")
    dead, fails, late = served.start("killed", count=2), served.start("mapped", count=2), served.start("late", seconds=2)
    served.comes_to(dead, "Crashed")
    (made,) = sweep.fn(tag=served.tag).restarted
    again = served.client.read_flow_run(made.restarted)
    for run in (again, fails):
        served.comes_to(run, "Suspended")
    served.sweeps_until(late, state="TimedOut")
    assert "still runs after the 2 s" in (served.folder / "late").read_text()
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    served.sweeps_until(again, state="Completed")
    served.sweeps_until(fails, state="Failed")
    assert "GenerationFailed" in str(served.client.read_flow_run(fails.id).state)
    assert 5 == together.count("/v2/videos", "POST")


def test_a_table_waits_without_a_process(served: Served, together: Sandbox) -> None:
    """A table by way of batches at Together: no process waits, and each row is charged once, whatever happens.

    Its run dies on its way into the suspension, and is started again. The batch was cancelled; the next one expires half
    answered, and the third is cancelled too: what three batches did not answer has failed, however often the run was
    suspended. The table has each row once, and what this run has paid for is not said to be reused.
    """
    for fault, seconds in (("stuck_validating", 600), ("expired", None), ("stuck_validating", 600)):
        together.fault("POST /v1/batches", fault, seconds=seconds)
    dead = served.start("table", count=4)
    served.comes_to(dead, "Crashed")
    cancel_all(together)
    (made,) = sweep.fn(tag=served.tag).restarted
    run = served.client.read_flow_run(made.restarted)
    until("the third batch is sent", lambda: _swept() and 3 == len(together.batches()))
    served.comes_to(run, "Suspended")
    served.no_process_waits()
    cancel_all(together)
    served.sweeps_until(run, state="Completed")
    with (served.folder / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert ["0", "1", "2", "3"] == [row["number"] for row in rows]
    assert {"kept": 2, "failed": 2} == Counter(row["status"] for row in rows)
    assert 2 == sum("3 batches at Together did not answer it" in row["error"] for row in rows)
    assert (3, 2) == (len(together.batches()), len(together.charges()))
    assert str(sum(charge.usd or 0 for charge in together.charges())) == (served.folder / "table.txt").read_text()
