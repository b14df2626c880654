"""The one Prefect server of a run of the tests, and those that tests start besides."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from .forking import Process, run
from .ports import free_port
from .waiting import PATIENCE, until

MIGRATED = {"PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false"}
"""The environment of a server whose database was made by `database`."""


def database(path: Path) -> None:
    """Make a database as Prefect's migrations do, unless it is there: they take six seconds, and are made once in a run."""
    folder = Path(os.environ["PREFECT_TOGETHER_TESTS_RUN"])
    origin, draft = folder / "migrated.db", folder / "migrated.new"
    with suppress(FileExistsError):
        (folder / "migrating").touch(exist_ok=False)
        where = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{draft}"}
        done = run(
            ["-m", "prefect", "server", "database", "upgrade", "--yes"], env={**os.environ, **where}, timeout=PATIENCE
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        draft.replace(origin)
    until("Prefect's database is made", origin.exists, every=0.05)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with closing(sqlite3.connect(origin)) as made, closing(sqlite3.connect(path)) as copy:
            made.backup(copy)


@contextmanager
def server_of_people(
    port: int, environment: dict[str, str], log: Path, *options: str, new_interpreter: bool = False
) -> Generator[Process | subprocess.Popen[bytes]]:
    """Run a Prefect server by the command that people type, from when it answers, as the leader of a group of processes.

    A fork that ends before it answers is started once more; a new interpreter is not, as that start may be what is tried.

    Args:
        port: Where it listens.
        environment: All of its environment.
        log: Where it writes to.
        options: More of its command.
        new_interpreter: Whether it is no fork: what it imports reads the environment, or the import is what is tried.
    """
    command = ["-m", "prefect", "server", "start", "--port", str(port), *options]
    for _ in range(1 if new_interpreter else 2):
        with log.open("a") as out:
            if new_interpreter:
                process: Process | subprocess.Popen[bytes] = subprocess.Popen(
                    [sys.executable, *command], env=environment, stdout=out, stderr=out, start_new_session=True
                )
            else:
                process = Process(command, env=environment, out=out, leads=True)
        try:
            until("Prefect's server answers", partial(_answers, process, port), every=0.2, said=log.read_text)
            if process.poll() is None:
                yield process
                return
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise AssertionError(f"Prefect's server ended at its start: {log.read_text()}")


class Server:
    """The one Prefect server of a run, started by the process that pytest was started in when a test first asks for it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._wanted, self._url, self._log = (folder / name for name in ("wanted", "url", "server.log"))
        self._database = folder / "prefect.db"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Start it when it is wanted, and not before."""
        self._thread.start()

    def end(self) -> None:
        """Stop it."""
        self._over.set()
        self._thread.join()

    def want(self) -> None:
        """Ask for it, and do not wait."""
        self._wanted.touch()

    def url(self) -> str:
        """Ask for it, wait for it, and return the URL of its API."""
        self.want()
        until("Prefect's server answers", self._url.exists, every=0.05, said=self._log.read_text)
        return self._url.read_text(encoding="utf-8")

    def _run(self) -> None:
        while not self._over.wait(0.1):
            if self._wanted.exists():
                self._serve()

    def _serve(self) -> None:
        port = free_port()
        what = ["--factory", "prefect_for_tests:create_app", "--log-level", "error", "--lifespan", "on"]
        database(self._database)
        environment = {
            **os.environ,
            **MIGRATED,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self._database}",
            "PREFECT_UI_ENABLED": "0",
            # No automation is meant to fire here, and looking at each event for one is a tenth of the server's work.
            "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
            # What Prefect sets for a server that lives as long as a test.
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        command = ["-m", "uvicorn", *what, "--host", "127.0.0.1", "--port", str(port)]
        with (
            self._log.open("w") as log,
            Process(command, env=environment, out=log) as process,
        ):
            while not self._over.wait(0.1) and process.poll() is None:
                if not self._url.exists() and _healthy(f"http://127.0.0.1:{port}/api/health"):
                    draft = self._url.with_suffix(".new")
                    draft.write_text(f"http://127.0.0.1:{port}/api", encoding="utf-8")
                    draft.replace(self._url)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._over.wait()  # a server that ended by itself is not started again: what it knew is gone


def _answers(process: Process | subprocess.Popen[bytes], port: int) -> bool:
    """Tell whether a server answers, or has ended and never will."""
    return process.poll() is not None or _healthy(f"http://127.0.0.1:{port}/api/health")


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
