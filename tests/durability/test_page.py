"""DURABILITY.md cannot rot: its table is the kill suite's, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .page import PAGE, written

ROOT = PAGE.parent
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))))


def test_the_table_is_the_kill_suites_own() -> None:
    """The page shows what is tested, and all of it: `python -m tests.durability.page` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{Path(file).stem}-{name}" for file, name in NAMED])
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    """A promise without its test is no promise."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_promise_names_a_test() -> None:
    """Each line of the page's lists ends in the test that proves it, or says that it is a limit."""
    page = PAGE.read_text(encoding="utf-8").partition("## Promises")[2].partition("## Killed")[0]
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| limit"))]
    assert lines
    for line in lines:
        assert "tests/" in line or "There is no test" in line, line
