"""What benchmarks stand on: a fake Together and a Prefect server in processes of their own, and rivals that take turns."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_TICK = os.sysconf("SC_CLK_TCK")


def disk() -> tuple[str, str]:
    """Return a folder for temporary files that is on a disk and not in memory, and its file system."""
    for folder in (tempfile.gettempdir(), "/var/tmp", str(Path.cwd())):
        if (kind := _file_system(folder)) not in {"tmpfs", "ramfs"}:
            return folder, kind
    raise SystemExit("All folders for temporary files are in memory: set TMPDIR to one on a disk.")


def _file_system(folder: str) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "a file system that is not known"
    places = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    real = Path(folder).resolve()
    return max((len(place), kind) for place, kind in places if real.is_relative_to(place))[1]


@contextmanager
def together(kilobytes: int = 100, seconds: float = 0.0) -> Generator[str]:
    """Run a fake Together; yield its address."""
    command = [sys.executable, str(HERE / "fake_server.py"), str(kilobytes), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        try:
            yield serving.stdout.readline().strip()
        finally:
            serving.kill()


class Prefect:
    """A running Prefect server."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid

    def settle(self, longest: float = 300.0) -> float:
        """Wait until it has worked off what it was sent, which it does long after its clients have ended."""
        began, before, calm = time.monotonic(), cpu(self._pid), 0
        while calm < 3 and time.monotonic() - began < longest:
            time.sleep(1.0)
            now = cpu(self._pid)
            calm, before = (calm + 1 if now - before < 0.12 else 0), now
        return time.monotonic() - began

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        return cpu(self._pid)


@contextmanager
def prefect() -> Generator[Prefect]:
    """Run a Prefect server with a database of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        told = {**os.environ, "PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        with subprocess.Popen(command, env=told, **quiet) as serving:
            try:
                server = Prefect(f"http://127.0.0.1:{port}/api", serving.pid)
                _wait_for(f"{server.url}/health")
                yield server
            finally:
                os.killpg(serving.pid, signal.SIGKILL)


def _wait_for(url: str) -> None:
    for _ in range(1200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:  # noqa: PERF203 - waiting is the point
            time.sleep(0.1)
    raise TimeoutError(url)


def cpu(pid: int) -> float:
    """Return the seconds of CPU of a process and of those that it started."""
    used, parents = 0.0, {pid}
    table: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields: list[str] = []
        with suppress(OSError):  # it has ended meanwhile
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields:
            table[int(path.parent.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICK)
    for process, (parent, seconds) in sorted(table.items()):
        if process in parents or parent in parents:
            parents.add(process)
            used += seconds
    return used


def measured(script: str, rival: str, *told: object, env: dict[str, str] | None = None) -> dict[str, float]:
    """Run one rival in a process of its own; return what it found, which it prints as its last line in JSON."""
    command = [sys.executable, script, "--rival", rival, *map(str, told)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    if shown.returncode:
        raise RuntimeError(f"{rival}: {shown.stderr[-3000:]}")
    return json.loads(shown.stdout.strip().splitlines()[-1])


def settings(origin: str, folder: str) -> dict[str, str]:
    """Return the environment of a rival that asks a Together at an address and keeps all that it has in a folder."""
    return {
        "TOGETHER_BASE_URL": origin,
        "TOGETHER_API_KEY": "key",
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": f"{folder}/library",
        "PREFECT_HOME": f"{folder}/home",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }


def medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number."""
    return {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}


def memory() -> float:
    """Return the MB that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Highest:
    """The most memory that this process has above what it had, until asked."""

    def __init__(self) -> None:
        self._idle = self._most = memory()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, memory())

    def megabytes(self) -> float:
        """Return it."""
        self._over.set()
        self._thread.join()
        return self._most - self._idle
