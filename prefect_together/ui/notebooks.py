"""What notebooks show: HTML, a PNG and words of a value. Everything is escaped; nothing is fetched when it is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from prefect_together._internal.notebook_view import Rows, View, brief
from prefect_together._internal.text import clipped
from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated
from prefect_together.generations.spoken import clock
from prefect_together.generations.summary import where
from prefect_together.ui.notebook_previews import Preview, preview

_CARD = (
    "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:13px;line-height:1.5;max-width:720px;"
    "border:1px solid rgba(128,128,128,.35);border-radius:8px;padding:12px 14px;margin:4px 0;text-align:left"
)
_FAINT = "opacity:.75"
_CELL = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;border-bottom:1px solid rgba(128,128,128,.25)"
_WORDS = "white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0 0"
_BESIDE = "display:flex;flex-wrap:wrap;gap:6px"
_PLAYER = "display:block;margin:0 0 8px;max-width:100%"
_LONGEST = 4000  # characters of one text
_CALLED = 300  # characters of a title
_CELL_LONGEST = 200
_ROWS = 50  # of a table
_LINES = 40  # of a transcript
_STRIP = 8  # small pictures beside each other
_ONE, _MANY = (480, 32 * 1024), (160, 6 * 1024)
"""Pixels of the longer side and bytes of one picture, and of one of several."""


def mimebundle(value: Any) -> dict[str, Any]:
    """Return what a notebook shows of a value, by MIME type.

    Args:
        value: A result, or what says itself what is shown of it (``notebook_view``).
    """
    view: View = of_result(value) if isinstance(value, (KeptFile, Generated)) else value.notebook_view()
    files = [file for file in view.files if isinstance(file, KeptFile)][:_STRIP]
    side, largest = _ONE if len(files) == 1 else _MANY
    previews = [preview(file, side=side, largest=largest, alone=len(files) == 1) for file in files]
    found = {"text/html": _html(view, previews), "text/plain": brief(value)}
    if len(previews) == 1 and previews[0].png:
        found["image/png"] = previews[0].png
    return found


def of_result(result: KeptFile | Generated) -> View:
    """Return what is shown of a result: its picture, what it says, what made it and what it cost."""
    facts = [result.maker, *_measures(result)]
    if not isinstance(result, Generated):
        changes = result.changes if isinstance(result, DerivedMedia) else ()
        facts += ["made here, free"] if isinstance(result, DerivedMedia) else []
        return View(result.title(), facts, files=(result,), notes=changes, where=_place(result))
    told = result.description()
    facts += [f"seed {result.seed}"] if result.seed is not None else []
    facts += [result.price(), "reused" if result.reused else "paid", *([told.brief] if told.brief else [])]
    lines = [f"{clock(line.start)}  {f'{line.speaker}: ' if line.speaker else ''}{line.text}" for line in told.lines]
    tables = [Rows((), list(told.values.items()))] if told.values else []
    tables += [Rows(("asks for", "with"), told.calls)] if told.calls else []
    return View(
        result.title(),
        facts,
        files=(result,) if isinstance(result, KeptFile) else (),
        texts=["\n".join([*lines[:_LINES], *_left(len(lines) - _LINES)])] if lines else _unsaid(told.texts, result.title()),
        tables=tables,
        notes=[f"Not what was asked for: {told.fault}"] if told.fault else [],
        folded=told.aside,
        where=_place(result) if isinstance(result, KeptFile) else f"ledger {result.fingerprint[:16]}",
    )


def _unsaid(texts: Iterable[str], title: str) -> list[str]:
    """Return texts without those that the title says already, as what is spoken does."""
    return [text for text in texts if text.strip() != title.strip()]


def _measures(result: KeptFile | Generated) -> list[str]:
    shape = result.shape
    found = [f"{shape.width}×{shape.height}"] if shape.width and shape.height else []
    found += [f"{shape.seconds:.3g} s" if shape.seconds < 100 else clock(shape.seconds)] if shape.seconds else []
    found += [f"{shape.sample_rate / 1000:g} kHz"] if shape.sample_rate else []
    if isinstance(result, KeptFile):
        found += [result.media_type, _bytes(result.size)]
    return found


def _bytes(size: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000 or unit == "MB":
            return f"{size:,} {unit}"
        size = round(size / 1000)
    raise AssertionError("unreachable")


def _place(file: KeptFile) -> str:
    return where(file.uri)


def _left(count: int) -> list[str]:
    return [f"… and {count:,} more"] if count > 0 else []


def _html(view: View, previews: Iterable[Preview]) -> str:
    shown = list(previews)
    parts = [_picture(one) for one in shown]
    pictures = "".join(parts) if len(shown) == 1 else f'<div style="{_BESIDE}">{"".join(parts)}</div>'
    body = [pictures] if shown else []
    body.append(f'<div style="font-weight:600;overflow-wrap:anywhere">{_text(view.title, _CALLED)}</div>')
    if view.facts:
        body.append(f'<div style="{_FAINT}">{" · ".join(_text(fact, _CALLED) for fact in view.facts)}</div>')
    body += [_table(table) for table in view.tables]
    body += [f'<div style="{_WORDS}">{_text(text, _LONGEST)}</div>' for text in view.texts]
    body += [
        f'<details style="margin-top:6px"><summary>{_text(name, 80)}</summary><div style="{_WORDS}">'
        f"{_text(text, _LONGEST)}</div></details>"
        for name, text in view.folded.items()
    ]
    notes = [*view.notes, *dict.fromkeys(one.note for one in shown if one.note)]
    body += [f'<div style="margin-top:6px">{_text(note, _LONGEST)}</div>' for note in notes]
    if view.where:
        place = f'<code style="overflow-wrap:anywhere">{_text(view.where, 2000)}</code>'
        body.append(f'<div style="margin-top:6px;{_FAINT}">{place}</div>')
    return f'<div style="{_CARD}">{"".join(body)}</div>'


def _picture(one: Preview) -> str:
    """Return a small picture and a player; both hold their bytes."""
    found = ""
    if one.picture:
        found = (
            f'<img src="{escape(one.picture)}" alt="{escape(one.alt)}" '
            'style="max-width:100%;border-radius:4px;margin:0 0 8px;display:block">'
        )
    if one.sound:
        found += f'<audio controls preload="metadata" style="{_PLAYER}" src="{escape(one.sound)}"></audio>'
    return found


def _table(table: Rows) -> str:
    head = "".join(f'<th style="{_CELL}">{_text(name, _CELL_LONGEST)}</th>' for name in table.headings)
    rows = [
        "<tr>" + "".join(f'<td style="{_CELL}">{_text(cell, _CELL_LONGEST)}</td>' for cell in row) + "</tr>"
        for row in table.rows[:_ROWS]
    ]
    more = max(table.more, 0) + max(len(table.rows) - _ROWS, 0)
    left = "".join(f'<div style="{_FAINT}">{escape(line)}</div>' for line in _left(more))
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:8px 0 0">'
        f"{top}<tbody>{''.join(rows)}</tbody></table></div>{left}"
    )


def _text(text: str, longest: int) -> str:
    """Return a text as HTML that shows it and nothing else."""
    cut = text if len(text) <= longest else f"{text[:longest].rstrip()}… ({len(text):,} characters)"
    # Dollars by themselves, because notebooks read what stands between two of them as a formula.
    return escape(cut if longest > _CALLED else clipped(cut, longest + 40)).replace("$", "<span>$</span>")
