"""A clip of any size goes through a process in pieces."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from prefect_together.generations.sound_shape import PCM, SampleForm
from tests.serving import serving

from .asking import TINY
from .running import environment, program

pytestmark = pytest.mark.slow

GIGABYTE = 1_000_000_000
MEGABYTE = 1_000_000
FORM = SampleForm(PCM, 16, 24000)


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
        with program(told, anew=True) as worker:
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
            with program({**told, "memory": True}, anew=True) as worker:
                worker.patience = 170.0
                assert 200 * MEGABYTE == worker.stored()[0]["size"]
                assert 0 < worker.ends()["grown"] < 90 * MEGABYTE
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read off /proc")
@pytest.mark.parametrize("way", ["spoken", "heard"])
def test_a_long_recording_takes_little_memory(way: str, library: Path, tmp_path: Path) -> None:
    """An answer of 200 MB is kept, and a recording of 79 MB sent, with less than 60 MB more than before."""
    recording = tmp_path / "recording.wav"
    with recording.open("wb") as file:
        file.write(FORM.header(79 * MEGABYTE - 44))
        file.truncate(79 * MEGABYTE)
    spoken = {"kind": "speech", "input": "All of it.", "model": "hexgrad/Kokoro-82M", "voice": "af_heart"}
    heard = {"kind": "transcription", "file": str(recording), "model": "openai/whisper-large-v3"}
    with _long_recordings() as (url, received):
        told = {"base_url": url, "api_key": "key", "library": str(library), "memory": True}
        with program({**told, "requests": [spoken if way == "spoken" else heard]}, anew=True) as worker:
            worker.patience = 170.0
            said = worker.ends()
    assert "stored" == said["outcome"], said
    assert 0 <= said["grown"] < 60 * MEGABYTE
    if way == "heard":
        assert 79 * MEGABYTE < received[0] < 80 * MEGABYTE
    else:
        (kept,) = library.glob("speech/*/*.wav")
        assert 200 * MEGABYTE < kept.stat().st_size < 201 * MEGABYTE
        kept.unlink()  # pytest keeps the folders of its last runs
    recording.unlink()


class _Handler(BaseHTTPRequestHandler):
    """Speaks for more than an hour, and hears whatever it is sent."""

    protocol_version = "HTTP/1.1"
    received: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        left = length = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, MEGABYTE)))
        self.received.append(length)
        heard = json.dumps({"task": "transcribe", "language": "en", "duration": 1.0, "text": "a", "segments": []}).encode()
        speaks = self.path.endswith("/speech")
        start = FORM.header(200 * MEGABYTE) if speaks else heard
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav" if speaks else "application/json")
        self.send_header("Content-Length", str(len(start) + (200 * MEGABYTE if speaks else 0)))
        self.end_headers()
        self.wfile.write(start)
        for _ in range(200 if speaks else 0):
            self.wfile.write(bytes(MEGABYTE))


@contextmanager
def _long_recordings() -> Generator[tuple[str, list[int]]]:
    """Run a server of long recordings; yield its address, and how much each request had."""
    _Handler.received.clear()
    with serving(_Handler) as address:
        yield address, _Handler.received


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
