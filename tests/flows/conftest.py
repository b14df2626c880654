"""Flows run on the Prefect server that all tests share, whichever test comes first; as functions, and as commands."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from prefect_together.sandbox import Sandbox

from .. import forking
from ..forking import Process
from ..waiting import PATIENCE

FLOWS = Path(__file__).parents[2] / "flows"


class Command(Protocol):
    """Runs a flow as its users do."""

    def __call__(self, flow: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Return how the command ended."""
        ...


class Killed(Protocol):
    """Starts a flow as its users do and kills it."""

    def __call__(self, flow: str, *options: str, at: str, match: str | None = None, after: int = 0) -> None:
        """Kill it where it asks for something a second time, after Together was busy.

        Args:
            flow: The file.
            options: The command line.
            at: Method and path of what it asks for then; all that was sent before is answered and kept.
            match: What is in the prompt of that.
            after: How much has to be charged before.
        """
        ...


@pytest.fixture(autouse=True)
def _server(prefect_server: object) -> None:
    """Start the server, or find it started."""


@pytest.fixture
def load() -> Callable[[str], Any]:
    """Return what imports the file of a flow."""

    def module(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, FLOWS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        sys.modules[name] = found
        spec.loader.exec_module(found)
        return found

    return module


@pytest.fixture
def environment(prefect_server: str, together_sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of a command that talks to the servers of the test."""
    return {
        **os.environ,
        "PREFECT_API_URL": prefect_server,
        "TOGETHER_BASE_URL": together_sandbox.url,
        "TOGETHER_API_KEY": together_sandbox.api_key,
    }


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Command:
    """Return what runs a flow as a command, in the folder of the test."""

    def run(flow: str, *options: str) -> subprocess.CompletedProcess[str]:
        return forking.run([str(FLOWS / flow), *options], cwd=tmp_path, env=environment)

    return run


@pytest.fixture
def killed(environment: dict[str, str], together_sandbox: Sandbox, tmp_path: Path) -> Killed:
    """Return what starts a flow as a command and kills it (SIGKILL) at a moment at which nothing that is paid for is under way."""

    def run(flow: str, *options: str, at: str, match: str | None = None, after: int = 0) -> None:
        busy, ends = False, time.monotonic() + PATIENCE
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            Process([str(FLOWS / flow), *options], cwd=tmp_path, env=environment, out=nowhere) as on,
        ):
            try:
                while not any(request.status == 429 for request in together_sandbox.requests()):
                    if not busy and len(together_sandbox.charges()) >= after:
                        together_sandbox.fault(at, "429", hint="retry-after", wait=120, match=match)
                        busy = True
                    assert on.poll() is None, "it ended before it could be killed"
                    if time.monotonic() > ends:
                        raise TimeoutError(f"waited until {flow} was told to wait")
                    time.sleep(0.005)
                time.sleep(2.0)  # what was sent beside it is answered and kept
            finally:
                on.kill()

    return run
