"""The README is short, reads the same wherever it is shown, and names what exists. Its examples run in `tests/docs`."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from prefect_together import errors
from prefect_together.generations.registry import specs

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
HOME = "https://github.com/prefect-together/prefect-together/blob/main/"
RAW = "https://raw.githubusercontent.com/prefect-together/prefect-together/main/"
LINKS: list[str] = re.findall(r"\]\(([^)]+)\)", TEXT)


def test_it_is_short() -> None:
    """Who reads it is through in some minutes; what is longer is a page of the documentation."""
    assert len(TEXT.split()) <= 1760


def test_it_reads_the_same_everywhere() -> None:
    """Links and pictures are absolute, so that they lead somewhere from the page of an index, and to files that exist."""
    assert [] == [link for link in LINKS if urlsplit(link).scheme != "https"]
    own = [link.removeprefix(home) for link in LINKS for home in (HOME, RAW) if link.startswith(home)]
    assert len(own) >= 30
    assert [] == [path for path in own if not (ROOT / path).is_file()]


def test_its_table_has_every_type() -> None:
    """The table names the request, the task and the async twin of every type of generation."""
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    for spec in specs():
        assert any(f"`{spec.request.__name__}`" in row for row in rows), spec.request.__name__
    public = set(__import__("prefect_together").__all__)
    tasks = [re.findall(r"`(\w+)`", row)[0] for row in rows]
    assert [] == [task for task in tasks if task not in public or f"a{task}" not in public]


def test_it_names_errors_that_exist() -> None:
    """An error that it names can be caught."""
    named = set(re.findall(r"`(\w+(?:Error|Balance|Blocked|Limited|Failed|Outcome|Timeout))`", TEXT))
    assert named
    assert [] == [name for name in sorted(named) if not hasattr(errors, name)]
