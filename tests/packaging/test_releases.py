"""Releases are prepared: what builds and publishes them is well-formed, and tries what the metadata promises."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORGE = ROOT / ".github"
SCHEMAS = {
    "vendor.github-workflows": [*FORGE.glob("workflows/*.yml")],
    "vendor.github-issue-forms": [FORGE / "ISSUE_TEMPLATE" / "bug.yml", FORGE / "ISSUE_TEMPLATE" / "model.yml"],
    "vendor.github-issue-config": [FORGE / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [FORGE / "dependabot.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.slow
def test_the_forge_can_read_them(schema: str) -> None:
    """Workflows, forms for issues and the citation are as their published schemas want them."""
    if find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed")
    assert SCHEMAS[schema]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, SCHEMAS[schema])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def workflow(name: str) -> dict[str, Any]:
    """Return one workflow as it is read."""
    return yaml.safe_load((FORGE / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def test_every_supported_python_is_tried() -> None:
    """The workflow runs on each Python that a classifier names."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    promised = [line.strip(' ",').rpartition(" :: ")[2] for line in lines if '"Programming Language :: Python :: 3.' in line]
    assert promised == workflow("tests")["jobs"]["all"]["strategy"]["matrix"]["python"]


@pytest.mark.parametrize("path", SCHEMAS["vendor.github-workflows"], ids=lambda path: path.stem)
def test_an_action_is_what_it_was(path: Path) -> None:
    """Each action is named by its commit, which nobody can move as they can a tag; its version stands beside it."""
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [] == [one for one in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)]


def test_only_the_publishing_job_may_sign() -> None:
    """No job has more rights than it needs: all read, and the one that publishes says to the index who it is."""
    for name in ("tests", "release"):
        assert {"contents": "read"} == workflow(name)["permissions"]
    rights = {name: job.get("permissions") for name, job in workflow("release")["jobs"].items()}
    assert {"build": None, "publish": {"id-token": "write"}} == rights
