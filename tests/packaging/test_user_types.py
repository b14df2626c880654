"""The types that users see: a file of theirs is checked as strictly as checkers can, against what is installed here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

USER = Path(__file__).with_name("user_code.py")
PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_a_users_file_is_right_in_strict_pyright(tmp_path: Path) -> None:
    """No error and nothing unknown; what is wrong in it is found."""
    pytest.importorskip("pyright", reason="pyright is not installed")
    settings: dict[str, object] = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.10",
        "include": [str(USER)],
        "extraPaths": [str(PROJECT)],
    }
    settings["reportUnnecessaryTypeIgnoreComment"] = "error"
    settings["enableTypeIgnoreComments"] = False
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--project", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert 0 == done.returncode, done.stdout


def test_a_users_file_is_right_in_strict_mypy(tmp_path: Path) -> None:
    """No error there either, and no comment that silences nothing."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    copy = tmp_path / USER.name
    copy.write_text(USER.read_text())
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\nmypy_path = {PROJECT}\npython_version = 3.10\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(tmp_path / "mypy.ini"), str(copy)]
    command += ["--follow-imports", "silent", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert 0 == done.returncode, done.stdout
