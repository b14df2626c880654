"""How far a long command is: a bar on a terminal, else a line now and then. Goes to the standard error."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import Progress, TaskID
from typing_extensions import Self

_PAUSE = 10.0
"""Seconds between lines, where they go into a file or a log; what takes less says nothing."""


class ProgressBar:
    """Shows what is being done and what part of it is done; to be used in a ``with`` block."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True) if console.is_terminal else None
        self._parts: dict[str, TaskID] = {}
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, what: str, part: float) -> None:
        """Show that a part of something is done.

        Args:
            what: What is being done.
            part: 0 to 1.
        """
        if self._bar:
            if what not in self._parts:
                self._parts[what] = self._bar.add_task(what, total=1.0)
            self._bar.update(self._parts[what], completed=part)
        elif time.monotonic() - self._said_at >= _PAUSE:
            self._said_at = time.monotonic()
            print(f"{what}: {part:.0%}", file=sys.stderr, flush=True)
