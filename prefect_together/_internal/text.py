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
    digits, cut = "", False
    if kept := _KEPT.search(stem):
        stem = stem[: kept.start()]
        cut = len(stem) == _SLUG and "-" in stem
    elif made := _MADE.search(stem):
        stem, digits = stem[: made.start()], f" {made.group(1)[:4]}"
    words = " ".join(re.split(r"[\s_-]+", stem)).strip() or urlsplit(address).netloc
    if cut:  # most likely in the middle of its last word
        words = words.rpartition(" ")[0] + "…"
    return words + digits


def clipped(text: str, length: int) -> str:
    """Return a text as one line of at most so many characters, cut between words, and then with an ellipsis at its end."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    head = line[: length - 1]
    # Some scripts have no spaces, and some words no end: of those, part of one is better than next to nothing.
    at = len(head) if line[length - 1] == " " else head.rfind(" ")
    return (head[:at] if at >= length // 2 else head).rstrip(" ,;:·–—-") + "…"


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def counted(number: int, noun: str) -> str:
    """Return how many there are, in words, such as ``1 clip`` and ``2,000 clips``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
