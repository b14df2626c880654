"""What a pack is, as bytes: the entries of many attempts, sorted, with an index. Reads and writes no storage.

A pack is a gzip file of several members, which ``zcat`` shows as lines: blocks of attempts, one JSON object each; then the
index, whose first line says where each block is and whose other lines name the attempts, their entries and when they were
claimed (seconds since 1970); and last an empty member that says where the index begins::

    {"attempt": "7f3a…/any/0001", "entries": {"claimed": {…}, "stored": {…}}}
    …
    {"version": 1, "blocks": [[0, 18211, "7f00…"], …]}
    7f3a…/any/0001    1795766400.000    claimed,stored
    …
"""

from __future__ import annotations

import gzip
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.json import compact, read
from prefect_together.errors import LibraryError

VERSION = 1
BLOCK = 16 * 1024
"""Bytes of a block before it is compressed: what a lookup has to read, and to make sense of."""
_MARK = b"PT"  # names our extra field of gzip's header
_END = struct.Struct("<4sIBBH2sHQ2s8s")  # a whole gzip member: header, extra field with a number, nothing, trailer
END = _END.size
"""Bytes at the end of a pack that say where its index begins."""
_LEVEL = 5

Entries = dict[str, dict[str, Any]]
"""What an attempt has: its entries by their events."""
Name = tuple[str, str, int]
"""Fingerprint, scope and number of an attempt, by which packs are sorted."""


class PackWriter:
    """Makes a pack of attempts that come in the order of their names."""

    def __init__(self) -> None:
        self.attempts = 0
        """How many are in it."""
        self._done: list[bytes] = []
        self._offset = 0
        self._blocks: list[tuple[int, int, str]] = []
        self._names: list[str] = []
        self._lines: list[bytes] = []
        self._size = 0
        self._first = self._last = ""

    def add(self, name: Name, entries: Entries) -> None:
        """Add the next attempt."""
        if self._size >= BLOCK and name[0] != self._last:  # all attempts at one request are in one block
            self._close_block()
        self._first = self._first or name[0]
        self._last = name[0]
        key = written_name(name)
        line = compact({"attempt": key, "entries": entries}) + b"\n"
        self._lines.append(line)
        self._size += len(line)
        at = stamp_of(str(entries["claimed"]["at"])) if "claimed" in entries else 0.0
        self._names.append(f"{key}\t{at:.3f}\t{','.join(sorted(entries))}\n")
        self.attempts += 1

    def finish(self) -> bytes:
        """Return the pack."""
        self._close_block()
        at = self._offset
        head = compact({"version": VERSION, "blocks": self._blocks}) + b"\n"
        self._put(head + "".join(self._names).encode())
        header = (b"\x1f\x8b\x08\x04", 0, 0, 255, 12, _MARK, 8)
        return b"".join([*self._done, _END.pack(*header, at, b"\x03\x00", bytes(8))])

    def _close_block(self) -> None:
        if self._lines:
            begin = self._offset
            self._put(b"".join(self._lines))
            self._blocks.append((begin, self._offset - begin, self._first))
            self._lines, self._size, self._first = [], 0, ""

    def _put(self, data: bytes) -> None:
        member = gzip.compress(data, _LEVEL, mtime=0)
        self._done.append(member)
        self._offset += len(member)


class PackIndex:
    """Where the attempts of a pack are, in little memory: its blocks, and a hash of each fingerprint.

    Args:
        key: The pack's.
        data: Its index, as it is in the pack.

    Raises:
        LibraryError: It is none, or that of a newer release.
    """

    def __init__(self, key: str, data: bytes) -> None:
        self.key = key
        head, lines = _opened(key, data)
        self.blocks: list[tuple[int, int, str]] = [tuple(block) for block in head["blocks"]]
        self._first = [block[2] for block in self.blocks]
        # A batch looks into every pack of a library: eight bytes for each of its requests are kept, and no names.
        self._hashes = array("q", sorted({hash(line.partition("/")[0]) for line in lines}))

    def block_of(self, fingerprint: str) -> tuple[int, int] | None:
        """Return where the block is that may hold a fingerprint: its first byte and its length; None where none does."""
        sought = hash(fingerprint)
        place = bisect_left(self._hashes, sought)
        if place == len(self._hashes) or self._hashes[place] != sought:
            return None
        block = self.blocks[max(0, bisect_right(self._first, fingerprint) - 1)]
        return block[0], block[1]


def index_at(key: str, end: bytes) -> int:
    """Return where the index of a pack begins, which its last bytes say.

    Raises:
        LibraryError: They are not the end of a pack.
    """
    fields = _END.unpack(end) if len(end) == END else ()
    if not fields or fields[5] != _MARK:
        raise _unreadable(key)
    return int(fields[7])


def index_in(key: str, pack: bytes) -> bytes:
    """Return the index of a whole pack; raises likewise."""
    return pack[index_at(key, pack[-END:]) : -END]


def names_of(key: str, data: bytes) -> list[str]:
    """Return the lines of an index that name attempts: name, time of the claim and entries, with tabs between them.

    Raises:
        LibraryError: It is none, or that of a newer release.
    """
    return _opened(key, data)[1]


def stamp_of(at: str) -> float:
    """Return a time as seconds since 1970; one without a zone is UTC.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def lines_of(key: str, block: bytes) -> list[bytes]:
    """Return the lines of a block, one for each attempt; raises likewise."""
    return _unzipped(key, block).split(b"\n")[:-1]


def attempts_at(lines: list[bytes], fingerprint: str) -> list[tuple[Name, Entries]]:
    """Return those attempts of a block that are at one request; the others are not made sense of."""
    begin = b'{"attempt":"' + fingerprint.encode() + b"/"
    return [read_attempt(line) for line in lines if line.startswith(begin)]


def read_attempt(line: bytes) -> tuple[Name, Entries]:
    """Return the attempt that a line of a block holds."""
    found = read(line)
    return read_name(found["attempt"]), found["entries"]


def written_name(name: Name) -> str:
    """Return the name of an attempt as a pack has it."""
    return f"{name[0]}/{name[1]}/{name[2]:04d}"


def read_name(written: str) -> Name:
    """Return the name that is written so."""
    fingerprint, scope, number = written.split("/")
    return fingerprint, scope, int(number)


def merged(older: Iterable[tuple[Name, Entries]], newer: Iterable[tuple[Name, Entries]]) -> Iterator[tuple[Name, Entries]]:
    """Yield the attempts of two sorted sources in order; of entries that both have, the older ones.

    An entry that was packed is the one that was there first: see ``Ledger.record``.
    """
    ahead = iter(newer)
    new = next(ahead, None)
    for name, entries in older:
        while new is not None and new[0] < name:
            yield new
            new = next(ahead, None)
        if new is not None and new[0] == name:
            yield name, {**new[1], **entries}
            new = next(ahead, None)
        else:
            yield name, entries
    while new is not None:
        yield new
        new = next(ahead, None)


def _opened(key: str, data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return what the first line of an index says, and the others."""
    head, _, names = _unzipped(key, data).partition(b"\n")
    try:
        told = read(head)
        newer = told["version"] > VERSION
    except (ValueError, TypeError, KeyError):
        raise _unreadable(key) from None
    if newer:
        raise LibraryError(f"The pack {key} was written by a newer release.", advice="Upgrade prefect-together.")
    return told, names.decode().split("\n")[:-1]


def _unzipped(key: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise _unreadable(key) from None


def _unreadable(key: str) -> LibraryError:
    return LibraryError(f"The pack {key} cannot be read.", advice="Restore it from a backup: nothing else has its entries.")
