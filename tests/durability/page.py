"""Writes the tables of DURABILITY.md from the kill suite's own table; `python -m tests.durability.page` brings them up to date."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kills.table import KINDS, POINTS, ROWS, Row

PAGE = Path(__file__).parents[2] / "DURABILITY.md"
BEGIN, END = "<!-- from tests/kills/table.py -->", "<!-- end -->"
_OUTCOMES = {"stored": "the file", "UnknownOutcome": "`UnknownOutcome`", "undecided": "listed for a decision"}


def table() -> str:
    """Return the kill suite as a markdown table: one line for the rows that differ only in how they are started again."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in ROWS:
        key = (row.point, row.then, row.kind, row.on_unknown, row.charges, row.outcome, row.promise)
        groups.setdefault(key, []).append(row)
    lines = ["| killed | asked for | started again | charges | comes to | |", "|---|---|---|:-:|---|---|"]
    for rows in groups.values():
        first = rows[0]
        point = POINTS[first.point] + (f", and again {POINTS[first.then]}" if first.then else "")
        rule = "" if first.on_unknown == "auto" else f' with `on_unknown="{first.on_unknown}"`'
        restarts = ", ".join(row.restart for row in rows)
        outcome = _OUTCOMES[first.outcome]
        lines.append(f"| {point} | {first.kind}{rule} | {restarts} | {first.charges} | {outcome} | {first.promise} |")
    kinds = "; ".join(f"*{name}*: {about}" for name, about in KINDS.items())
    return "\n".join([*lines, "", f"{kinds}."])


def written(page: str) -> str:
    """Return the page with its table brought up to date."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table()}\n{END}", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
