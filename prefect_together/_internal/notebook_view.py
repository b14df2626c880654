"""What a notebook shows of a value, as words, rows and files; and the hook by which notebooks ask. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Rows:
    """A small table of words."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0
    """Rows that are left out."""


@dataclass(frozen=True)
class View:
    """What is shown of a value. All of it is plain text, which whoever draws it escapes."""

    title: str
    facts: Sequence[str] = ()
    """What stands in small letters below the title."""
    files: Sequence[Any] = ()
    """Kept files whose small pictures are shown."""
    texts: Sequence[str] = ()
    """Words, with their lines as lines."""
    tables: Sequence[Rows] = ()
    notes: Sequence[str] = ()
    """Sentences below."""
    folded: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is shown where one asks for it."""
    where: str = ""
    """A path or an address."""


class ShownInNotebooks:
    """A value that Jupyter and marimo show as it is looked at, and of which Jupyter shows lists in a line each.

    Its previews are part of a saved notebook, and small. Nothing that goes wrong with them is raised.
    """

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002
        try:
            # By name, for values lie in layers below what shows them.
            found: dict[str, Any] = import_module("prefect_together.ui.notebooks").mimebundle(self)
        except Exception:  # a cell that has run must not end in a traceback of its picture
            return {"text/plain": brief(self)}
        return found

    def _repr_html_(self) -> str:
        """Return it as HTML, whatever happens: by this alone marimo shows what is in lists; Jupyter never asks for it."""
        found = self._repr_mimebundle_()
        return str(found.get("text/html") or f"<pre>{escape(found['text/plain'])}</pre>")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002, FBT001 - IPython's
        printer.text(brief(self))


def brief(value: object) -> str:
    """Return a value in words; its class, where it has none."""
    try:
        return str(value)
    except Exception:  # as above
        return f"<{type(value).__name__}>"
