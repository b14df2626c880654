"""The one Prefect server of a run of the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path


class Server:
    """The one Prefect server of a run, started by the process that pytest was started in when a test first asks for it."""

    patience = 300.0
    """Seconds for its start, on a machine that may be busy."""

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
        ends = time.monotonic() + self.patience
        while not self._url.exists():
            assert time.monotonic() < ends, f"Prefect's server did not start: {self._log.read_text()}"
            time.sleep(0.05)
        return self._url.read_text(encoding="utf-8")

    def _run(self) -> None:
        while not self._over.wait(0.1):
            if self._wanted.exists():
                self._serve()

    def _serve(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        what = ["--factory", "prefect_for_tests:create_app", "--log-level", "error", "--lifespan", "on"]
        environment = {
            **os.environ,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self._database}",
            "PREFECT_UI_ENABLED": "0",
            # What Prefect sets for a server that lives as long as a test.
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        command = [sys.executable, "-m", "uvicorn", *what, "--host", "127.0.0.1", "--port", str(port)]
        with (
            self._log.open("w") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
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


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
