"""Text that Prefect's UI shows as it is, in lines that fit."""

from __future__ import annotations

from textwrap import wrap


def escaped(text: str) -> str:
    """Keep a text from being read as markdown or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_{}[]!~$|":
        text = text.replace(character, f"\\{character}")
    return text


def narrow(text: str, width: int) -> str:
    """Return a text for the cell of a table, escaped: tables of Prefect's first UI break no lines by themselves.

    Args:
        text: The text; its own lines stay lines.
        width: Characters of a line at most.
    """
    lines = [row for line in text.splitlines() for row in wrap(line, width) or [""]]
    return "<br>".join(map(escaped, lines))
