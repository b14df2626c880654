"""Databases that tests read and write: SQLite, DuckDB, and a real PostgreSQL on a port of its own. Asserts nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "s3cret#p@ss/%word"
"""What has to be escaped in a URL, and never to be seen in a text."""
USER = "curator"
_ACCOUNTS = ("postgres", "nobody")


def skip_without(*modules: str) -> None:
    """Skip where what a database needs is not installed."""
    for name in modules:
        pytest.importorskip(name, reason=f"{name} is not installed here, which this database needs")


@contextmanager
def postgres() -> Generator[str]:
    """Run PostgreSQL, as another user where this one is root, and yield the URL of a database with its password."""
    found = shutil.which("postgres")
    if found is None:
        pytest.skip("PostgreSQL is not installed here")
    binaries = Path(found).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _account(folder)
    try:
        (folder / "pw").write_text(PASSWORD)
        (folder / "pw").chmod(0o644)
        data, port = folder / "data", _free_port()
        setup = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "--auth=scram-sha-256",
            "--pwfile",
            folder / "pw",
            "-E",
            "UTF8",
        ]
        subprocess.run(setup, check=True, capture_output=True, user=user, cwd=folder)
        options = [f"-p{port}", f"-k{folder}", "-clisten_addresses=127.0.0.1", "-cfsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options], stdout=log, stderr=log, user=user, cwd=folder
            )
        try:
            _wait(port, server, folder / "log")
            yield f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account(folder: Path) -> str | None:
    """Give a folder to whom PostgreSQL may run as: it refuses to run as root."""
    if os.getuid() != 0:
        return None
    import pwd

    known = {one.pw_name for one in pwd.getpwall()}
    name = next((name for name in _ACCOUNTS if name in known), None)
    if name is None:
        pytest.skip("there is no user here whom PostgreSQL could run as")
    shutil.chown(folder, name)
    return name


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:  # noqa: PERF203 - it takes a second
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}")
