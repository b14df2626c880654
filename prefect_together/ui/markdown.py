"""The markdown of galleries: tables of thumbnails with what made them and what they cost. Talks to no server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import timezone
from typing import TypeAlias

from prefect_together._internal.text import clipped, counted
from prefect_together.errors import TogetherError
from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.lineage import parents
from prefect_together.generations.registry import specs
from prefect_together.generations.results import Generated
from prefect_together.generations.spoken import clock
from prefect_together.generations.summary import money
from prefect_together.storage.addresses import where
from prefect_together.ui.answers import answer, below_what_they_speak_of, prose
from prefect_together.ui.links import link
from prefect_together.ui.text import escaped, narrow

ROWS = 200
"""Files that one gallery lists; more are counted."""
PICTURES = 60
"""Files that one gallery shows with a thumbnail."""
ROOM = 900 * 1024
"""Bytes of all thumbnails of one gallery: Prefect refuses the event of an artifact beyond 1.5 MB (measured on 3.8)."""
SIDE = 240
_PROMPT = 160
PROMPT = 500
"""Characters of a prompt or question on a card."""
_REASON = 300
_WIDE = 48  # characters of a line in a table
_LONG = 100  # seconds from which a length is told in minutes
_VALUES = 8  # fields of an answer that stand in one cell

Result: TypeAlias = "KeptFile | Generated"
"""What a gallery shows: kept files, and answers that need none."""

Thumbnails = Callable[[Result], "str | None"]
"""Returns the data URI of a result's picture, or None."""


def gallery(title: str, media: Sequence[Result], failures: Sequence[BaseException], thumbnail: Thumbnails) -> str:
    """Return one table of files, and what failed. How many there are, and the money, is in the artifact's description.

    Args:
        title: The heading.
        media: The files, in order, an answer below the picture that it is about; what one was made from is named by its
            number.
        failures: What came instead of files.
        thumbnail: Returns a file's thumbnail.
    """
    parts, media = [f"## {escaped(title)}"], below_what_they_speak_of(media)
    if media:
        lines = ["| | made by | cost |", "|---|---|---|"]
        for number, file in enumerate(media[:ROWS], 1):
            picture = image(file, thumbnail(file) if number <= PICTURES else None)
            # A line of words above the picture: cells are aligned by their first lines, so the words beside it start on top.
            lines.append(f"| **{number}** {file.noun}<br>{picture} | {made(file, media)} | {cost(file)} |")
        parts.append("\n".join(lines))
    if len(media) > ROWS:
        parts.append(f"… and {len(media) - ROWS} more.")
    if failures:
        shown = [f"* {reason(error)}" for error in failures[:ROWS]]
        parts += [f"### {len(failures)} failed", "\n".join(shown)]
    return "\n\n".join(parts) + "\n"


