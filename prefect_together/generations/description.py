"""What a result says of itself for people, beside what all results say: words, values by name, facts. Each thing once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Line(NamedTuple):
    """What is said between two times of a recording, in seconds."""

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True)
class Description:
    """What cards, galleries and ``trace`` show of a result."""

    texts: tuple[str, ...] = ()
    """What it says, as it was written; what stands in ``values`` is not repeated."""
    lines: tuple[Line, ...] = ()
    """The same as its texts, with the times at which it is said."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it says by name, where it has names."""
    calls: tuple[tuple[str, str], ...] = ()
    """Functions that it asks for, with their arguments as JSON."""
    aside: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is long and read by few, such as what was thought."""
    brief: str = ""
    """What stands beside its cost, such as its tokens."""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What else is known of it."""
    fault: str = ""
    """What is wrong with it, where it was paid for and is not what was asked for."""

    def line(self) -> str:
        """Return in one line what it says."""
        said = [f"{name}: {value}" for name, value in self.values.items()] or list(self.texts)
        return " ".join(" · ".join([*said, *(f"{name}({arguments})" for name, arguments in self.calls)]).split())
