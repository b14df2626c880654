"""Which process holds something, and whether it still runs: no other process is ever mistaken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_together._internal import process as owners
from prefect_together._internal.process import ProcessId, this_process
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

CHILD = """
import sys
from prefect_together._internal.process import this_process
print(this_process().model_dump_json(), flush=True)
sys.stdin.read()
"""

HEADLESS = """
import ctypes, sys, threading
from prefect_together._internal.process import this_process
threading.Thread(target=sys.stdin.read).start()
print(this_process().model_dump_json(), flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def child() -> Iterator[tuple[Any, ProcessId]]:
    """Run another process that says who it is and waits until its input ends."""
    started = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with started as process:
        assert process.stdout is not None
        yield process, ProcessId.model_validate_json(process.stdout.readline())
        process.kill()


def dead(process: Any) -> None:
    """Let a process become a corpse that nobody has buried yet."""
    process.kill()
    look_dead(process)


def look_dead(process: Any) -> None:
    """Wait until the system calls a process a corpse."""
    stat = Path(f"/proc/{process.pid}/stat")
    until("it is dead", lambda: "Z" == stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0])


def test_this_process_runs() -> None:
    """We hold what we hold."""
    assert this_process().is_alive() is True
    assert os.getpid() == this_process().pid
    assert this_process() == this_process()


def test_a_process_runs_while_a_thread_of_it_does() -> None:
    """Its first thread has ended and it looks like a corpse, but another thread may still be writing to the ledger."""
    started = subprocess.Popen([sys.executable, "-c", HEADLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with started as process:
        assert process.stdout is not None
        owner = ProcessId.model_validate_json(process.stdout.readline())
        look_dead(process)
        assert owner.is_alive() is True
        process.kill()
        process.wait()
        assert owner.is_alive() is False


def test_an_owner_survives_json() -> None:
    """It is read back from the ledger as the same process."""
    again = ProcessId.model_validate(json.loads(this_process().model_dump_json()))
    assert this_process() == again
    assert again.is_alive() is True


def test_another_process_runs_until_it_ends(child: tuple[Any, ProcessId]) -> None:
    """It is seen at once, and its end is too."""
    process, owner = child
    assert process.pid == owner.pid
    assert this_process() != owner
    assert this_process().machine == owner.machine
    assert owner.is_alive() is True
    process.stdin.close()
    process.wait(timeout=10)
    assert owner.is_alive() is False


def test_a_corpse_does_not_run(child: tuple[Any, ProcessId]) -> None:
    """A process that died and whose parent has not noticed yet holds nothing."""
    process, owner = child
    dead(process)
    assert owner.is_alive() is False


def test_a_pid_that_is_used_again_is_another_process(child: tuple[Any, ProcessId]) -> None:
    """Pids come again; the time of the start does not."""
    _, owner = child
    earlier = owner.model_copy(update={"started": str(int(owner.started or 0) - 1)})
    assert earlier.is_alive() is False
    assert this_process().model_copy(update={"started": "1"}).is_alive() is False


def test_another_machine_cannot_be_asked(child: tuple[Any, ProcessId]) -> None:
    """Nothing is known of it, whatever runs here under the same pid."""
    _, owner = child
    assert owner.model_copy(update={"machine": "0" * 16}).is_alive() is None
    assert this_process().model_copy(update={"machine": "0" * 16}).is_alive() is None


def test_a_system_that_does_not_tell_is_not_guessed(child: tuple[Any, ProcessId]) -> None:
    """Without a time of start a pid alone proves nothing."""
    _, owner = child
    assert owner.model_copy(update={"started": None}).is_alive() is None


def test_a_command_with_brackets_is_read(tmp_path: Any) -> None:
    """The second field of /proc/…/stat may hold anything, also what looks like other fields."""
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([str(odd), "30"]) as process:
        try:
            found = this_process().model_copy(update={"pid": process.pid, "started": "not this"})
            assert found.is_alive() is False
            started = owners._started(process.pid)  # pyright: ignore[reportPrivateUsage]
            assert started is not None
            assert started.isdigit()
            assert found.model_copy(update={"started": started}).is_alive() is True
        finally:
            process.kill()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12 and later say so
def test_a_forked_child_is_another_owner() -> None:
    """What the parent found out about itself is not believed of the child."""
    parent = this_process()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, this_process().model_dump_json().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        child = ProcessId.model_validate_json(answer.read())
    os.waitpid(pid, 0)
    assert (pid, parent.machine) == (child.pid, child.machine)
    assert child.is_alive() is False
