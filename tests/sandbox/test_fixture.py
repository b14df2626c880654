"""The pytest fixture that users get: their flows meet a sandbox and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from prefect_together import sandbox
from prefect_together.testing import together_sandbox

from .asking import IMAGES, image_body

__all__ = ["together_sandbox"]


def test_the_environment_points_at_the_sandbox(together_sandbox: sandbox.Sandbox, tmp_path: Path) -> None:
    """Address, key and library are set, and what is asked there is counted here."""
    assert together_sandbox.url == os.environ["TOGETHER_BASE_URL"]
    assert str(tmp_path / "library") == os.environ["PREFECT_INTEGRATIONS_TOGETHER_LIBRARY"]
    headers = {"Authorization": f"Bearer {os.environ['TOGETHER_API_KEY']}"}
    assert 200 == httpx.post(f"{os.environ['TOGETHER_BASE_URL']}{IMAGES}", json=image_body(), headers=headers).status_code
    assert 1 == together_sandbox.count(IMAGES)


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a test that used the fixture nothing of it is left."""
    monkeypatch.delenv("TOGETHER_BASE_URL", raising=False)
    assert "TOGETHER_BASE_URL" not in os.environ
