"""Texts with columns in braces: read once, bound to the columns of a table, filled from each row. Reads no tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from prefect_together.batch.cells import NoText, formatted, is_empty, plain, text_of
from prefect_together.batch.column_names import absent, find
from prefect_together.errors import InvalidRequest

_STEP = re.compile(r"\.(\w+)|\[([^\]]+)\]")
_LITERAL = "write {{ and }} for braces that are meant as such"
_CONVERSIONS: dict[str, Callable[[str], str]] = {"!r": repr, "!s": str, "!a": ascii}

Reading: TypeAlias = Callable[[str, Any], str]
"""Returns the text of a cell, given its column and what stands in it."""


class Missing(ValueError):
    """A row has nothing for a template: the column in which nothing stands."""


@dataclass(frozen=True)
class Slot:
    """A place in a template that a column fills."""

    column: str
    path: tuple[str, ...] = ()
    """Which part of a nested cell, from the outside in."""
    conversion: str = ""
    spec: str = ""

    def fill(self, cells: Mapping[str, Any], reading: Reading) -> str:
        """Return what stands here for a row.

        Raises:
            Missing: Nothing stands in the cell.
            ValueError: It cannot be written so.
        """
        cell = cells.get(self.column)
        for step in self.path:
            cell = _inner(cell, step)
        if is_empty(cell):
            raise Missing(self.column + "".join(f"[{step}]" for step in self.path))
        text = text_of(cell) if self.path else reading(self.column, cell)
        if self.conversion:
            text = _CONVERSIONS[self.conversion](text)
        return formatted(text, self.spec) if self.spec else text


def _inner(cell: Any, step: str) -> Any:
    """Return a part of a nested cell; in tables of text it stands there as JSON."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if isinstance(cell, dict):
        return plain(cast("dict[str, Any]", cell).get(step))
    if isinstance(cell, list) and step.lstrip("-").isdigit():
        items = cast("list[Any]", cell)
        return plain(items[int(step)]) if -len(items) <= int(step) < len(items) else None
    return None


@dataclass(frozen=True)
class Filler:
    """A template whose columns are known."""

    parts: tuple[str | Slot, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it uses, each once."""
        return tuple(dict.fromkeys(part.column for part in self.parts if isinstance(part, Slot)))

    def fill(self, cells: Mapping[str, Any], reading: Reading) -> str:
        """Return the text of a row.

        Raises:
            Missing: It has nothing for one of the columns.
            NoText: What stands in one of them is no text, or cannot be written as the template wants it.
        """
        done: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                done.append(part)
                continue
            try:
                done.append(part.fill(cells, reading))
            except (Missing, NoText):
                raise
            except (ValueError, ArithmeticError, MemoryError) as error:
                raise NoText(f"it cannot be written as {part.spec!r} wants it: {error or type(error).__name__}") from None
        return "".join(done)


class Template:
    """A text with columns in braces, as ``str.format`` has it; a column's name may hold any letters but braces.

    Args:
        text: The text.

    Raises:
        InvalidRequest: A brace is opened and not closed, or the other way round.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _parsed(text)
        """Texts at even places, what stands in braces at odd ones."""

    def bind(self, names: Sequence[str], table: str) -> Filler:
        """Return it with its columns.

        Raises:
            InvalidRequest: A column that it names is not there.
        """
        parts = [_slot(part, names, table) if place % 2 else part for place, part in enumerate(self._parts)]
        return Filler(tuple(part for part in parts if part != ""))


def _parsed(text: str) -> list[str]:
    parts, at = [""], 0
    while at < len(text):
        letter = text[at]
        if letter in "{}" and text[at : at + 2] == letter * 2:
            parts[-1] += letter
            at += 2
        elif letter == "{":
            end = text.find("}", at)
            inner = text[at + 1 : end]
            if end < 0 or "{" in inner:
                wrong = "is not closed" if end < 0 else "opens a second brace inside the first"
                raise InvalidRequest(f"The template {text!r} cannot be read: {text[at : at + 20]!r} {wrong}; {_LITERAL}.")
            if not inner.strip():
                raise InvalidRequest(f"The template {text!r} cannot be read: braces with no column in them; {_LITERAL}.")
            parts += [inner, ""]
            at = end + 1
        elif letter == "}":
            raise InvalidRequest(
                f"The template {text!r} cannot be read: a }} closes nothing, behind {text[:at][-20:]!r}; {_LITERAL}."
            )
        else:
            parts[-1] += letter
            at += 1
    return parts


def _slot(inner: str, names: Sequence[str], table: str) -> Slot:
    """Return the slot that stands in braces: the longest beginning that is a column, then what is to be done with it."""
    ends = [len(inner), *(at for at in range(len(inner) - 1, 0, -1) if inner[at] in ":!.[")]
    for end in ends:
        column = find(inner[:end].strip(), names)
        slot = None if column is None else _rest(column, inner[end:] if end < len(inner) else "")
        if slot is not None:
            return slot
    meant = inner.strip()
    raise InvalidRequest(
        f"{table} has no column {meant!r}, which a template names: {absent(meant, names)} Braces that are meant as such are "
        "written {{ and }}."
    )


def _rest(column: str, rest: str) -> Slot | None:
    """Return what a column's name is followed by, or None where that is no way to write a cell."""
    path: list[str] = []
    while found := _STEP.match(rest):
        path.append(found[1] or found[2])
        rest = rest[found.end() :]
    conversion = rest[:2] if rest[:2] in _CONVERSIONS else ""
    rest = rest[len(conversion) :]
    if rest and not rest.startswith(":"):
        return None
    return Slot(column, tuple(path), conversion, rest[1:])
