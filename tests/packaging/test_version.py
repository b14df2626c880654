"""One version, written once, and told in the changelog."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[2]


def test_version_is_canonical() -> None:
    """The version is PEP 440 in its normal form, so that comparing it as text is safe."""
    assert str(Version(version("prefect-together"))) == version("prefect-together")


def test_changelog_opens_with_the_version() -> None:
    """The newest entry of the changelog is about this version, and its heading has a date or says that it is unreleased."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\] - (.+)$", text, re.MULTILINE)
    number, when = headings[0]
    assert Version(number) == Version(Version(version("prefect-together")).base_version)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}|unreleased", when)
