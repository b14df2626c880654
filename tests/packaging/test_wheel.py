"""What is installed is what is meant to be, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

SOURCE = Path(__file__).parents[2]
SETUPTOOLS = Version("77")
"""The first that reads an SPDX expression as license."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build the wheel from a copy of the sources, without an index, an isolated environment, or leftovers of earlier builds."""
    try:
        present = Version(version("setuptools"))
    except PackageNotFoundError:
        pytest.skip("setuptools is not installed here")
    if present < SETUPTOOLS:
        pytest.skip(f"setuptools {present} is older than {SETUPTOOLS}")
    room = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, room)
    for name in ("prefect_together", "flows", "tests"):
        shutil.copytree(SOURCE / name, room / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    command = [sys.executable, "-c", "from setuptools.build_meta import build_wheel; build_wheel('out')"]
    run = subprocess.run(command, cwd=room, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    (built,) = (room / "out").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """Read the wheel's metadata."""
    return Parser().parsestr(text(wheel, "METADATA"))


def text(wheel: zipfile.ZipFile, name: str) -> str:
    """Read one file beside the package."""
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every module, the type marker and the catalogue's data are in it; tests and flows are not."""
    packed = {Path(name) for name in wheel.namelist() if ".dist-info/" not in name}
    package = SOURCE / "prefect_together"
    files = [*package.rglob("*.py"), *package.glob("catalog/*.json"), *package.glob("ui/*.html"), package / "py.typed"]
    assert {path.relative_to(SOURCE) for path in files} == packed
    assert {"images.json", "videos.json", "sources.json"} <= {path.name for path in packed}


def test_carries_its_license(wheel: zipfile.ZipFile, metadata: Message) -> None:
    """The license is named by its SPDX expression, and its text comes along."""
    assert metadata["License-Expression"] == "Apache-2.0"
    assert (SOURCE / "LICENSE").read_text(encoding="utf-8") == text(wheel, "licenses/LICENSE")


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    """Prefect finds the collection, and the shell finds the command."""
    points = ConfigParser()
    points.read_string(text(wheel, "entry_points.txt"))
    assert ["prefect_together"] == list(points["prefect.collections"])
    assert {"prefect-together": "prefect_together.cli:main"} == dict(points["console_scripts"])


def test_metadata(metadata: Message) -> None:
    """The version is the installed one, every Python that is supported is named, and Markdown is shown as such."""
    assert metadata["Version"] == version("prefect-together")
    assert metadata["Requires-Python"] == "<3.14,>=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    named = {value.rpartition(" :: ")[2] for value in metadata.get_all("Classifier", []) if ":: Python :: 3." in value}
    assert {"3.10", "3.11", "3.12", "3.13"} == named


def test_media_libraries_are_an_extra(metadata: Message) -> None:
    """Pillow and PyAV come with the extra `media`; the core does without them."""
    requirements = [Requirement(value) for value in metadata.get_all("Requires-Dist", [])]
    core = {entry.name for entry in requirements if entry.marker is None}
    media = {entry.name for entry in requirements if entry.marker and entry.marker.evaluate({"extra": "media"})}
    assert ["media", "tables"] == metadata.get_all("Provides-Extra")
    assert {"pillow", "av"} == media
    assert not media & core
    assert {"prefect", "httpx", "obstore", "pydantic"} <= core
