"""The end of a process: what nobody waited for is still shown, while Prefect can still show it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDING = """
import asyncio, threading
from prefect_together._internal import event_loop as runtime

threading._register_atexit(lambda: print("Prefect's services end", flush=True))  # as they do when a run begins

async def show():
    await asyncio.sleep(0.5)
    print("shown", flush=True)

async def generation():
    runtime.later(show())

runtime.runtime().start(generation).result()
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="Prefect's services end by a hook of CPython's")
def test_what_is_left_is_shown_before_prefects_services_end() -> None:
    """An event or a card that was still to come when the script ended is sent, and not met by a service that has ended."""
    run = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60, check=True)
    assert ["shown", "Prefect's services end"] == run.stdout.splitlines()
    assert "" == run.stderr
