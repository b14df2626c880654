"""Two places where objects can be kept, so that every promise of a storage is held by both."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from prefect_together.storage.storage import Storage


@dataclass
class Place:
    """Where a storage is, and what it takes to open it."""

    url: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def opened(self, below: str = "") -> Storage:
        """Open it, or a place below it."""
        return Storage(self.url + below, self.options)


@pytest.fixture(scope="session")
def s3(s3_endpoint: str) -> dict[str, Any]:
    """Say how to reach the S3 on this machine."""
    return {
        "endpoint": s3_endpoint,
        "region": "us-east-1",
        "access_key_id": "unit",
        "secret_access_key": "unit",
        "virtual_hosted_style_request": "false",
    }


@pytest.fixture
def bucket(s3: dict[str, Any]) -> Place:
    """Give a bucket of its own to one test."""
    name = f"unit-{uuid4().hex[:12]}"
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=unit/20260101/us-east-1/s3/aws4_request"}
    httpx.put(f"{s3['endpoint']}/{name}", headers=signed, trust_env=False).raise_for_status()
    return Place(f"s3://{name}/pictures", s3)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give a place for objects: a folder whose name is awkward, and a prefix in a bucket."""
    if request.param == "folder":
        return Place(str(tmp_path / "my library ü"))
    found: Place = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def storage(place: Place) -> Storage:
    """Give an open storage."""
    return place.opened()
