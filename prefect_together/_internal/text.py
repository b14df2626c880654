"""Small things that are done with words. Knows nothing of what they mean."""

from __future__ import annotations

import re
import unicodedata

_SLUG = 40


def slug(title: str) -> str:
    """Return the words of a title as lower-case ASCII that is safe in any path: letters, digits and single dashes.

    It stands in the names of kept files, so its results must never change.
    """
    plain = unicodedata.normalize("NFKD", title[:200]).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:_SLUG].strip("-") or "untitled"


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
