"""What a command shows on stdout, in colours on a terminal only; how far it is, ``progress`` shows. Says nothing itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def say_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), after: Sequence[int] | None = None
) -> Sequence[int]:
    """Print rows below their headings, each column as wide as its widest cell; a terminal shows states in colours.

    Args:
        headings: Of the columns.
        rows: Their cells.
        right: Headings of the columns whose cells stand to the right, such as amounts.
        after: The widths of the part of the table that was printed before: it goes on below it, without headings.

    Returns:
        How wide the columns are.
    """
    from rich.console import Console  # knows pipes, NO_COLOR and terminals without colours
    from rich.text import Text

    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    widths = [max(width, before) for width, before in zip(widths, after or [0] * len(widths), strict=True)]
    if headings[-1] not in right:
        widths[-1] = 0
    console = Console(highlight=False, soft_wrap=True)
    coloured = console.is_terminal
    for number, row in enumerate([headings, *rows] if after is None else rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(headings, row, widths, strict=True)
        ]
        if not coloured:
            print("  ".join(cells))
            continue
        styles = ["bold" if not number and after is None else _COLOURS.get(cell.strip(), "") for cell in cells]
        line = Text("  ").join(Text(cell, style=style) for cell, style in zip(cells, styles, strict=True))
        console.print(line)
    return widths
