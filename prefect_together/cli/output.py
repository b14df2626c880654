"""What a command shows: words to stdout, in colours on a terminal only, and how far it is to stderr. Says nothing itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

_COLOURS = {
    "kept": "green", "accepted": "cyan", "claimed": "cyan", "failed": "red", "lost": "red", "unknown": "yellow",
    "refused": "yellow",
}  # fmt: skip
"""Of the words for what became of a request."""


def say(text: str) -> None:
    """Print a line as it is."""
    print(text)


def say_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows below their headings, each column as wide as its widest cell; a terminal shows states in colours.

    Args:
        headings: Of the columns.
        rows: Their cells.
        right: Headings of the columns whose cells stand to the right, such as amounts.
    """
    from rich.console import Console  # knows pipes, NO_COLOR and terminals without colours
    from rich.text import Text

    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    if headings[-1] not in right:
        widths[-1] = 0
    console = Console(highlight=False, soft_wrap=True)
    coloured = console.is_terminal
    for number, row in enumerate([headings, *rows]):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(headings, row, widths, strict=True)
        ]
        if not coloured:
            print("  ".join(cells))
            continue
        styles = ["bold" if not number else _COLOURS.get(cell.strip(), "") for cell in cells]
        line = Text("  ").join(Text(cell, style=style) for cell, style in zip(cells, styles, strict=True))
        console.print(line)


@contextmanager
def progress(what: str) -> Generator[Callable[[int, int | None], None]]:
    """Show for the block how far it is, on a terminal; on a pipe nothing. Yield what is told how much is done of how much.

    Args:
        what: What is done, such as ``Reading files``.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
