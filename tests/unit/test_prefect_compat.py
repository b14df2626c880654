"""What this package relies on and Prefect does not document, seen on Prefect 3.8.8 and 3.9.1: a test for each assumption."""

from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import Task, flow, task
from prefect.context import TaskRunContext
from prefect.exceptions import Pause
from prefect.states import Completed

from prefect_together._internal import prefect_compat as compat


@pytest.mark.slow
def test_clients_share_the_temporary_server() -> None:
    """A client without an API asks for the same instance that we start, by its class."""
    from prefect.client import orchestration
    from prefect.server.api.server import SubprocessASGIServer

    assert SubprocessASGIServer() is SubprocessASGIServer()
    assert "SubprocessASGIServer()" in inspect.getsource(orchestration)


def test_hooks_at_the_end_come_before_prefects() -> None:
    """What is registered after Prefect has begun to send events runs while they can still be sent."""
    code = (
        "from prefect_together._internal.prefect_compat import before_prefects_services_end as end\n"
        "import threading, concurrent.futures.thread\n"
        "end(lambda: print(threading.main_thread().is_alive(), concurrent.futures.thread._shutdown))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "True False" == run.stdout.strip()


def test_a_wait_outside_of_flows_needs_no_prefect() -> None:
    """A command that takes longer than a second does not import Prefect to learn that no flow waits for it."""
    code = (
        "import asyncio, sys\n"
        "from prefect_together._internal.event_loop import run\n"
        "run(asyncio.sleep(1.2))\n"
        "print('prefect' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "False" == done.stdout.strip()


@pytest.mark.usefixtures("prefect_server")
def test_a_name_may_tag_its_run() -> None:
    """Tags that are added while the run's name is asked for are those of the run."""

    def named() -> str:
        context = TaskRunContext.get()
        assert context is not None
        compat.tag_run(context, "a-model")
        compat.tag_run(context, "a-model")
        return "named"

    @task(task_run_name=named)
    def tagged() -> list[str]:
        context = TaskRunContext.get()
        assert context is not None
        return list(context.task_run.tags)

    @flow
    def tagging() -> list[str]:
        return tagged()

    assert 1 == tagging().count("a-model")


@pytest.mark.usefixtures("prefect_server")
def test_a_retry_condition_reads_the_error_off_the_state() -> None:
    """A condition is given a failed state whose data is the exception itself."""
    seen: list[object] = []

    def condition(_task: Any, _run: Any, state: Any) -> bool:
        seen.append(compat.error_of(state))
        return len(seen) < 2

    @task(retries=2, retry_condition_fn=condition)
    def failing() -> None:
        raise KeyError("a")

    @flow
    def retrying() -> None:
        failing()

    with pytest.raises(KeyError):
        retrying()
    assert [KeyError, KeyError] == [type(error) for error in seen]


@pytest.mark.usefixtures("prefect_server")
def test_a_state_that_a_task_returns_comes_to_its_caller() -> None:
    """The caller gets the state, whose result is read without asking the server."""

    @task(persist_result=True)
    def stating() -> Any:
        return Completed(message="said", data=7)

    @flow
    def asking() -> Any:
        return compat.result_of(stating())

    assert 7 == asking()


def test_options_make_a_plain_task() -> None:
    """``with_options`` forgets the class of a task, and gives it back when it is told."""

    class Own(Task[[], int]):
        """A task with a class of its own."""

    original = Own(lambda: 1, name="own")
    made = original.with_options(retries=1)
    assert Task is type(made)
    compat.keep_class(made, original)
    assert Own is type(made)
    assert 1 == made.retries


def test_the_answer_of_a_pause_has_a_key() -> None:
    """What was answered to a pause is found by the key that its state names."""
    from prefect.input.run_input import keyset_from_paused_state
    from prefect.states import Paused

    assert "review" in keyset_from_paused_state(Paused(pause_key="review"))["response"]


def test_wrong_parameters_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Each as pydantic tells it, with its place and kind, and nothing of it is in the log."""

    @flow
    def made(width: int, names: list[int]) -> None:
        """Do nothing."""

    assert [] == compat.wrong_parameters(made, {"width": 1, "names": []})
    found = compat.wrong_parameters(made, {"width": "wide", "names": ["x"]})
    assert [("width",), ("names", 0)] == [problem["loc"] for problem in found]
    assert {"int_parsing"} == {problem["type"] for problem in found}
    assert [] == caplog.records


def test_the_loggers_of_runs_are_filtered(prefect_server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What Prefect logs of a failed task and flow passes a filter of ours, with the error."""
    seen: list[tuple[str, str]] = []

    class Seeing(logging.Filter):
        """Note which errors are logged where."""

        def filter(self, record: logging.LogRecord) -> bool:
            """Take note."""
            if record.exc_info:
                seen.append((record.name, str(record.exc_info[1])))
            return True

    seeing = Seeing()
    compat.filter_run_logs(seeing)

    @task
    def failing() -> None:
        raise ValueError("as meant")

    @flow
    def fails() -> None:
        failing()

    try:
        fails(return_state=True)
    finally:
        for name in ("prefect.flow_runs", "prefect.task_runs"):
            logging.getLogger(name).removeFilter(seeing)
    assert {("prefect.task_runs", "as meant"), ("prefect.flow_runs", "as meant")} == set(seen)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("reason", [KeyboardInterrupt, SystemExit])
def test_a_thread_learns_that_its_flow_is_cut_off(reason: type[BaseException]) -> None:
    """A task in Prefect's thread pool can tell that what goes through its flow will not come back for its result."""
    begun, told = threading.Event(), list[bool]()

    @task
    def working() -> None:
        told.append(compat.flow_is_cut_off())
        begun.set()
        for _ in range(300):
            if compat.flow_is_cut_off():
                told.append(True)
                return
            time.sleep(0.1)  # noqa: TID251 - Prefect's thread waits without end for this one

    @flow
    def interrupted() -> None:
        cast("Any", working).submit()
        begun.wait(60)
        raise reason

    with pytest.raises(reason):
        interrupted()
    assert [False, True] == told


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("error", [None, ValueError("it failed"), Pause("it is suspended")])
def test_a_thread_of_a_flow_that_ends_by_itself_goes_on(error: BaseException | None) -> None:
    """A flow that returns, fails or is suspended before its tasks are done waits for them: nothing paid is cut off."""
    begun, told = threading.Event(), list[bool]()

    @task
    def working() -> None:
        begun.set()
        for _ in range(10):
            told.append(compat.flow_is_cut_off())
            time.sleep(0.1)  # noqa: TID251 - Prefect's thread waits without end for this one

    @flow
    def ending() -> None:
        cast("Any", working).submit()
        begun.wait(60)
        if error:
            raise error

    with suppress(Pause):  # the flow's engine lets it through: whoever started the run ends its process
        ending(return_state=True)
    assert [False] * 10 == told


@pytest.mark.slow
@pytest.mark.parametrize("place", [".env", "prefect.toml", "pyproject.toml", "profiles.toml", "environment", "home", "none"])
def test_the_library_is_where_prefect_says(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds the default library where the block does, though it asks Prefect only where it has to."""
    home, said = tmp_path / "home", str(tmp_path / "said")
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", raising=False)
    inside = f'[integrations.together]\nlibrary = "{said}"\n'
    written = {
        ".env": f"PREFECT_INTEGRATIONS_TOGETHER_LIBRARY={said}",
        "prefect.toml": inside,
        "pyproject.toml": inside.replace("[", "[tool.prefect."),
        "profiles.toml": f'active = "x"\n[profiles.x]\nPREFECT_INTEGRATIONS_TOGETHER_LIBRARY = "{said}"\n',
    }
    if place in written:
        (home if place == "profiles.toml" else tmp_path).joinpath(place).write_text(written[place], encoding="utf-8")
    variables = {"environment": {"PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": said}, "none": {"HOME": str(home)}}
    given = variables.get(place, {"PREFECT_HOME": str(home)})
    hidden = ("PREFECT_HOME", "PREFECT_PROFILES_PATH", *written)
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    code = (
        "import sys; from prefect_together.cli.libraries import located; print(located(None).url, 'prefect' in sys.modules)\n"
        "from prefect_together import MediaLibrary; print(MediaLibrary().storage().url)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**inherited, **given}, capture_output=True, text=True, timeout=120, check=False
    )
    (url, asked), (expected,) = (line.split() for line in done.stdout.splitlines())
    assert expected == url, done.stderr
    assert str(place in written) == asked
