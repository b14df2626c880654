"""Text that Prefect's UI shows as it is."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Keep a text from being read as markdown or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    for character in "\\`*_{}[]!~$":
        text = text.replace(character, f"\\{character}")
    return text
