"""What a notebook shows of a batch: its first files, and what went wrong first. Reads the first of its items only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from prefect_together._internal.notebook_view import Rows, View
from prefect_together._internal.text import clipped
from prefect_together.errors import TogetherError

_LOOKED_AT = 200  # items, of however many
_FILES = 8
_LISTED = 10
_REASON = 200


class Item(Protocol):
    """What is known of one request."""

    @property
    def row(self) -> int:
        """Its place, from 1."""
        ...

    @property
    def outcome(self) -> str:
        """What came of it."""
        ...

    @property
    def error(self) -> str | None:
        """What went wrong."""
        ...

    @property
    def media(self) -> Any:
        """Its files."""
        ...

    @property
    def results(self) -> Any:
        """All that was made."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """What stood in its row."""
        ...


def view_of(summary: str, items: Iterator[Item], *, name: str | None, manifest: str, bad: int) -> View:
    """Return what a notebook shows of a batch.

    Args:
        summary: Its counts and its money.
        items: What came of its requests, in order.
        name: The name under which it can be run again.
        manifest: Where its items are kept.
        bad: How many have no result.
    """
    files: list[Any] = []
    wrong: list[tuple[str, str, str]] = []
    notes: list[str] = []
    try:
        for item in islice(items, _LOOKED_AT):
            files += item.media if len(files) < _FILES else ()
            if item.error and len(wrong) < _LISTED:
                wrong.append((str(item.row), item.outcome, clipped(item.error, _REASON)))
    except (TogetherError, ValueError) as error:
        notes.append(error.what if isinstance(error, TogetherError) else "Its manifest cannot be read.")
    tables = [Rows(("row", "outcome", "why"), wrong, more=bad - len(wrong))] if wrong else []
    return View(
        summary, [f"batch {name!r}"] if name else [], files=files[:_FILES], tables=tables, notes=notes, where=manifest
    )


def view_of_item(item: Item, facts: list[str]) -> View:
    """Return what a notebook shows of one request: its files, its answers, what stood in its row and what went wrong.

    Args:
        item: What came of it.
        facts: What else is known of it.
    """
    files = list(item.media)
    texts = [str(result) for result in item.results if result not in files]
    cells = [(name, clipped(str(value), _REASON)) for name, value in item.columns.items() if value is not None]
    tables = [Rows((), cells[:_LISTED], more=len(cells) - _LISTED)] if cells else []
    return View(
        f"Row {item.row}: {item.outcome}", facts, files[:_FILES], texts, tables, notes=[item.error] if item.error else []
    )
