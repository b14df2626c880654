"""Starts Python commands in forks of one process that has imported Prefect, see `fork_server`.

Prefect and this package take three seconds of a CPU to import, a fork some milliseconds. What is started is a process of its own
in every other way: it has its own id, environment, settings, folder and files, is killed and waited for as any other, and ends
as an interpreter ends. Tests that are about the start itself begin with a new interpreter.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from typing_extensions import Self

from .waiting import PATIENCE, until

_SERVER = Path(__file__).with_name("fork_server.py")


class Process:
    """A Python command that was started: what the tests use of `subprocess.Popen`.

    Args:
        words: The command, without the interpreter.
        cwd: Its folder.
        env: Its environment.
        out: Where it writes to; a pipe, where there is none.
        err: Where its errors go to; where the rest goes to, where there is none.
        leads: Whether it leads a group of processes of its own.
        without: Modules that cannot be imported there, as if they were not installed.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        out: IO[Any] | None = None,
        err: IO[Any] | None = None,
        leads: bool = False,
        without: Sequence[str] = (),
    ) -> None:
        told = {
            "words": list(words),
            "cwd": str(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "leads": leads,
        }
        self.args = list(words)
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        piped = -1
        if out is None:
            ours, piped = os.pipe()
            self.stdout = os.fdopen(ours, encoding="utf-8")
        writes = piped if out is None else out.fileno()
        self._guardian = _connected(without)
        with TemporaryFile() as nothing:
            socket.send_fds(self._guardian, [b"."], [nothing.fileno(), writes, writes if err is None else err.fileno()])
        if out is None:
            os.close(piped)
        self._guardian.sendall(json.dumps(told).encode() + b"\n")
        self._hears = self._guardian.makefile(encoding="utf-8")
        self.pid = int(self._hears.readline())

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for its end and return its exit code."""
        if self.returncode is None:
            ended = select.poll()  # `select` knows no descriptor above 1,023, and a process of tests may have more
            ended.register(self._guardian, select.POLLIN)
            if not ended.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._hears.readline())
            self._hears.close()
            self._guardian.close()
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, None]:
        """Wait for its end, and return what it wrote to the pipe and nobody has read."""
        assert self.stdout is not None
        pipe, said = self.stdout, [""]

        def read() -> None:
            with pipe:
                said[0] = pipe.read()

        if pipe.closed:
            return "", None
        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        reading.join(timeout)
        if reading.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait()
        return said[0], None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for its end."""
        self.wait()


def run(
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 180,
    without: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does, and return what it said."""
    with (
        TemporaryFile("w+") as out,
        TemporaryFile("w+") as err,
        Process(words, cwd=cwd, env=env, out=out, err=err, without=without) as process,
    ):
        try:
            process.wait(timeout)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(process.args, process.wait(), out.read(), err.read())


def _connected(without: Sequence[str]) -> socket.socket:
    """Connect to the process that forks, one for each set of modules that are not there; who comes first starts it."""
    folder = Path(os.environ["PREFECT_TOGETHER_TESTS_RUN"])
    listens = folder / "-".join(["forks", *without])
    with suppress(FileExistsError):
        listens.with_suffix(".begun").touch(exist_ok=False)
        command = [sys.executable, str(_SERVER), str(listens), os.environ["PREFECT_TOGETHER_TESTS_PID"], *without]
        log = str(folder / "forks.log"), os.O_WRONLY | os.O_CREAT, 0o600
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *((os.POSIX_SPAWN_OPEN, out, *log) for out in (1, 2))]
        os.posix_spawn(
            sys.executable, command, os.environ, file_actions=files
        )  # not by subprocess: it outlives this process
    failed, said = listens.with_suffix(".failed"), (folder / "forks.log").read_text
    until("a process forks", lambda: listens.exists() or failed.exists(), every=0.05, said=said)
    assert not failed.exists(), said()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(listens))
    return connection
