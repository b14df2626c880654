"""Starts workers, kills them, and hears what they say; makes nothing itself."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.forking import Process
from tests.ports import free_port
from tests.shared_server import MIGRATED, database, server_of_people
from tests.waiting import PATIENCE, until

WORKER = Path(__file__).with_name("worker.py")


class Running:
    """A worker that runs.

    Args:
        lines: What it says.
        pid: Its id, where it is known from outside.
        ended: Waits for its end and returns its exit code, where that is known from outside.
    """

    patience = PATIENCE
    """Seconds to wait for its end."""

    def __init__(self, lines: IO[str], pid: int | None = None, ended: Callable[[], int] | None = None) -> None:
        self._said: dict[str, Any] = {}
        self._over = False
        self._ended = ended
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()
        self.pid: int = pid or self.says("pid")

    def says(self, what: str) -> Any:
        """Wait until it has said something, and return it."""
        ends = time.monotonic() + self.patience
        while what not in self._said:
            line = self._next(ends - time.monotonic(), f"the worker says {what!r}")
            assert line is not None, f"the worker ended and never said {what!r}, only {self._said}"
            self._said |= line
        return self._said[what]

    def ends(self) -> dict[str, Any]:
        """Wait for its end and return all that it said, with its exit code."""
        while not self._over:
            line = self._next(self.patience, "the worker ends")
            self._over = line is None
            self._said |= line or {}
        if self._ended is not None:
            self._said["code"] = self._ended()
        return self._said

    def _next(self, seconds: float, what: str) -> dict[str, Any] | None:
        try:
            return self._lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise TimeoutError(f"waited until {what}, and it said only {self._said}") from None

    def kill(self, by: signal.Signals = signal.SIGKILL) -> dict[str, Any]:
        """Send it a signal and wait for its end."""
        os.kill(self.pid, by)
        return self.ends()

    def stored(self) -> list[dict[str, Any]]:
        """Wait for the end of one that should succeed and return its files."""
        said = self.ends()
        assert (0, "stored") == (said["code"], said.get("outcome")), said
        return said["files"]

    def _listen(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.startswith("{"):
                    self._lines.put(json.loads(line))
        self._lines.put(None)


class Workshop:
    """Starts workers in forks of one process that has imported everything."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def start(self, job: dict[str, Any]) -> Running:
        """Start a worker."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path)
            connection.sendall(json.dumps(job).encode() + b"\n")
            return Running(connection.makefile("r", encoding="utf-8"))


def at_once(workers: Workshop, jobs: list[dict[str, Any]], gate: Path) -> list[Running]:
    """Start workers that begin at the same moment: when all of them are ready."""
    running = [workers.start({**told, "gate": str(gate)}) for told in jobs]
    for worker in running:
        worker.says("ready")
    gate.touch()
    return running


@contextmanager
def workshop(folder: Path) -> Generator[Workshop]:
    """Open a workshop and close it at the end."""
    path = folder / "workers"
    process = Process([str(WORKER), "--listen", str(path)], env=environment(), out=sys.__stderr__)
    try:
        until("the workshop listens", path.exists)
        yield Workshop(path)
    finally:
        process.kill()
        process.wait()


@contextmanager
def command(arguments: list[str], **variables: str) -> Generator[Process]:
    """Start a Python command whose words are to be read, and make sure that it ends."""
    with Process(arguments, env=environment() | variables) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def program(job: dict[str, Any], variables: dict[str, str] | None = None, *, anew: bool = False) -> Generator[Running]:
    """Start a worker as a program of its own, and make sure that it ends.

    Args:
        job: What it does.
        variables: Of its environment.
        anew: Whether it is a new interpreter, which has imported nothing.
    """
    command, given = [str(WORKER), json.dumps(job)], environment() | (variables or {})
    if anew:
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=given)
    else:
        process = Process(command, env=given)
    assert process.stdout is not None
    try:
        yield Running(process.stdout, process.pid, process.wait)
    finally:
        process.kill()
        process.wait()


def environment() -> dict[str, str]:
    """Return the environment of this process, without what would make a difference."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@contextmanager
def own_prefect(folder: Path, **variables: str) -> Generator[tuple[str, Process | subprocess.Popen[bytes]]]:
    """Run a Prefect server that may be killed, and yield the URL of its API. What a folder's server knew, its next one knows.

    Args:
        folder: Where it keeps what is its own.
        variables: Of its environment: what a server reads while it is imported, such as its database and its broker.
    """
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    home = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"), **variables}
    if not variables:
        database(folder / "prefect" / "prefect.db")
        home |= MIGRATED
    log = folder / "prefect.log"
    with server_of_people(port, environment() | home, log, "--no-ui", new_interpreter=bool(variables)) as server:
        yield api, server
