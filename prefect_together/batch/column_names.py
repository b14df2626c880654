"""What a column is called, one idea for every source: no spaces at its edges, found in any case. Reads nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from prefect_together.batch.cells import trimmed
from prefect_together.errors import InvalidRequest


def cleaned(names: Iterable[Any], table: str) -> list[str]:
    """Return the names of all columns; one without a name is called by its place.

    Raises:
        InvalidRequest: Two are the same.
    """
    given = [str(name) for name in names]
    found = [trimmed(name) or f"column {place}" for place, name in enumerate(given, 1)]
    if len(set(found)) < len(found):
        raise InvalidRequest(f"{table} has {twice(given, found)}: rename one of them.")
    return found


def twice(given: Sequence[str], found: Sequence[str]) -> str:
    """Return which two columns have one name, e.g. ``two columns 'x', the 1st and the 3rd``."""
    name = next(name for name in found if found.count(name) > 1)
    first, second, *_ = (place for place, other in enumerate(found) if other == name)
    if given[first] != given[second]:
        return f"two columns {name!r}, written {given[first]!r} and {given[second]!r}"
    return f"two columns {name!r}, the {_ordinal(first + 1)} and the {_ordinal(second + 1)}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number}{ending}"


def alike(name: str) -> str:
    """Return what is the same for names that differ only in case, or in how their letters are encoded."""
    return unicodedata.normalize("NFKC", trimmed(name)).casefold()


def find(wanted: str, names: Sequence[str]) -> str | None:
    """Return the column that is meant by a name: the one of that very name, else the only one like it.

    Raises:
        InvalidRequest: Several are like it.
    """
    if wanted in names:
        return wanted
    found = [name for name in names if alike(name) == alike(wanted)]
    if len(found) > 1:
        raise InvalidRequest(f"{wanted!r} may be the column {found[0]!r} or {found[1]!r}: write it as it stands there.")
    return found[0] if found else None


def absent(wanted: str, names: Sequence[str]) -> str:
    """Return what is there instead of a column, as the end of a sentence that says that there is none."""
    close = get_close_matches(alike(wanted), [alike(name) for name in names], n=1)
    hint = next((f" Did you mean {name!r}?" for name in names if close and alike(name) == close[0]), "")
    return f"it has {listed(names)}.{hint}"


def listed(names: Sequence[str]) -> str:
    """Return the names of columns, the first thirty of them."""
    more = f" and {len(names) - 30:,} more" if len(names) > 30 else ""
    return (", ".join(names[:30]) or "none") + more
