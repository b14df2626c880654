"""The documentation's commands, as they stand: from nothing to a schedule that fires, served by one process and by a worker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.ports import free_port
from tests.waiting import PATIENCE, until

from .conftest import ROOT, Prefect, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

BLOCKS = re.findall(
    r"^```console\n(.*?)^```", (ROOT / "docs/how-to/schedules.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("make") or not shutil.which("bash"), reason="these commands need make and bash"),
    pytest.mark.timeout(4 * PATIENCE),
]


def commands(containing: str) -> list[str]:
    """Return the commands of the page's only block that has one with these words."""
    (block,) = [block for block in BLOCKS if containing in block]
    assert all(line.startswith("$ ") for line in block.splitlines())
    return [line.removeprefix("$ ") for line in block.splitlines()]


class Terminal(Prefect):
    """A shell in the project's folder, into which the page's commands are typed.

    They run as they stand, but for the ports, which may be taken here; for the environment that ``make`` would set up, which is
    that of the tests; and for the minute between two runs of a schedule. Not much less: each run is a process, and they pile up.
    """

    def __init__(self, home: Path) -> None:
        prefect, together = free_port(), free_port()
        super().__init__(f"http://127.0.0.1:{prefect}", home)
        # What `make test ARGS=-x` was given is not for the commands.
        of_our_make = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
        for name in {"PREFECT_API_URL", "PREFECT_UI_API_URL", *of_our_make}:
            self.environment.pop(name, None)
        self.environment |= {
            "PREFECT_SERVER_API_PORT": str(prefect),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
            "PREFECT_CLI_PROMPT": "true",  # as for a person: a question that comes up finds no answer here, and fails
        }
        bin_ = Path(sys.executable).parent
        make = f"make -o .venv/.ready BIN={bin_}"
        self._here = {
            "make sandbox": f"{make} sandbox ARGS='--port {together}'",
            "make ": f"{make} ",
            ".venv/bin/": f"{bin_}/",
            "127.0.0.1:4200": f"127.0.0.1:{prefect}",
            "127.0.0.1:8484": f"127.0.0.1:{together}",
            "--every 60": "--every 40",
            "--interval 60": "--interval 20",
        }
        self.log = home / "terminal.log"
        self.foreground = home / "foreground.pid"

    def type(self, *typed: list[str]) -> subprocess.Popen[bytes]:
        """Type blocks of commands; the last command of each stays, until it is interrupted."""
        lines = ["set -x"]
        for block in typed:
            lines += [*block[:-1], f"{block[-1].partition('  #')[0]} & echo $! > {self.foreground}; wait $!"]
        script = "\n".join(lines)
        for shown in self._here:
            assert shown in script, f"the page has no {shown!r} any more"
        script = re.sub("|".join(map(re.escape, self._here)), lambda found: self._here[found.group()], script)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                ["bash", "-c", script], cwd=ROOT, env={**self.environment, "PWD": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def interrupt(self) -> None:
        """End the command in the foreground, after which the next one is typed."""
        os.kill(int(self.foreground.read_text()), signal.SIGTERM)

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Return the deployments by name; none while the server is not there."""
        try:
            return {one["name"]: one for one in self.ask("deployments/filter", {"limit": 50})}
        except OSError:
            return {}

    def scheduled(self, deployment: str, **more: Any) -> list[dict[str, Any]]:
        """Return the runs of a deployment that its schedule began and that completed."""
        if deployment not in self.deployments():
            return []
        wanted = {
            "deployment_id": {"any_": [self.deployments()[deployment]["id"]]},
            "state": {"type": {"any_": ["COMPLETED"]}},
        }
        runs = self.runs(flow_runs=wanted)
        return [run for run in runs if run["auto_scheduled"] and more.items() <= run.items()]


class Seen(NamedTuple):
    """A scheduled run that completed, and the deployments as they were then."""

    run: dict[str, Any]
    deployments: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Type the five commands, then, once the one that serves is interrupted, those with a worker."""
    terminal = Terminal(tmp_path_factory.mktemp("readme"))
    shell = terminal.type(commands("flows/serve.py --every"), commands("prefect deploy --all"))
    try:
        yield terminal
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(shell.pid, number)
            except ProcessLookupError:
                break
            ends = time.monotonic() + 20
            while time.monotonic() < ends and _lives(shell):
                time.sleep(0.2)


@pytest.fixture(scope="module")
def served(terminal: Terminal) -> Seen:
    """Wait for a run of the flows that one process serves."""
    return _seen(terminal, "daily-picture")


@pytest.fixture(scope="module")
def on_a_worker(terminal: Terminal, served: Seen) -> Seen:
    """Interrupt the process that serves, and wait for a run on the worker that is typed next."""
    terminal.interrupt()
    seen = _seen(terminal, "nightly-reconcile", work_pool_name="films")
    terminal.pause(one["id"] for one in seen.deployments.values())
    return seen


def _seen(terminal: Terminal, deployment: str, **more: Any) -> Seen:
    try:
        run = until("a scheduled run is over", lambda: terminal.scheduled(deployment, **more), every=0.5)[0]
    except TimeoutError:
        pytest.fail(terminal.log.read_text(errors="replace")[-4000:])
    return Seen(run, terminal.deployments())


def test_five_commands_serve_a_schedule(terminal: Terminal, served: Seen) -> None:
    """Typed one after the other without a pause, they end in scheduled runs that complete, on the local Together."""
    assert 5 == len(commands("flows/serve.py --every"))
    assert served.run["work_pool_name"] is None
    assert {"together", "scheduled", "auto-scheduled"} <= set(served.run["tags"])
    assert list((terminal.home / "library" / "videos").rglob("*.mp4"))


def test_a_worker_runs_what_prefect_yaml_schedules(terminal: Terminal, on_a_worker: Seen) -> None:
    """After `serve.py` ended, the same deployments run on a worker, with the schedules of `prefect.yaml` and no question asked."""
    assert on_a_worker.run["infrastructure_pid"]
    schedules = {name: [one["schedule"] for one in found["schedules"]] for name, found in on_a_worker.deployments.items()}
    assert ["0 7 * * *"] == [one.get("cron") for one in schedules["daily-picture"]]
    assert {"0 3 * * *", 20.0} == {one.get("cron") or one.get("interval") for one in schedules["nightly-reconcile"]}
    assert [] == schedules["storyboard"]
    assert not any(found["paused"] for found in on_a_worker.deployments.values())
    # A question stops `make ui &` in a terminal, since what runs in the background may not read there.
    assert [] == re.findall(r"^\? .*", terminal.log.read_text(errors="replace"), re.MULTILINE)


def test_the_ui_shows_it_as_scheduled(page: Page, terminal: Terminal, on_a_worker: Seen, ui: str) -> None:
    """The run's page says that a schedule began it, and on which pool it ran; the deployment's page says how often."""
    run = on_a_worker.run
    see(page, terminal, ui, f"runs/flow-run/{run['id']}")
    for words in ("auto-scheduled", "Completed", "films", "nightly-reconcile"):
        page.get_by_text(words, exact=True).first.wait_for()
        assert page.get_by_text(words, exact=True).first.is_visible()
    shoot(page, f"scheduled-run-{ui}")
    see(page, terminal, ui, f"deployments/deployment/{run['deployment_id']}")
    page.get_by_text("Every 20 seconds").first.wait_for()
    page.get_by_text("At 03:00 AM").first.wait_for()
    shoot(page, f"scheduled-deployment-{ui}")


def _lives(shell: subprocess.Popen[bytes]) -> bool:
    shell.poll()
    try:
        os.killpg(shell.pid, 0)
    except ProcessLookupError:
        return False
    return True
