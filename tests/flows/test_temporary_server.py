"""A flow as a command starts Prefect's temporary server with patience, and says in one sentence where that failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from prefect_together import run_as_command
from prefect_together.cli import temporary_server as module
from prefect_together.cli.libraries import located
from prefect_together.errors import ConfigurationError, TogetherError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Have no API, and note how long a temporary server would be waited for."""
    waited: list[float | None] = []

    def start() -> None:
        settings = get_current_settings().server
        waited.append(settings.ephemeral.startup_timeout_seconds)
        assert settings.analytics_enabled is False

    monkeypatch.setattr(module, "start_temporary_server", start)
    return waited


def _without_api() -> Any:
    return temporary_settings(updates={PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: True}, restore_defaults={PREFECT_API_URL})


def test_it_is_waited_for(no_server: list[float | None], capsys: pytest.CaptureFixture[str]) -> None:
    """Longer than Prefect does, and the screen says what for."""
    with _without_api(), module.temporary_server():
        assert [module.PATIENCE] == no_server
    assert "temporary server" in capsys.readouterr().err


def test_the_users_own_patience_counts(no_server: list[float | None]) -> None:
    """Whoever has set how long to wait waits so long."""
    with (
        temporary_settings(
            updates={PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: True, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 7},
            restore_defaults={PREFECT_API_URL},
        ),
        module.temporary_server(),
    ):
        assert [7] == no_server


def test_with_an_api_none_is_started(no_server: list[float | None], capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is named is the one."""
    with temporary_settings(updates={PREFECT_API_URL: "http://127.0.0.1:1/api"}), module.temporary_server():
        assert [] == no_server
    assert "" == capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    """The command ends with 1, without a traceback, and leaves no server behind."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1",
    }
    command = [sys.executable, str(ROOT / "flows" / "image_to_video.py"), "--sandbox"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert 1 == run.returncode
    assert "did not answer within 1 s" in run.stderr
    assert "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_error_says_that_nothing_was_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent before the server was there."""

    def failing() -> None:
        raise RuntimeError("Timed out")

    monkeypatch.setattr(module, "start_temporary_server", failing)
    with pytest.raises(ConfigurationError, match="nothing was paid"), _without_api(), module.temporary_server():
        pass


def test_a_stored_block_says_what_is_waited_for(no_server: list[float | None], capsys: pytest.CaptureFixture[str]) -> None:
    """A command whose library only the server knows waits as long as a flow, and says so; one of a folder waits for nothing."""
    with _without_api(), pytest.raises(TogetherError):
        located("together-media-library/no-such-block-here")
    assert [module.PATIENCE] == no_server
    assert "Waiting for Prefect's temporary server" in capsys.readouterr().err
    with _without_api():
        located("/no/such/folder")
    assert 1 == len(no_server)


@flow(name="paying")
def _paying() -> str:
    raise AssertionError("it was not to begin")


@pytest.mark.parametrize("key", ["", "   ", "k\u00e9y"], ids=["none", "blank", "no-key"])
def test_without_a_key_no_server_is_waited_for(
    key: str, no_server: list[float | None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said at once, and once, in the words of a command line."""
    monkeypatch.setenv("TOGETHER_API_KEY", key)
    with _without_api():
        assert 1 == run_as_command(_paying, str, [], needs_key=True)
    assert [] == no_server
    (said,) = capsys.readouterr().err.splitlines()
    assert "paying did not start: " in said
    assert "API key" in said
    assert "TogetherCredentials" not in said


@flow(name="looking")
def _looking() -> str:
    return "looked"


def test_what_cannot_pay_needs_no_key(
    prefect_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless it says so: one that sweeps or reconciles has something to do without, and a flow of somebody's may load a block."""
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    assert 0 == run_as_command(_looking, str, [])
    assert "looked" in capsys.readouterr().out