def grid(
    title: str,
    cells: Sequence[Sequence[Result | BaseException | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    thumbnail: Thumbnails,
    notes: Sequence[str] = (),
) -> str:
    """Return a table with one file in each cell, side by side.

    Args:
        title: The heading.
        cells: Rows of files, of errors where there is none, or None.
        rows: What each row is called.
        columns: What each column is called.
        thumbnail: Returns a file's thumbnail.
        notes: What stands below each column.
    """
    lines = ["| | " + " | ".join(escaped(column) for column in columns) + " |", "|---|" + "---|" * len(columns)]
    for name, row in zip(rows, cells, strict=True):
        shown = [_cell(cell, thumbnail) for cell in row]
        lines.append(f"| {narrow(clipped(name, _PROMPT), _WIDE)} | " + " | ".join(shown) + " |")
    if notes:
        lines.append("| | " + " | ".join(f"**{escaped(note)}**" for note in notes) + " |")
    return "\n\n".join([f"## {escaped(title)}", "\n".join(lines)]) + "\n"


def summary(media: Sequence[Result], failures: Sequence[BaseException]) -> str:
    """Return the line of totals: how many of what, and the money kept apart by what is known of it."""
    generated = [result for result in media if isinstance(result, Generated)]
    kinds = Counter(result.kind for result in generated)
    counts = [spec.count(kinds[spec.kind]) for spec in specs() if kinds[spec.kind]]
    made_here = Counter(file.noun for file in media if not isinstance(file, Generated))
    counts += [counted(number, noun) for noun, number in made_here.items()]
    counts.append(f"**{len(failures)} failed**" if failures else "")
    text = " · ".join(count for count in counts if count) or "Nothing was made."
    return f"{text}<br>{escaped(money(generated).removeprefix('Paid in this run: ').capitalize())}" if generated else text


def made(media: Result, among: Sequence[Result]) -> str:
    """Return how a file was made, for one cell of a table."""
    before = parents(media, among)
    came = ", ".join(f"#{place + 1}" for place in before)
    lines = [f"**{escaped(media.maker)}**" + (f" ← {came}" if came else ""), facts(media)]
    if words := what(media):
        lines.insert(1, narrow(clipped(words, _PROMPT), _WIDE))
    named = {one.fingerprint for place in before if isinstance(one := among[place], Generated)}
    lines += [*(narrow(line, _WIDE) for line in came_from(media, named)), link(media) or ""]
    return "<br>".join(line for line in lines if line)


def what(media: Result) -> str:
    """Return what a result is called, beside its maker: the words that it was asked with, or what it was made from."""
    if isinstance(media, Generated):
        return media.title()
    return f"of {media.origin()}" if isinstance(media, DerivedMedia) else ""


def facts(media: Result) -> str:
    """Return seed, size and length, and what an answer counted."""
    found, shape = list[str](), media.shape
    if isinstance(media, Generated) and media.seed is not None:
        found.append(f"seed {media.seed}")
    if shape.width and shape.height:
        found.append(f"{shape.width}×{shape.height}")
    if shape.seconds:
        found.append(f"{shape.seconds:.3g} s" if shape.seconds < _LONG else clock(shape.seconds))
    if shape.sample_rate and shape.channels:
        channels = {1: "mono", 2: "stereo"}.get(shape.channels, f"{shape.channels} channels")
        found.append(f"{shape.sample_rate / 1000:g} kHz {channels}")
    if isinstance(media, Generated) and (brief := media.description().brief):
        return "<br>".join(filter(None, (" · ".join(found), escaped(brief))))
    return " · ".join(found)


def cost(media: Result) -> str:
    """Return what a file cost: "about" says by list price, and without it Together reported it."""
    if not isinstance(media, Generated):
        return "free<br>made here"
    return f"{escaped(media.price())}<br>{'reused' if media.reused else 'paid'}"


def place(media: KeptFile) -> str:
    """Return where a file is, as text: no browser follows a ``file://`` or ``s3://`` link from Prefect's pages."""
    return escaped(where(media.uri))


def details(media: Result) -> str:
    """Return what a card has no room for: the whole question and the whole answer, and what names it for good."""
    kept = f"{media.created_at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    if isinstance(media, KeptFile):
        what = {"File": place(media), "Type": f"{media.media_type}, {media.size:,} bytes", "SHA-256": media.sha256}
        parts = [prose(media.title())]
        if isinstance(media, Generated):
            what |= {name: escaped(fact) for name, fact in media.description().facts.items()}
        elif isinstance(media, DerivedMedia) and media.changes:
            what["Changed"] = escaped("; ".join(media.changes))
    else:
        told = media.description()
        what = {**{name: escaped(fact) for name, fact in told.facts.items()}, "Ledger": media.fingerprint}
        # What fits on the card is said there.
        parts = [f"### Question\n\n{prose(title)}"] if clipped(title := media.title(), PROMPT) != title else []
        parts += [answer(told)]
    # No table: that of Prefect's first UI cuts off a long path, while these lines break.
    parts.append("<br>".join(f"**{name}** {one}" for name, one in {**what, "Kept": kept}.items()))
    return "\n\n".join(parts) + "\n"


def came_from(media: Result, known: Collection[str] = ()) -> list[str]:
    """Return a line, not yet escaped, for each result that its words came from, but for those that are known already.

    Args:
        media: The result.
        known: Fingerprints of those that are named otherwise.
    """
    # A repair is of the same question, and called one.
    sources = () if isinstance(media, Generated) and media.request.repair_round else media.words_from()
    left = [source for source in sources if source.fingerprint not in known]
    return [f"← {_noun(source.kind)}: {clipped(source.title, _PROMPT)}" for source in left]


def reason(error: BaseException, width: int = _REASON) -> str:
    """Return why there is no file, in lines of at most so many characters."""
    what = error.what if isinstance(error, TogetherError) else str(error)
    return f"**{type(error).__name__}**: {narrow(clipped(what, _REASON), width)}"


def image(media: Result, picture: str | None) -> str:
    """Return the markdown of a thumbnail, or what stands in its place: the words of an answer, the format of a file."""
    if picture:
        return f"![{escaped(media.maker)}]({picture})"
    return f"_{media.media_type}_" if isinstance(media, KeptFile) else said(media)


def said(result: Generated, width: int = _WIDE) -> str:
    """Return the beginning of what an answer says, in lines of so many characters, for one cell of a table or a card."""
    told = result.description()
    lines = [f"**Not what was asked for:**<br>{narrow(clipped(told.fault, _REASON), width)}"] if told.fault else []
    lines += [f"**{escaped(name)}** {narrow(clipped(value, _PROMPT), width)}" for name, value in told.values.items()]
    lines = lines[:_VALUES] + [narrow(clipped(text, _REASON), width) for text in told.texts[:_VALUES]]
    lines += [f"asks for {narrow(clipped(f'{name}({given})', _PROMPT), width)}" for name, given in told.calls[:_VALUES]]
    return "<br>".join(lines)


def _noun(kind: str) -> str:
    return next((spec.noun for spec in specs() if spec.kind == kind), kind)


def _cell(cell: Result | BaseException | None, thumbnail: Thumbnails) -> str:
    if cell is None:
        return ""
    if isinstance(cell, BaseException):
        return reason(cell, _WIDE)
    return f"{image(cell, thumbnail(cell))}<br>{facts(cell)}<br>{cost(cell).replace('<br>', ' · ')}"
