"""The pytest fixture that users get: their flows meet a sandbox and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
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


SUITE = """
import os

pytest_plugins = ["prefect_together.testing"]


def test_with(together_sandbox):
    assert together_sandbox.url == os.environ["TOGETHER_BASE_URL"]


def test_after():
    names = ("TOGETHER_BASE_URL", "TOGETHER_API_KEY", "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY")
    assert ["before", None, None] == [os.environ.get(name) for name in names]
"""


@pytest.mark.slow
def test_a_plugin_line_is_all_it_takes(tmp_path: Path) -> None:
    """In somebody's own suite the fixture works, and after its test the environment is what it was."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE)
    hidden = ("TOGETHER_", "PREFECT_INTEGRATIONS_TOGETHER_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"TOGETHER_BASE_URL": "before", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path), str(suite)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "2 passed" in done.stdout
