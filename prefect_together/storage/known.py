"""The roots that this process has opened, so that references below them are opened in the same way, and who opens others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Root(Protocol):
    """What is opened: a ``Storage``, which this module need not know."""

    url: str


_known: dict[str, Root] = {}
_loader: list[Callable[[str], Root]] = []
_lock = threading.Lock()


def register(root: Root) -> None:
    """Remember how a root was opened."""
    with _lock:
        _known[root.url] = root


def roots() -> list[Root]:
    """Return them, in the order in which they were opened first."""
    with _lock:
        return list(_known.values())


def load_by(loader: Callable[[str], Root]) -> None:
    """Say who opens the root that a stored block names, by the block's slug and name."""
    _loader[:] = [loader]


def load(block: str) -> Root:
    """Open the root that a stored block names; raises whatever its loader raises."""
    return _loader[0](block)
