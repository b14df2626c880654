"""What a review shows and asks, and what an answer to it means. Talks to no server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from textwrap import wrap
from typing import Literal, Protocol

from prefect_together._internal.notebook_view import Rows, ShownInNotebooks, View
from prefect_together._internal.text import clipped, counted
from prefect_together.catalog.money import dollars
from prefect_together.generations.kept_file import KeptFile
from prefect_together.ui.links import link
from prefect_together.ui.text import escaped

Verdict = Literal["approve", "redo", "drop"]
"""What becomes of one picture."""

TALLEST = 160
"""Pixels that a picture may be high in the form."""
_WIDTHS = {1: 400, 2: 200}
"""Pixels of a picture by the number of columns: what fills the dialog of the first UI, which is the narrower one."""
_LETTER = 9  # pixels
_PROMPT = 600


class Contradiction(ValueError):
    """An answer that cannot be followed, in words for the person who gave it."""


class Answer(Protocol):
    """What a person filled in."""

    drop: list[int]
    """Numbers of the pictures that do not go on."""
    redo: list[int]
    """Numbers of the pictures that are made again."""
    notes: str
    """How: "3: closer" is for the third, and a line without a number for all of them."""


@dataclass(frozen=True)
class Decision(ShownInNotebooks):
    """What was decided about one picture."""

    image: KeptFile
    verdict: Verdict
    note: str = ""
    """What to do differently, where it is to be made again."""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.image.title()}{f' ({self.note})' if self.note else ''}"

    def notebook_view(self) -> View:
        """Return what a notebook shows: the picture, and what was decided."""
        return View(self.image.title(), [self.verdict], files=(self.image,), notes=[self.note] if self.note else [])


@dataclass(frozen=True)
class Review(ShownInNotebooks):
    """What was decided, in the order of the pictures."""

    decisions: tuple[Decision, ...]
    price: Decimal | None = None
    """USD that each approved picture leads to, where that is known."""
    timed_out: bool = False
    """Whether nobody answered, so that the policy decided."""

    @property
    def approved(self) -> list[KeptFile]:
        """The pictures that go on."""
        return [decision.image for decision in self.decisions if decision.verdict == "approve"]

    @property
    def redo(self) -> list[Decision]:
        """The decisions to make one again."""
        return [decision for decision in self.decisions if decision.verdict == "redo"]

    @property
    def dropped(self) -> list[KeptFile]:
        """The pictures that do not go on."""
        return [decision.image for decision in self.decisions if decision.verdict == "drop"]

    @property
    def saved(self) -> Decimal | None:
        """USD that dropping saved, or None where the price is not known."""
        return None if self.price is None else self.price * len(self.dropped)

    def __str__(self) -> str:
        counts = f"{len(self.approved)} approved, {len(self.redo)} to be made again, {len(self.dropped)} dropped"
        saved = "" if not self.dropped else "; what that saved is not known"
        if self.dropped and self.saved is not None:
            saved = f"; dropping saved about {dollars(self.saved)}"
        return f"Review: {counts}{saved}{' (nobody answered in time)' if self.timed_out else ''}."

    def notebook_view(self) -> View:
        """Return what a notebook shows: the pictures, and what was decided about each."""
        rows = [(str(number), one.image.title(), one.verdict, one.note) for number, one in enumerate(self.decisions, 1)]
        tables = [Rows(("picture", "of", "decided", "note"), rows)] if rows else []
        return View(str(self), files=[one.image for one in self.decisions], tables=tables)


def table(images: Sequence[KeptFile], pictures: Mapping[str, str]) -> str:
    """Return the markdown of the pictures, numbered, several in a row.

    Args:
        images: What is decided on.
        pictures: Their thumbnails by SHA-256.
    """
    columns = min(2, len(images))
    cells = [_cell(number, file, pictures.get(file.sha256), _WIDTHS[columns]) for number, file in enumerate(images, 1)]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    rows[-1] += [""] * (columns - len(rows[-1]))
    return "\n".join(["| " * columns + "|", "|---" * columns + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def question(count: int, price: Decimal | None, larger_at: str | None = None) -> str:
    """Return what is asked, in words, with what the pictures that go on will cost.

    Args:
        count: How many pictures there are.
        price: USD that each that goes on leads to, where that is known.
        larger_at: Where they can be seen larger.
    """
    cost = "."
    if price is not None:
        total = f", {dollars(price * count)} for all" if count > 1 else ""
        cost = f", for about {dollars(price)} each{total}."
    see = f" [See them larger]({larger_at})." if larger_at else ""
    ask = "What you name in the fields below is dropped or made again; the others go on"
    return f"**{counted(count, 'picture')} to decide on.** {ask}{escaped(cost)}{see}"


def decided(images: Sequence[KeptFile], answer: Answer) -> tuple[Decision, ...]:
    """Return what an answer means for each picture.

    Raises:
        Contradiction: It says two things of one picture, or notes something on one that is not made again.
    """
    drop, redo, notes = set(answer.drop), set(answer.redo), _notes(answer.notes)
    if both := drop & redo:
        raise Contradiction(f"{_listed(both)} cannot be both dropped and made again.")
    if idle := notes.keys() - redo - {0}:
        raise Contradiction(f"There is a note for {_listed(idle)}, which Redo does not name.")
    if notes and not redo:
        raise Contradiction("There is a note, and Redo names no picture that it is for.")
    decisions: list[Decision] = []
    for number, file in enumerate(images, 1):
        verdict: Verdict = "drop" if number in drop else "redo" if number in redo else "approve"
        own = [notes[place] for place in (number, 0) if place in notes] if verdict == "redo" else []
        decisions.append(Decision(file, verdict, " ".join(own)))
    return tuple(decisions)


def _cell(number: int, file: KeptFile, picture: str | None, widest: int) -> str:
    prompt = file.title()
    width = min(widest, round(TALLEST * (file.width or 16) / (file.height or 9)))
    told = escape(clipped(prompt, 500)).replace("|", "&#124;")
    # HTML, for its width: twice the pixels are sharp on fine screens.
    shown = f'<img src="{picture}" width="{width}" alt="{told}" title="{told}">' if picture else f"_{file.media_type}_"
    # The dialog of the first UI breaks no lines within tables, so they are broken here.
    first, *more = map(escaped, wrap(f"{number} · {clipped(prompt, _PROMPT)}", widest // _LETTER))
    return "<br>".join([shown, f"**{number}**{first.removeprefix(str(number))}", *more])


def larger(images: Sequence[KeptFile], pictures: Mapping[str, str]) -> str:
    """Return the markdown of the pictures one below the other, as large as there is room for, with their whole prompts."""
    parts: list[str] = []
    for number, file in enumerate(images, 1):
        picture = pictures.get(file.sha256)
        parts += [
            f"### {number}",
            f"![Picture {number}]({picture})" if picture else f"_{file.media_type}_",
            escaped(file.title()),
            *filter(None, [link(file)]),
        ]
    return "\n\n".join(parts) + "\n"


def _notes(text: str) -> dict[int, str]:
    """Return the notes by number; what is for no number in particular is under 0."""
    found: dict[int, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        number = re.match(r"(\d{1,3})\s*:\s*(.*)", line)
        found.setdefault(int(number[1]) if number else 0, []).append(number[2] if number else line)
    return {number: " ".join(lines) for number, lines in found.items()}


def _listed(numbers: set[int]) -> str:
    return f"picture{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"
