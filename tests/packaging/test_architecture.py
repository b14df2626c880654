"""ARCHITECTURE.md cannot rot: the files that it names exist, and its layers are those that the imports are held to."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "DURABILITY.md")
NAMED = sorted(
    {
        (page, name)
        for page in PAGES
        for name in re.findall(r"`((?:prefect_together|tests|flows)/[\w./]*)(?:::\w+)?`", (ROOT / page).read_text("utf-8"))
    }
)


@pytest.mark.parametrize(("page", "name"), NAMED, ids=[f"{page}-{name}" for page, name in NAMED])
def test_every_file_that_is_named_exists(page: str, name: str) -> None:
    """Whoever follows a name in these pages finds something."""
    assert (ROOT / name).exists(), f"{page} names {name}"


@pytest.mark.slow
def test_the_layers_are_those_of_the_imports() -> None:
    """The table of layers lists every package once, in the order that test_imports.py holds."""
    imports = runpy.run_path(str(Path(__file__).with_name("test_imports.py")))
    layers: tuple[tuple[str, ...], ...] = imports["LAYERS"]
    face: str = imports["ROOT"]
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| (.*) \|$", text.partition("## The layers")[2], re.MULTILINE)
    listed = {int(number): set(re.findall(r"`prefect_together/(\w+)", row)) for number, row in rows}
    held = {number: {"__init__" if name == face else name for name in layer} for number, layer in enumerate(layers, 1)}
    assert held == listed
