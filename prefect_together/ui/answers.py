"""The markdown of what results say: words as written, values as a table, calls, thinking folded. Talks to no server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from prefect_together.generations.description import Description, Line
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated
from prefect_together.generations.spoken import clock
from prefect_together.ui.text import escaped, narrow

_LONGEST = 20_000  # characters of one text: Prefect keeps artifacts in its database, and the ledger has all of it
_MOST = 300  # lines of a transcript
_CODE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_MARKUP = re.compile(r"^([#+=-]|\d+(?=[.)]))")
_WIDE = 60  # characters of a value that stand in one line: tables of Prefect's first UI break none


def asked_about(result: KeptFile | Generated) -> list[KeptFile]:
    """Return the kept files that an answer is about; none for files, whose own picture says more."""
    if isinstance(result, KeptFile):
        return []
    return [KeptFile.model_validate(source.model_dump()) for source in result.made_from()]


def answer(told: Description) -> str:
    """Return what a result says: its values as a table, texts with their code as code, and what it asks to be called."""
    parts = [f"**Not what was asked for:** {escaped(told.fault)}"] if told.fault else []
    if told.values:
        rows = [f"| {escaped(name)} | {narrow(value, _WIDE)} |" for name, value in told.values.items()]
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    if told.lines:
        parts.append(_timed(told.lines))
    numbered = len(told.texts) > 1
    for number, text in enumerate(() if told.lines else told.texts, 1):
        parts += [f"**{number}**", prose(text)] if numbered else [prose(text)]
    parts += [f"**Asks for** `{name.replace('`', '')}`\n\n{fenced(arguments)}" for name, arguments in told.calls]
    parts += [_folded(name, text) for name, text in told.aside.items()]
    return "\n\n".join(parts)


def prose(text: str) -> str:
    """Return a text that was written by a model: its lines as lines, its code as code, and nothing else as markup."""
    cut, parts, end = _cut(text), list[str](), 0
    for found in _CODE.finditer(cut):
        parts += [_lines(cut[end : found.start()]), fenced(found[2])]
        end = found.end()
    parts.append(_lines(cut[end:]))
    return "\n\n".join(part for part in parts if part)


def _timed(lines: Sequence[Line]) -> str:
    """Return what is said, each line with the time at which it is."""
    shown = [
        f"`{clock(line.start)}` " + (f"**{escaped(line.speaker)}** " if line.speaker else "") + escaped(line.text)
        for line in lines[:_MOST]
    ]
    if len(lines) > _MOST:
        shown.append(f"… and {len(lines) - _MOST:,} lines more, all in the ledger")
    return "<br>".join(shown)


def _folded(name: str, text: str) -> str:
    """Return a text that is shown where one asks for it. In one line: the first UI takes what follows an empty one out."""
    lines = "<br>".join(map(escape, _cut(text).splitlines()))
    return f"<details><summary>{escape(name)}</summary>{lines}</details>"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}… ({len(text):,} characters, all in the ledger)"


def fenced(code: str) -> str:
    """Return code as a block of it, whatever is in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code.rstrip()}\n{fence}"


def _lines(text: str) -> str:
    return "<br>".join(map(_line, text.strip("\n").rstrip().splitlines()))


def _line(line: str) -> str:
    bare = line.lstrip(" \t")
    indent = "&nbsp;" * len(line[: len(line) - len(bare)].expandtabs(4))
    shown = escaped(bare)
    if found := _MARKUP.match(shown):  # what begins a heading, a list or a line across
        mark = found[0]
        shown = f"{mark}\\{shown[len(mark) :]}" if mark.isdigit() else f"\\{shown}"
    return indent + shown


def below_what_they_speak_of(results: Sequence[KeptFile | Generated]) -> list[KeptFile | Generated]:
    """Return results with each answer behind the first picture that it is about, where that is among them."""
    places = {result.sha256: place for place, result in reversed(list(enumerate(results))) if isinstance(result, KeptFile)}

    def after(place: int) -> tuple[int, int]:
        about = [places[file.sha256] for file in asked_about(results[place]) if file.sha256 in places]
        return (min(about), place + 1) if about else (place, 0)

    return [results[place] for place in sorted(range(len(results)), key=after)]
