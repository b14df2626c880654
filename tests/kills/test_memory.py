"""A clip of any size goes through a process in pieces."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .asking import TINY
from .running import environment, program

pytestmark = pytest.mark.slow

GIGABYTE = 1_000_000_000
MEGABYTE = 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read off /proc")
def test_a_gigabyte_takes_little_memory(library: Path) -> None:
    """A clip of 1 GB is fetched, checked, hashed and kept with less than 60 MB more than before."""
    with _together() as url:
        _post(f"{url}/sandbox/faults", {"route": "GET file", "fault": "huge", "bytes": GIGABYTE})
        told: dict[str, Any] = {
            "base_url": url,
            "api_key": "key",
            "library": str(library),
            "requests": [TINY],
            "memory": True,
        }
        with program(told) as worker:
            worker.patience = 170.0
            files = worker.stored()
            grown = worker.ends()["grown"]
    path = Path(files[0]["uri"].removeprefix("file://"))
    size = path.stat().st_size
    path.unlink()  # pytest keeps the folders of its last runs
    assert (GIGABYTE, GIGABYTE) == (size, files[0]["size"])
    assert 0 < grown < 60 * MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read off /proc")
def test_a_large_clip_into_an_object_store_takes_little_memory() -> None:
    """A clip of 200 MB goes to S3 in parts, and what is held of it is bounded as well."""
    moto_server = pytest.importorskip("moto.server", reason="needs moto[s3,server]")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {
            "endpoint": f"http://{host}:{port}",
            "access_key_id": "a",
            "secret_access_key": "b",
            "region": "us-east-1",
        }
        with urllib.request.urlopen(urllib.request.Request(f"{options['endpoint']}/large", method="PUT"), timeout=30):
            pass
        with _together() as url:
            _post(f"{url}/sandbox/faults", {"route": "GET file", "fault": "huge", "bytes": 200 * MEGABYTE})
            told: dict[str, Any] = {
                "base_url": url,
                "api_key": "key",
                "library": "s3://large/media",
                "options": options,
                "requests": [TINY],
            }
            with program({**told, "memory": True}) as worker:
                worker.patience = 170.0
                assert 200 * MEGABYTE == worker.stored()[0]["size"]
                assert 0 < worker.ends()["grown"] < 90 * MEGABYTE
    finally:
        server.stop()


@contextmanager
def _together() -> Generator[str]:
    """Run a local Together in a process of its own, whose memory is its own."""
    command = [sys.executable, "-c", "from prefect_together.sandbox import run; run(port=0, render_seconds=0.1)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"TOGETHER_BASE_URL=(\S+)", process.stdout.readline())
            assert found
            yield found[1]
        finally:
            process.kill()


def _post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        return
