"""Files that are not there yet: written under another name, until all of them is there. Knows nothing of what they hold."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""How a draft is opened."""
_PIECE = 1024 * 1024  # bytes of a stream that are held and written at once
_TRIES = 8  # to make a folder that somebody else removes, which takes both of them the same microsecond


async def write_stream(path: str, chunks: AsyncIterator[bytes]) -> None:
    """Write a file of any size; it appears whole when the stream ends, and not at all when the stream raises.

    One piece is in memory at a time, where obstore would hold several parts of 5 MB: half the memory of an answer of 200 MB.
    """
    draft = _Stream(path)
    try:
        async for piece in _pieces(chunks):
            await _to_its_end(draft.write, piece)
        await _to_its_end(draft.appear)
    finally:
        draft.drop()  # cancelled as well: what did not appear must not lie around


class _Stream:
    """A draft that grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._draft = name(path)
        self._file: int | None = None
        self._appeared = False

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._file = open_new(self._draft)
        write(self._file, data)

    def appear(self) -> None:
        self.write(b"")  # a stream of nothing is a file too
        self._close()
        replace(self._draft, self._path)
        self._appeared = True

    def drop(self) -> None:
        with suppress(OSError):
            self._close()
        if not self._appeared:
            with suppress(OSError):
                os.unlink(self._draft)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of chunks, which may be tiny, in pieces that are worth a thread's while."""
    held, size = list[bytes](), 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


async def _to_its_end(work: Callable[..., None], *given: bytes) -> None:
    """Do work in a thread, to its end also where whoever waits for it is cancelled: the file that it has is closed then."""
    doing = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({doing})
        doing.exception()  # taken note of: the cancellation is what is raised
        raise


def write(file: int, data: bytes) -> None:
    """Write all of some bytes."""
    rest = memoryview(data)
    while rest:
        written = os.write(file, rest)
        rest = rest[written:]


def name(path: str) -> str:
    """Return a name for what is to appear at a path and is not there yet."""
    # The store that lists these folders takes names that end so for what is not there yet.
    return f"{path}#{random.getrandbits(62)}"


def open_new(draft: str) -> int:
    """Open a new file for writing, in a folder that is made where it is not there."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return os.open(draft, NEW, 0o666)
        _make(draft[: draft.rindex("/")])  # somebody may remove it again, as it is empty: see `remove`
    return os.open(draft, NEW, 0o666)


def _make(folder: str) -> None:
    """Make a folder and those above it, asking for none of them first: all but the last or two are there."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make(folder[: folder.rindex("/")])
        with suppress(FileExistsError):
            os.mkdir(folder)


def replace(draft: str, path: str) -> bool:
    """Let a draft appear at a path, in place of what is there."""
    os.replace(draft, path)
    return True
