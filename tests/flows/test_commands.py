"""Flows as commands: a wrong option is one sentence that names it, before anything is paid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

FLOWS = Path(__file__).parents[2] / "flows"


@pytest.mark.parametrize(
    ("option", "wrong", "said"),
    [
        ("--review", "maybe", "argument --review: 'maybe' is neither true nor false"),
        ("--shots", "nowhere.yaml", "argument --shots: 'nowhere.yaml' cannot be read"),
        ("--width", "7", "width: Input should be greater than or equal to 64"),
        ("--shots", "[{prompt: x, seconds: 99}]", "shots.0.seconds: Input should be less than or equal to 15"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    option: str, wrong: str, said: str, prefect_server: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, and nothing is sent."""
    for name, value in (("PREFECT_API_URL", prefect_server), ("TOGETHER_BASE_URL", together_sandbox.url)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOGETHER_API_KEY", together_sandbox.api_key)
    command = [sys.executable, str(FLOWS / "storyboard.py"), option, wrong]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == together_sandbox.requests()
