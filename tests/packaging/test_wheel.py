"""What is installed is what is meant to be, and nothing else."""

from __future__ import annotations

import os
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
from prefect import get_client
from prefect.client.schemas.objects import StateType

from prefect_together.sandbox import Sandbox

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
    pytest.importorskip("setuptools_scm", reason="setuptools-scm is not installed here")
    room = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, room)
    for name in ("prefect_together", "flows", "tests"):
        shutil.copytree(SOURCE / name, room / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    command = [sys.executable, "-c", "from setuptools.build_meta import build_wheel; build_wheel('out')"]
    of = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_PREFECT_TOGETHER": version("prefect-together")}
    run = subprocess.run(command, cwd=room, env=of, capture_output=True, text=True, timeout=120, check=False)
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


def required(metadata: Message, **environment: str) -> list[Requirement]:
    """Return what pip is told to install, without extras and on the newest Python that is supported unless said otherwise."""
    requirements = [Requirement(value) for value in metadata.get_all("Requires-Dist", [])]
    wanted = {"extra": "", "python_version": "3.14", **environment}
    return [entry for entry in requirements if entry.marker is None or entry.marker.evaluate(wanted)]


def test_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every module, the type marker, the catalogue's data, a project to begin with and the flows are in it; tests are not."""
    packed = {Path(name) for name in wheel.namelist() if ".dist-info/" not in name}
    package, flows = SOURCE / "prefect_together", SOURCE / "flows"
    data = ["catalog/**/*.json", "catalog/*.pyi", "ui/*.html", "py.typed"]
    files = [*package.rglob("*.py"), *(file for names in data for file in package.glob(names))]
    files += [path for path in package.glob("cli/project/**/*") if path.is_file()]
    shipped = {Path("prefect_together", "flows", path.name) for path in (*flows.glob("*.py"), *flows.glob("*.yaml"))}
    assert {path.relative_to(SOURCE) for path in files} | shipped == packed
    assert {"image.json", "video.json", "sources.json", "prefect.yaml", "daily.py"} <= {path.name for path in packed}


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
    assert metadata["Requires-Python"] == "<3.15,>=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    named = {value.rpartition(" :: ")[2] for value in metadata.get_all("Classifier", []) if ":: Python :: 3." in value}
    assert {"3.10", "3.11", "3.12", "3.13", "3.14"} == named


def test_media_libraries_are_an_extra(metadata: Message) -> None:
    """Pillow and PyAV come with the extra `media`; the core does without them."""
    core = {entry.name for entry in required(metadata)}
    media = {entry.name for entry in required(metadata, extra="media")} - core
    assert ["media", "tables", "sql"] == metadata.get_all("Provides-Extra")
    assert {"pillow", "av"} == media
    assert {"prefect", "httpx", "obstore", "pydantic"} <= core


@pytest.mark.parametrize(
    ("python", "bounded"), [("3.10", {"fastapi", "sqlalchemy"}), ("3.11", set[str]()), ("3.14", set[str]())]
)
def test_bounds_where_prefect_needs_them(metadata: Message, python: str, bounded: set[str]) -> None:
    """FastAPI and SQLAlchemy are held back on Python 3.10 only, whose Prefect 3.8 breaks with newer ones."""
    entries = required(metadata, python_version=python)
    assert bounded == {entry.name for entry in entries} & {"fastapi", "sqlalchemy"}


@pytest.mark.slow
def test_a_project_runs_with_the_wheel_alone(
    wheel: zipfile.ZipFile, prefect_server: str, together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """`init` in an empty folder: its flow runs as a command and by a deployment, paid once for both; its own tests pass."""
    site, project = tmp_path / "site", tmp_path / "My Films"
    wheel.extractall(site)
    project.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(SOURCE / "tests" / "steady")]),
        "PREFECT_API_URL": prefect_server,
        "PWD": str(project),  # as a shell has it that went there
    }

    def ran(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert code == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    flows = "import prefect_together.flows.dub as dub, prefect_together.flows.serve, sys; print(dub.__file__, 'daily' in sys.modules)"
    assert f"{site / 'prefect_together' / 'flows' / 'dub.py'} False" == ran("-c", flows).strip()
    assert "flows/picture.py --sandbox" in ran("-m", "prefect_together.cli", "init")
    written = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert {"prefect.yaml", "Dockerfile", ".env.example", "picture.py", "test_picture.py"} <= {path.name for path in written}
    assert not any(b"@" + name + b"@" in text for text in written.values() for name in (b"NAME", b"VERSION"))
    assert "nothing was written" in ran("-m", "prefect_together.cli", "init", code=1)
    assert written == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert "$0.03" in ran("flows/picture.py", "--plan")
    ran("flows/picture.py")
    ran("-m", "prefect", "work-pool", "create", "my-films", "--type", "process")
    ran("-m", "prefect", "--no-prompt", "deploy", "--all")
    ran("-m", "prefect", "deployment", "run", "reconcile/nightly-reconcile")
    ran("-m", "prefect", "deployment", "run", "picture/picture")
    said = ran("-m", "prefect", "worker", "start", "--pool", "my-films", "--run-once")
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if run.work_pool_name == "my-films" and run.start_time]
    assert {StateType.COMPLETED} == {run.state_type for run in runs}, said
    assert 2 == len(runs)
    assert 1 == len(together_sandbox.charges())
    assert "2 passed" in ran("-m", "pytest", "-q", "-p", "no:cacheprovider")
