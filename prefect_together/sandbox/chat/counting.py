"""Count tokens by a fixed rule, about four bytes each, and know which beginnings of prompts were seen before."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect_together.sandbox.chat.reading import Asked, text_of

TEMPLATE = 38
"""Tokens that a template adds on its own, as was seen of Llama."""
BYTES = 4
BLOCK = 64
"""Tokens: beginnings are known in blocks of this many."""
KEPT = 50_000
TILE, TILE_TOKENS, TILES = 560, 1_601, 2
"""A picture counts by tiles of so many pixels a side, of which two on each side count at most."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The tokens of one answer."""

    prompt: int
    cached: int
    completion: int
    """Thoughts among them."""
    thoughts: int


class Prefixes:
    """Remembers the beginnings of prompts that were paid for; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def known(self, owner: str, text: str) -> int:
        """Return how many tokens at the beginning of a prompt were seen before, in whole blocks, and remember all of it."""
        content = text.encode("utf-8", "replace")
        digest = hashlib.sha256(owner.encode())
        cached, first = 0, True
        with self._lock:
            for start in range(0, len(content) - BLOCK * BYTES + 1, BLOCK * BYTES):
                digest.update(content[start : start + BLOCK * BYTES])
                key = digest.digest()
                first = first and key in self._seen
                cached += BLOCK if first else 0
                self._seen[key] = None
                self._seen.move_to_end(key)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return cached

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._seen.clear()


def tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES)


def picture_tokens(width: int, height: int) -> int:
    """Return how many tokens a picture of this size in pixels counts as."""
    return min(TILES, max(width // TILE, 1)) * min(TILES, max(height // TILE, 1)) * TILE_TOKENS


def prompt_text(asked: Asked) -> str:
    """Return the text that goes in, functions first, as templates write it; a schema only bounds what comes out."""
    calls: list[Any] = [call for message in asked.messages for call in message.get("tool_calls") or ()]
    extra = "".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in (*asked.tools, *calls))
    return extra + "".join(_turn(message) for message in asked.messages)


def _turn(message: Mapping[str, Any]) -> str:
    return f"{message['role']}\n{text_of(message)}\n"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text that has so many tokens at most; no character is broken."""
    return text.encode("utf-8", "replace")[: most * BYTES].decode("utf-8", "ignore")


def pieces(text: str) -> list[str]:
    """Return a text in pieces of about one token, as a stream brings them."""
    found = list[str]()
    while text:
        piece = cut(text, 1) or text[0]
        found.append(piece)
        text = text[len(piece) :]
    return found
