"""The files for containers and other machines name what exists, and run nothing as root. No engine is started here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def _yaml(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_image_holds_what_is_there_and_runs_as_nobody_special() -> None:
    """What is copied exists and is let through by .dockerignore, the extras are the package's, and the user is not root."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for name in line.split()}
    copied = {name for name in copied if not name.startswith("--")}
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
    (extras,) = re.findall(r"'\.\[(.*)\]'", text)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras.split(","))


@pytest.mark.parametrize("path", ["Dockerfile", "prefect_together/cli/project/Dockerfile"])
def test_no_image_runs_as_root(path: str) -> None:
    """The user is not root, and the library's folder is theirs before it is a volume, for a new volume takes that over."""
    text = (ROOT / path).read_text(encoding="utf-8")
    (library,) = re.findall(r"PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=(\S+)", text)
    (given,) = re.findall(r"install --directory --owner films (.*)$", text, re.MULTILINE)
    assert library in given.split()
    lines = text.splitlines()
    user = lines.index("USER films")
    assert "--owner films" in text.partition("\nVOLUME ")[0]
    assert all(not line.startswith("RUN ") for line in lines[user:])
    assert lines[-1].startswith("CMD ")


def test_compose_waits_for_what_it_has() -> None:
    """Every service waits for services that are there, one process alone prepares the database, and no key stands in it."""
    found = _yaml("compose.yaml")
    services: dict[str, dict[str, Any]] = found["services"]
    waited = {name for one in services.values() for name in one.get("depends_on", {})}
    assert waited <= set(services)
    upgrading = [name for name, one in services.items() if "database upgrade" in str(one.get("command"))]
    assert ["database"] == upgrading
    assert all("database" in services[name]["depends_on"] for name in ("server", "services"))
    assert "30s" == services["films"]["stop_grace_period"]  # a process waits up to 20 s for what is in flight
    assert "TOGETHER_API_KEY" not in str([one.get("environment") for one in services.values()])


def test_flows_are_pulled_from_here_or_from_elsewhere() -> None:
    """prefect.yaml pulls from this folder, knows a repository and an image besides, and every entrypoint exists."""
    found = _yaml("prefect.yaml")
    pulls = found["definitions"]["pull"]
    assert found["pull"] == pulls["here"]
    assert {"here", "repository", "image"} == set(pulls)
    assert "prefect.blocks.secret." in str(pulls["repository"])
    for one in found["deployments"]:
        path, _, flow = one["entrypoint"].partition(":")
        assert re.search(rf"^(async )?def {flow}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), one["name"]
