"""Small things that are done with words. Knows nothing of what they mean."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

_SLUG = 40
_KEPT = re.compile(r"-[0-9a-f]{8}-[0-9a-f]{6}$")
"""What stands at the end of the name of a file that was generated, before its extension."""
_MADE = re.compile(r"-([0-9a-f]{12})$")
"""What stands there in the name of a file that was made here of others."""
_PLANNED_SIZE = re.compile(r"#\d+x\d+$")
"""What stands behind the name of a file that is still to be made."""


def slug(title: str) -> str:
    """Return the words of a title as lower-case ASCII that is safe in any path: letters, digits and single dashes.

    It stands in the names of kept files, so its results must never change.
    """
    plain = unicodedata.normalize("NFKD", title[:200]).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:_SLUG].strip("-") or "untitled"


def words_of(address: str) -> str:
    """Return in words what a file is called, by its address: a kept one is named after what it was asked with.

    Of files that were made here, which are all called alike, four digits tell one from another.
    """
    name = unquote(urlsplit(address).path if "://" in address else address).replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _PLANNED_SIZE.sub("", name)
    stem = name.rpartition(".")[0] or name
    digits = ""
    if kept := _KEPT.search(stem):
        stem = stem[: kept.start()]
    elif made := _MADE.search(stem):
        stem, digits = stem[: made.start()], f" {made.group(1)[:4]}"
    words = " ".join(re.split(r"[\s_-]+", stem)).strip() or urlsplit(address).netloc
    return words + digits


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def clipped(text: str, length: int) -> str:
    """Return a text in one line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[:length].rstrip() + "…"


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
