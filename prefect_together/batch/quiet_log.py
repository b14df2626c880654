"""A log in which each warning of a batch's requests stands once, and nothing else of them. Writes no log of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

_WARNINGS = 20

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[Any]
else:
    _Adapter = logging.LoggerAdapter  # not subscriptable on Python 3.10


class Quiet(_Adapter):
    """Says each warning of the requests once, and nothing else of them: ten thousand rows would drown the log."""

    def __init__(self, logger: Any) -> None:
        super().__init__(logger, {})
        self._said: set[str] = set()

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:  # noqa: ARG002 - as its base has it
        """Pass on a warning that is new."""
        if level < logging.WARNING or len(self._said) >= _WARNINGS:
            return
        text = str(msg) % args if args else str(msg)
        if text not in self._said:
            self._said.add(text)
            self.logger.log(level, "%s", text)
