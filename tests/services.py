"""Services that tests need, real ones of this machine on free ports: PostgreSQL and Redis. Asserts nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .ports import free_port

_USER, _PASSWORD = "curator", "s3cret#p@ss/%word"
"""What has to be escaped in a URL, and never to be seen in a text."""
_ACCOUNTS = ("postgres", "nobody")


@contextmanager
def postgres() -> Generator[str]:
    """Run PostgreSQL, as another user where this one is root, and yield the URL of a database with its password."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _account(folder)
    try:
        (folder / "pw").write_text(_PASSWORD)
        (folder / "pw").chmod(0o644)
        data, port = folder / "data", free_port()
        setup = [
            binaries / "initdb", "-D", data, "-U", _USER, "--auth=scram-sha-256", "--pwfile", folder / "pw", "-E", "UTF8",
        ]  # fmt: skip
        subprocess.run(setup, check=True, capture_output=True, user=user, cwd=folder)
        options = [f"-p{port}", f"-k{folder}", "-clisten_addresses=127.0.0.1", "-cfsync=off", "-clc_messages=C"]
        with _running([binaries / "postgres", "-D", data, *options], folder, user):
            yield f"postgresql://{_USER}:{quote(_PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis() -> Generator[int]:
    """Run Redis, which keeps nothing, and yield its port."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("Redis is not installed here (Debian's package redis-server)")
    port = free_port()
    quiet = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="redis-") as folder, _running([found, *quiet], Path(folder)):
        yield port


@contextmanager
def _running(command: list[Any], folder: Path, user: str | None = None) -> Generator[None]:
    """Run a service in a folder, from when it is ready until the end of this block."""
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=folder)
    try:
        _wait(server, folder / "log")
        yield
    finally:
        server.terminate()
        server.wait(60)


def _binaries() -> Path:
    """Return where PostgreSQL's programs are; Debian has those of each version in a folder of its own, on no path."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    if not places:
        pytest.skip("PostgreSQL is not installed here (Debian's package postgresql)")
    return places[-1]


def _version(binaries: Path) -> int:
    return int(binaries.parent.name) if binaries.parent.name.isdecimal() else 0


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


def _wait(server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a service says that it is ready: PostgreSQL listens before, and refuses who comes then."""
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if b"ready to accept connections" in log.read_bytes().lower():
            return
        time.sleep(0.1)
    pytest.fail(f"{server.args} did not start: {log.read_text(errors='replace')[-500:]}")
