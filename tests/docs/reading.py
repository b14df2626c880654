"""What stands in the README and on the pages of the documentation: its examples, tables and links. It runs nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
README = ROOT / "README.md"


class Example(NamedTuple):
    """Some code that a page shows."""

    page: str
    """Where it stands, from the project's folder."""
    line: int
    language: str
    code: str


def text_of(page: Path) -> str:
    """Return a page as it stands."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Example]:
    """Return the code of a page, in order."""
    text, name = text_of(page), page.relative_to(ROOT).as_posix()
    found = re.finditer(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [Example(name, text.count("\n", 0, one.start()) + 1, one[1], one[2]) for one in found]


def examples() -> list[Example]:
    """Return all Python of the README and the documentation, each only where it stands first."""
    first: dict[str, Example] = {}
    for page in (README, *PAGES):
        for one in blocks(page):
            if one.language == "python":
                first.setdefault(one.code, one)
    return list(first.values())
