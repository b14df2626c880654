"""Words and segments with their times, as captions that people can read, and as SRT and WebVTT. No I/O.

Libraries for subtitle files write captions that are given to them; how words become captions is what is here, and none does
it. What is left, the two formats, is shorter than their use: see ``subtitle_files`` for reading them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import zip_longest

from pydantic import BaseModel, ConfigDict

from prefect_together._internal.described import Described
from prefect_together.errors import InvalidRequest
from prefect_together.generations.description import Line
from prefect_together.generations.line_breaks import Piece, arranged, following, grouped, pieces_of, width

LINE_LENGTH = 42
"""Characters of a line at most; those of Chinese, Japanese and Korean count twice."""
SHORTEST = 1.0
"""Seconds that a caption is shown at least, where the next one leaves them."""
LONGEST = 7.0
"""Seconds that a caption is shown at most."""
READ = 17.0
"""Characters that people read in a second."""
_LONGEST_WORD = 3.0  # seconds: models let the last word end where the recording does


class Word(Described, BaseModel):
    """A word and when it is said, in seconds from the start."""

    model_config = ConfigDict(frozen=True)

    word: str
    """The word, with its punctuation."""
    start: float
    """When it begins, in seconds."""
    end: float
    """When it ends, in seconds."""
    speaker: str | None = None
    """Who says it, such as ``SPEAKER_00``; None where nobody asked."""


class Segment(Described, BaseModel):
    """A stretch of what is said, a sentence as a rule, and when, in seconds from the start."""

    model_config = ConfigDict(frozen=True)

    id: int
    """Its number among the segments."""
    start: float
    """When it begins, in seconds."""
    end: float
    """When it ends, in seconds."""
    text: str
    """What is said."""
    speaker: str | None = None
    """Who says it, such as ``SPEAKER_00``; None where nobody asked."""


class Caption(Described, BaseModel):
    """What is shown at a time: at most two lines."""

    model_config = ConfigDict(frozen=True)

    start: float
    """When it appears, in seconds."""
    end: float
    """When it goes, in seconds."""
    lines: tuple[str, ...]
    """One line or two."""
    speaker: str | None = None
    """Who says it."""


def captions(said: Iterable[Word | Segment], *, line_length: int = LINE_LENGTH) -> tuple[Caption, ...]:
    """Return what is said as captions: at most two lines each, broken where sentences and clauses end as far as that goes.

    Captions never overlap, unless they begin at the same time. None holds the words of two speakers, or of two segments. A
    segment that is too long for one caption becomes several, each with its part of the time.

    Args:
        said: Words, or segments; in any order.
        line_length: Characters of a line at most.

    Raises:
        InvalidRequest: No line has so few characters.
    """
    if line_length < 1:
        raise InvalidRequest(f"line_length is {line_length}: give how many a line may have, such as {LINE_LENGTH}.")
    stretches = _stretches(sorted(said, key=lambda one: one.start))
    found = [
        Caption(
            start=pieces[0].start,
            end=min(pieces[-1].end, pieces[0].start + LONGEST),
            lines=arranged(pieces, line_length),
            speaker=pieces[0].speaker,
        )
        for stretch in stretches
        for pieces in grouped(stretch, line_length, LONGEST)
    ]
    return tuple(_shown_long_enough(sorted(found, key=lambda one: one.start)))


def spoken_lines(said: Iterable[Word | Segment]) -> list[Line]:
    """Return what is said as lines of a page, with their times."""
    return [Line(one.start, one.end, " ".join(one.lines), one.speaker) for one in captions(said)]


def to_srt(said: Iterable[Word | Segment], *, line_length: int = LINE_LENGTH) -> str:
    """Return what is said as SubRip subtitles. The format knows no speakers.

    Args:
        said: Words, or segments.
        line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.
    """
    shown = captions(said, line_length=line_length)
    blocks = (
        f"{number}\n{_clock(one.start, ',')} --> {_clock(one.end, ',')}\n" + "\n".join(one.lines) + "\n"
        for number, one in enumerate(shown, 1)
    )
    return "\n".join(blocks)


def to_vtt(said: Iterable[Word | Segment], *, line_length: int = LINE_LENGTH) -> str:
    """Return what is said as WebVTT, with speakers as its voices.

    Args:
        said: Words, or segments.
        line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.
    """
    blocks = ["WEBVTT\n"]
    for one in captions(said, line_length=line_length):
        voice = f"<v {escape(' '.join(one.speaker.split()), quote=False)}>" if one.speaker and one.speaker.strip() else ""
        lines = "\n".join(escape(line, quote=False) for line in one.lines)
        blocks.append(f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n{voice}{lines}\n")
    return "\n".join(blocks)


def _stretches(said: Sequence[Word | Segment]) -> list[list[Piece]]:
    """Return pieces of text by what belongs together: each segment, and the words of one speaker without a long pause."""
    stretches: list[list[Piece]] = []
    before: Word | None = None
    for one in said:
        if isinstance(one, Segment):
            pieces = pieces_of(one.text, one.start, max(one.start, one.end), one.speaker)
            before = None
            if pieces:
                stretches.append(pieces)
            continue
        pieces = pieces_of(one.word, one.start, max(one.start, min(one.end, one.start + _LONGEST_WORD)), one.speaker)
        if not pieces:
            continue
        if before is None or before.speaker != one.speaker or one.start - before.end > SHORTEST:
            stretches.append(pieces)
        else:
            stretches[-1] += following(stretches[-1][-1].text, pieces)
        before = one
    return stretches


def _shown_long_enough(found: Sequence[Caption]) -> Iterable[Caption]:
    """Yield captions that stay as long as they take to read, as far as the next one leaves the time."""
    for one, after in zip_longest(found, found[1:]):
        needed = max(SHORTEST, sum(map(width, one.lines)) / READ)
        end = min(max(one.end, one.start + needed), one.start + LONGEST)
        if after is not None and after.start > one.start:
            end = min(end, after.start)
        yield one.model_copy(update={"end": end})


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
