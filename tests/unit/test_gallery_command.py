"""`prefect-together gallery --open`: the page is written and opened, and where nothing can open it, its place is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a browser of shell script")


def _run(library: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefect_together.cli", "gallery", "--library", str(library), "--open"]
    hidden = {"BROWSER", "DISPLAY", "WAYLAND_DISPLAY"}
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, check=False)


def _library(folder: Path) -> Path:
    """Make what the smallest library has: a folder with something in its ledger."""
    (folder / "ledger").mkdir(parents=True)
    (folder / "ledger" / "format.json").write_text("{}")
    return folder


def test_the_browser_gets_the_file(tmp_path: Path) -> None:
    """The browser of the environment is given the page's address, which is printed too."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > "{tmp_path}/opened"\n')
    browser.chmod(0o700)
    library = _library(tmp_path / "my library")
    done = _run(library, BROWSER=str(browser))
    page = (library / "gallery.html").as_uri()
    assert (0, f"{page}\n", "") == (done.returncode, done.stdout, done.stderr)
    assert page == (tmp_path / "opened").read_text()
    assert (library / "gallery.html").is_file()


def test_without_a_browser_it_says_where(tmp_path: Path) -> None:
    """No browser is no error: the page is there, and the address is said."""
    done = _run(_library(tmp_path / "library"), PATH=str(tmp_path))
    assert (0, f"{(tmp_path / 'library' / 'gallery.html').as_uri()}\n") == (done.returncode, done.stdout)
    assert "no browser opened the page" in done.stderr
