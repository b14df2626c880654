"""Which process holds something, and whether it still runs. Knows this machine; says so where it cannot know."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import uuid
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_PLAIN = {"LC_ALL": "C", "TZ": "UTC"}  # `ps` writes times as the locale and the zone have it


class ProcessId(BaseModel):
    """A process, named so that no other process is ever mistaken for it.

    A pid alone is not enough: pids are used again, and containers that share a library each have their own pid 1.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    """The machine's name, for people."""
    machine: str
    """The machine's boot and pid namespace, as a hash."""
    pid: int
    started: str | None
    """When the process started, in whatever the system counts; None where the system does not tell."""

    def is_alive(self) -> bool | None:
        """Tell whether the process still runs, or None where this machine cannot know."""
        if self.machine != _machine():
            return None
        if self.pid == os.getpid():
            return self.started == _started(self.pid)
        now = _started(self.pid)
        if now is None and _hidden(self.pid):
            return None
        return None if self.started is None else now == self.started


def this_process() -> ProcessId:
    """Return the running process as an owner."""
    return _this_process(os.getpid())


@lru_cache(maxsize=4)  # per pid: a forked child is another owner
def _this_process(pid: int) -> ProcessId:
    return ProcessId(host=platform.node(), machine=_machine(), pid=pid, started=_started(pid))


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot, namespace = f"{uuid.getnode():x}", ""
    return hashlib.sha256(f"{platform.node()}\n{boot}\n{namespace}".encode()).hexdigest()[:16]


def _hidden(pid: int) -> bool:
    """Tell whether there is a process of which this user is told nothing (another user's, with a hidden /proc)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _started(pid: int) -> str | None:
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The second field is the command in brackets and may hold anything; the start time is the 22nd. "Z" is a corpse,
        # unless there are threads left (the 20th), which may just be finishing what they write.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" and int(fields[17]) < 2 else fields[19]
    if sys.platform == "darwin":
        command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        asked = subprocess.run(command, capture_output=True, text=True, check=False, env=_PLAIN)  # noqa: S603 - a number is all that varies
        return asked.stdout.strip() or None
    return None
