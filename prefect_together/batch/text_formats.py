"""Reads CSV, TSV and JSON lines: one row in memory at a time, and one bad row stops no other. Opens no files."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from prefect_together.batch.cells import INVISIBLE, Written, trimmed
from prefect_together.batch.column_names import cleaned, twice
from prefect_together.errors import InvalidRequest
from prefect_together.generations.formats import sniff

LONGEST = 16 * 1024 * 1024
"""Characters that a row may have: room for a picture inside a cell, and an endless line does not fill the memory."""
_HEAD = 4096
_NUL = "\ud800"  # no encoding and no error handler of ``decoded`` makes one
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKED_AS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8-sig"),
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}
"""What a file may be said to be that begins with a mark."""
_OTHERS = {
    b"PK\x03\x04": "a spreadsheet or a ZIP archive",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed by gzip",
    b"%PDF": "a PDF",
}
ENCODING = 'save the table as UTF-8, or name what it is in, e.g. encoding="cp1252"'


class BadRow(ValueError):
    """A row that cannot be read; the rows after it can."""


def decoded(file: BinaryIO, name: str, encoding: str | None) -> io.TextIOWrapper:
    """Return the text of a file.

    A byte that is not in its encoding becomes a lone surrogate or U+FFFD, which ``spoilt`` finds: it spoils one row only.

    Raises:
        InvalidRequest: It is no text, or there is no such encoding.
    """
    head = cast("io.BufferedReader", file).peek(_HEAD)[:_HEAD]
    marked = next((known for mark, known in _MARKS if head.startswith(mark)), None)
    if encoding is None and marked is None and (what := _no_text(head)):
        raise InvalidRequest(f"The table {name} is no text: it is {what}.")
    used = marked or encoding or "utf-8"
    try:
        # Of the wide encodings only errors="replace" takes every byte.
        wide = codecs.lookup(encoding or used).name.startswith(("utf-16", "utf-32"))
    except LookupError:
        raise InvalidRequest(f"There is no encoding {encoding!r}: give Python's name of one, e.g. cp1252.") from None
    if marked and encoding:
        _check_mark(head, encoding, name)
    return io.TextIOWrapper(file, encoding=used, errors="replace" if wide else "surrogateescape", newline="")


def _check_mark(head: bytes, encoding: str, name: str) -> None:
    """Refuse a file that is marked as something else than its reader says.

    Raises:
        InvalidRequest: It is.
    """
    mark, known = next((mark, known) for mark, known in _MARKS if head.startswith(mark))
    if codecs.lookup(encoding).name not in _MARKED_AS[mark]:
        kind = known.removesuffix("-sig").upper()
        raise InvalidRequest(
            f"The table {name} begins with the mark of {kind}, and encoding= says {encoding!r}: leave it out."
        )


def _no_text(head: bytes) -> str | None:
    """Return what a file is that is no text, or None."""
    if found := sniff(head):
        return f"a file of type {found.media_type}"
    if other := next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None):
        return other
    hint = 'if it is UTF-16, say so: encoding="utf-16-le"'
    return f"a file with NUL bytes in its first line; {hint}" if b"\0" in head.partition(b"\n")[0] else None


def spoilt(text: str) -> str | None:
    """Return what is wrong with a text that cannot be meant so, or None: money is spent on what it says."""
    if "\0" in text:
        return "it holds a NUL character"
    if not text.isascii() and any("\udc80" <= letter <= "\udcff" or letter == "\ufffd" for letter in text):
        return f"it holds bytes that are not in the table's encoding: {ENCODING}"
    return None


def mended(text: str) -> str:
    """Return a text that can be written again."""
    return text.replace("\0", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def header(file: io.TextIOWrapper, kind: str, name: str) -> list[str]:
    """Return the names of the columns.

    Raises:
        InvalidRequest: There are none, or two are the same.
    """
    try:
        found = next(_reader(_Feed(file), kind), list[str]())
    except (csv.Error, BadRow) as error:
        raise InvalidRequest(f"The first line of {name} should name the columns, and cannot be read: {error}.") from None
    names = [trimmed(column) for column in found]
    if not any(names):
        raise InvalidRequest(f"The table {name} is empty: its first line should name the columns.")
    if wrong := next((why for column in names if (why := spoilt(column))), None):
        raise InvalidRequest(f"The first line of {name} should name the columns, and {wrong}.")
    if len(names) == 1 and kind == "csv" and (other := next((mark for mark in ";\t|" if mark in names[0]), None)):
        raise InvalidRequest(
            f"The columns of {name} are separated by {other!r}: write it with commas, or as .tsv with tabs."
        )
    return cleaned(found, f"The table {name}")


def separated(file: io.TextIOWrapper, names: list[str], kind: str) -> Iterator[dict[str, Any] | BadRow]:
    """Yield the rows below the header, which has been read from the same file."""
    feed = _Feed(file)
    reader = _reader(feed, kind)
    while True:
        feed.begin()
        wrong: str | None = None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, BadRow) as error:
            cells, wrong = feed.plain(kind), _why(error, feed, names, kind)
            feed.again()
        if wrong and not (kind == "tsv" and len(cells) == len(names)):  # spreadsheets quote cells, other programs do not
            yield BadRow(wrong)
            continue
        if len(cells) > len(names):
            yield BadRow(f"it has {len(cells)} cells for {len(names)} columns")
        elif cells:  # no empty line
            yield dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=True))


def _why(error: Exception, feed: _Feed, names: list[str], kind: str) -> str:
    """Return why a row cannot be read; the csv module does not say where."""
    if feed.ended_inside:
        opened = next(csv.reader([feed.first], delimiter=_DELIMITERS[kind]), names)
        return f"a quotation mark is opened in column {names[min(len(opened), len(names)) - 1]!r} and closed nowhere"
    if "expected after" in str(error):
        return "a quotation mark stands inside a quoted cell, where it is written twice"
    return str(error) if isinstance(error, BadRow) else f"it cannot be read: {error}"


def json_lines(file: io.TextIOWrapper) -> Iterator[dict[str, Any] | BadRow]:
    """Yield the rows of JSON lines."""
    feed = _Feed(file)
    while True:
        feed.begin()
        try:
            line = next(feed)
            if not line.strip():
                continue
            row = json.loads(line.lstrip(INVISIBLE), object_pairs_hook=_object, parse_float=Written)
        except StopIteration:
            return
        except BadRow as error:
            yield error
        except (ValueError, RecursionError) as error:
            yield BadRow(f"it is not JSON: {error}")
        else:
            yield cast("dict[str, Any]", row) if isinstance(row, dict) else BadRow("it is not a JSON object")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of two values under one name Python would take the last one without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadRow(f"it has {twice(names, names)}")
    return found


def _reader(feed: _Feed, kind: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST)  # the csv module's own limit of 128 KB is below what a cell may hold
    # Before Python 3.11 it refuses a whole row for a NUL in one of its cells; `spoilt` says which cell it is.
    if sys.version_info >= (3, 11):
        return _strict(feed, kind)
    return map(_with_nul, _strict(map(_without_nul, feed), kind))  # generators would end with the first bad row


def _strict(lines: Iterator[str], kind: str) -> Iterator[list[str]]:
    # Strict: a quotation mark that is not meant as one would swallow the rows up to the next one, and be paid for.
    return csv.reader(lines, delimiter=_DELIMITERS[kind], strict=True)


def _without_nul(line: str) -> str:
    return line.replace("\0", _NUL)


def _with_nul(row: list[str]) -> list[str]:
    return [cell.replace(_NUL, "\0") for cell in row]


class _Feed:
    """Gives out lines, and remembers those of the row at hand: they are read anew where the row turns out to be none."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._again = deque[str]()
        self._row: list[str] = []
        self._size = 0
        self._ended = False

    @property
    def ended_inside(self) -> bool:
        """Whether the file ended where the row at hand did not."""
        return self._ended and bool(self._row)

    def begin(self) -> None:
        """Take the next line for the first one of a row."""
        self._row, self._size, self._ended = [], 0, False

    def again(self) -> None:
        """Give out the lines of the row at hand once more, but for the first one."""
        self._again.extendleft(reversed(self._row[1:]))

    @property
    def first(self) -> str:
        """The first line of the row at hand."""
        return self._row[0] if self._row else ""

    def plain(self, kind: str) -> list[str]:
        """Return the cells of that line as they stand between the delimiters."""
        return self.first.rstrip("\r\n").split(_DELIMITERS[kind])

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(LONGEST)
        if not line:
            self._ended = True
            raise StopIteration
        if len(line) == LONGEST and not line.endswith("\n"):
            while (more := self._file.readline(LONGEST // 16)) and not more.endswith("\n"):
                pass  # the rest of the line is read over, so that the next row is one
            raise BadRow(f"it has more than {LONGEST:,} characters")
        self._row.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            raise BadRow(f"a quotation mark is opened in it and not closed within {LONGEST:,} characters")
        return line
