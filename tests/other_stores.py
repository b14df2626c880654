"""Object stores of other makers than moto, each as a process on this machine; who has none of one skips its tests."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from .ports import free_port
from .waiting import until

# The account that every Azurite has, and its key: no secret.
_AZURE = "devstoreaccount1"
_AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_S3 = {"region": "us-east-1", "access_key_id": "stores", "secret_access_key": "stores-secret"}


@contextmanager
def ministack(folder: Path) -> Generator[dict[str, Any]]:
    """Run ministack's S3, and yield the address and the options of a bucket in it."""
    port = free_port()
    alone = {"SERVICES": "s3", "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "ERROR"}
    with _running([_program("ministack", "ministack")], port, folder, GATEWAY_PORT=str(port), **alone):
        yield _s3_bucket(port)


@contextmanager
def nanio(folder: Path) -> Generator[dict[str, Any]]:
    """Run nanio, which speaks S3 and creates what is there already."""
    port = free_port()
    start = [_program("nanio", "nanio"), "serve", "--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder)]
    keys = {"NANIO_ACCESS_KEY": _S3["access_key_id"], "NANIO_SECRET_KEY": _S3["secret_access_key"]}
    with _running(start, port, folder, **keys):
        yield _s3_bucket(port)


@contextmanager
def azurite(folder: Path) -> Generator[dict[str, Any]]:
    """Run Azurite, Microsoft's own emulator of Azure Blob Storage, and yield the address and the options of a container."""
    port = free_port()
    start = [_program("azurite-blob", "azurite, of npm"), "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    with _running([*start, "--disableTelemetry", "--skipApiVersionCheck"], port, folder):
        endpoint = f"http://127.0.0.1:{port}/{_AZURE}"
        _make_container(endpoint, "films")
        yield {
            "library": "az://films/media",
            "options": {"account_name": _AZURE, "account_key": _AZURE_KEY, "endpoint": endpoint},
        }


def _program(name: str, package: str) -> str:
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    return beside or shutil.which(name) or pytest.skip(f"needs {package}")


@contextmanager
def _running(start: list[str], port: int, folder: Path, **variables: str) -> Generator[None]:
    with (folder / "store.log").open("w") as log:
        process = subprocess.Popen(start, env=os.environ | variables, cwd=folder, stdout=log, stderr=log)
        try:
            until(f"{start[0]} listens or ends", lambda: _listens(port) or process.poll() is not None, every=0.1)
            assert process.poll() is None, (folder / "store.log").read_text()
            yield
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def _s3_bucket(port: int) -> dict[str, Any]:
    boto3: Any = importlib.import_module("boto3")
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=_S3["region"],
        aws_access_key_id=_S3["access_key_id"],
        aws_secret_access_key=_S3["secret_access_key"],
    )
    client.create_bucket(Bucket="films")
    return {"library": "s3://films/media", "options": {**_S3, "endpoint": endpoint}}


def _make_container(endpoint: str, name: str) -> None:
    """Make a container: obstore makes none, and its request has to be signed."""
    headers = {"x-ms-date": datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT"), "x-ms-version": "2021-08-06"}
    said = "".join(f"{name}:{value}\n" for name, value in headers.items())
    signed = f"PUT{12 * chr(10)}{said}/{_AZURE}/{_AZURE}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(_AZURE_KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {_AZURE}:{base64.b64encode(digest).decode()}"
    asked = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(asked, timeout=30):
        pass
