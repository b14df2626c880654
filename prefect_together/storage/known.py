"""The roots that this process has opened, by their addresses, so that references below them are opened in the same way."""

from __future__ import annotations

import threading
from typing import Protocol


class Root(Protocol):
    """What is opened: a ``Storage``, which this module need not know."""

    url: str


_known: dict[str, Root] = {}
_lock = threading.Lock()


def register(root: Root) -> None:
    """Remember how a root was opened."""
    with _lock:
        _known[root.url] = root


def roots() -> list[Root]:
    """Return them, in the order in which they were opened first."""
    with _lock:
        return list(_known.values())
