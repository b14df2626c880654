"""The drawing of the life of a request, as SVG: the way down, and what leaves it to the right."""

from __future__ import annotations

from html import escape

Box = tuple[str, str, str]
STEPS: list[Box] = [
    ("A task is called", "checked: nothing is sent yet", "plain"),
    ("Does the ledger know it?", "by the hash of what is asked", "plain"),
    ("Money reserved, claimed", "one winner among all processes", "plain"),
    ("The POST is sent, once", "", "paid"),
    ("Accepted", "it is written down: paid for", "paid"),
    ("Fetched, checked, hashed", "a job is polled before", "plain"),
    ("Kept", "card, event, result", "good"),
]
ASIDE: dict[int, list[Box]] = {
    1: [("kept: returned", "free", "good"), ("accepted: waited for", "free", "good")],
    2: [("another has it: waited for", "free", "good")],
    3: [("refused", "free: sent when asked again", "plain"), ("no answer: unknown", "above $0.10 you decide", "bad")],
    5: [("failed, or expired", "said, with what was paid", "bad")],
}
COLOURS = {
    "plain": ("#eef3fb", "#24497f"),
    "paid": ("#fff3dc", "#8a5a00"),
    "good": ("#e3f5ea", "#1d7a46"),
    "bad": ("#fdeae8", "#b3261e"),
}


def drawing() -> str:
    """Return the drawing: the way down, and what leaves it to the right."""
    wide, gap, tall = 232, 96, 54
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 490 {gap * len(STEPS) + 4}" role="img" font-family="ui-sans-serif, system-ui, DejaVu Sans, sans-serif" text-anchor="middle">',
        "<title>The life of a request</title>",
        f'<rect width="490" height="{gap * len(STEPS) + 4}" rx="14" fill="#fff"/>',
        '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#4b4f58"/></marker>',
    ]
    for number, step in enumerate(STEPS):
        top = 14 + gap * number
        parts.append(_box(14, top, wide, tall, step))
        if number + 1 < len(STEPS):
            parts.append(_arrow(14 + wide / 2, top + tall, 14 + wide / 2, top + gap - 3))
        aside = ASIDE.get(number, [])
        for place, other in enumerate(aside):
            height = 38
            at = top + (tall - height) / 2 if len(aside) == 1 else top - 14 + place * (height + 6)
            parts += [_arrow(14 + wide, top + tall / 2, 283, at + height / 2), _box(286, at, 192, height, other, size=12)]
    return "\n".join([*parts, "</svg>", ""])


def _box(x: float, y: float, wide: float, tall: float, box: Box, size: int = 14) -> str:
    title, below, kind = box
    fill, line = COLOURS[kind]
    middle, lines = x + wide / 2, [(title, size, 600)] + ([(below, size - 2, 400)] if below else [])
    first = y + tall / 2 + size * 0.35 - (len(lines) - 1) * size * 0.6
    text = "".join(
        f'<text x="{middle:g}" y="{first + place * size * 1.25:g}" font-size="{points}" font-weight="{weight}" '
        f'fill="#1b1b1f">{escape(words)}</text>'
        for place, (words, points, weight) in enumerate(lines)
    )
    return f'<rect x="{x}" y="{y:g}" width="{wide}" height="{tall}" rx="9" fill="{fill}" stroke="{line}" stroke-width="1.5"/>{text}'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    way = (
        f"M{x:g} {y:g}L{to_x:g} {to_y:g}"
        if x == to_x
        else f"M{x:g} {y:g}C{x + 22:g} {y:g} {to_x - 22:g} {to_y:g} {to_x:g} {to_y:g}"
    )
    return f'<path d="{way}" fill="none" stroke="#4b4f58" stroke-width="1.5" marker-end="url(#a)"/>'
