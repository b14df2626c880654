"""Where text may be broken into captions and lines, and where it best is. No I/O."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

_LINES = 2
_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_CLAUSE = (",", ";", ":", "–", "—", "、", "，", "；", "：", "،", "؛")
_CLOSING = "\"'”’»)]}」』）】》"
_OPENING = "(（「『【［[{《〈“‘«"
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff00-\uffef\U00020000-\U0003ffff]"
)
"""Characters of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_STARTS_NONE = frozenset("、。，．！？：；）」』】》〉ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ…%％)]},.!?;:")
"""What no line begins with."""


class Piece(NamedTuple):
    """A part of text that is not broken, and when it is said."""

    text: str
    start: float
    end: float
    speaker: str | None
    spaced: bool
    """Whether there is a space before it, where something stands there."""
    columns: int
    """How wide it is."""


def width(text: str) -> int:
    """Return how wide text is, in columns: wide characters count twice, marks that stand on others not at all."""
    return sum(
        0 if unicodedata.combining(one) or unicodedata.category(one) in {"Mn", "Me", "Cf"} else 2 if _wide(one) else 1
        for one in text
    )


def pieces_of(text: str, start: float, end: float, speaker: str | None) -> list[Piece]:
    """Return the parts of text that may be separated, each with its part of the time."""
    parts = [(part, place == 0) for word in text.split() for place, part in enumerate(_unbroken(word))]
    widths = [max(1, width(part)) for part, _ in parts]
    times = [start + (end - start) * passed / (sum(widths) or 1) for passed in accumulate(widths, initial=0)]
    return [
        Piece(part, times[place], times[place + 1], speaker, spaced, widths[place])
        for place, (part, spaced) in enumerate(parts)
    ]


def following(before: str, pieces: Sequence[Piece]) -> list[Piece]:
    """Return a word's pieces as they stand after another word, which is with a space in most scripts.

    Args:
        before: The text of the word before.
        pieces: Of this word.
    """
    first = pieces[0].text[0]
    joins = first in _STARTS_NONE or _UNSPACED.match(before[-1]) or _UNSPACED.match(first)
    return [pieces[0]._replace(spaced=not joins), *pieces[1:]]


def grouped(pieces: Sequence[Piece], length: int, longest: float) -> list[Sequence[Piece]]:
    """Return pieces in groups of what is shown together, with the best sum of places where they are broken.

    Args:
        pieces: In order.
        length: Columns of a line at most.
        longest: Seconds of a group at most.
    """
    pieces = [part for piece in pieces for part in _cut(piece, length)]
    offsets = [*accumulate((piece.columns + piece.spaced for piece in pieces), initial=0)]
    best: list[tuple[float, int]] = [(0.0, 0)]  # the cost of the best way up to a place, and where its last group begins
    for end in range(1, len(pieces) + 1):
        ways: list[tuple[float, int]] = []
        for begin in range(end - 1, -1, -1):
            columns = offsets[end] - offsets[begin] - pieces[begin].spaced
            too_long = columns > _LINES * length + 1 or pieces[end - 1].end - pieces[begin].start > longest
            if too_long and begin < end - 1:
                break
            if _fits(pieces, offsets, begin, end, length):
                unfilled = 1 - columns / (_LINES * length)
                cost = _cost(pieces[begin], pieces[end - 1], last=end == len(pieces)) + unfilled * unfilled
                ways.append((best[begin][0] + cost, begin))
        best.append(min(ways))
    groups: list[Sequence[Piece]] = []
    end = len(pieces)
    while end:
        begin = best[end][1]
        groups.append(pieces[begin:end])
        end = begin
    return groups[::-1]


def _fits(pieces: Sequence[Piece], offsets: Sequence[int], begin: int, end: int, length: int) -> bool:
    """Tell whether two lines hold the pieces from one place to another; ``offsets`` are the columns before each piece."""
    second = bisect_right(offsets, offsets[begin] + pieces[begin].spaced + length) - 1
    return second >= end or offsets[end] - offsets[second] - pieces[second].spaced <= length


def arranged(pieces: Sequence[Piece], length: int) -> tuple[str, ...]:
    """Return pieces as lines; what fits on one line is one, and two are alike in length, or end where a clause does.

    Args:
        pieces: Of one group.
        length: Columns of a line at most.
    """
    offsets = [*accumulate((piece.columns + piece.spaced for piece in pieces), initial=-int(pieces[0].spaced))]
    if offsets[-1] <= length:
        return (_joined(pieces),)
    ways: list[tuple[float, int]] = []
    for place in range(1, len(pieces)):
        first, second = offsets[place], offsets[-1] - offsets[place] - pieces[place].spaced
        if first <= length and second <= length:
            ways.append((abs(first - second) + length / 2 * _break_cost(pieces[place - 1].text), place))
    best = min(ways)[1]
    return _joined(pieces[:best]), _joined(pieces[best:])


def _cost(first: Piece, final: Piece, *, last: bool) -> float:
    """Return how bad it is to show what is from one piece to another together, and to break after it."""
    brief = max(0.0, 1.0 - (final.end - first.start))
    return 1.0 + 2 * brief + (0.0 if last else 4 * _break_cost(final.text))


def _break_cost(before: str) -> float:
    """Return how bad a break after a text is, from 0 to 1."""
    bare = before.rstrip(_CLOSING)
    return 0.0 if bare.endswith(_SENTENCE) else 0.3 if bare.endswith(_CLAUSE) else 1.0


def _joined(pieces: Sequence[Piece]) -> str:
    return "".join(" " * (piece.spaced and place > 0) + piece.text for place, piece in enumerate(pieces))


def _unbroken(word: str) -> list[str]:
    """Return the parts of a word between which a line may be broken: characters, in scripts without spaces."""
    if not _UNSPACED.search(word):
        return [word]
    parts: list[str] = []
    for one in word:
        new = _UNSPACED.match(one) or (parts and _UNSPACED.match(parts[-1][-1]))
        stays = width(one) == 0 or one in _STARTS_NONE or one in _CLOSING
        if parts and (stays or not new or parts[-1][-1] in _OPENING):
            parts[-1] += one
        else:
            parts.append(one)
    return parts


def _cut(piece: Piece, length: int) -> list[Piece]:
    """Return a piece that is wider than a line in parts that are not."""
    if piece.columns <= length:
        return [piece]
    parts = [""]
    for one in piece.text:
        if parts[-1] and width(parts[-1] + one) > length:
            parts.append("")
        parts[-1] += one
    step = (piece.end - piece.start) / len(parts)
    times = [piece.start + step * place for place in range(len(parts) + 1)]
    return [
        Piece(part, times[place], times[place + 1], piece.speaker, piece.spaced and place == 0, width(part))
        for place, part in enumerate(parts)
    ]


def _wide(one: str) -> bool:
    return unicodedata.east_asian_width(one) in {"W", "F"}
