"""How far a long command is: a bar on a terminal, else a line now and then. Goes to the standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

Shown = Callable[[str, float], None]
"""Shows what is being done, and what part of it is done: 0 to 1."""
_PAUSE = 10.0
"""Seconds between lines, where they go into a file or a log; what takes less says nothing."""


@contextmanager
def progress(what: str) -> Generator[Shown]:
    """Show for the block that something is being done; yield what shows how far it is, or what is done after it.

    Args:
        what: What is being done, such as ``Reading files``.
    """
    if not sys.stderr.isatty():
        yield _in_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        known = {what: bars.add_task(what, total=None)}

        def show(doing: str, part: float) -> None:
            if doing not in known:
                known[doing] = bars.add_task(doing, total=None)
            bars.update(known[doing], completed=part, total=1.0)

        yield show


def _in_lines() -> Shown:
    said_at = time.monotonic()

    def show(doing: str, part: float) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _PAUSE:
            said_at = time.monotonic()
            print(f"{doing}: {part:.0%}", file=sys.stderr, flush=True)

    return show
