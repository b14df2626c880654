"""Read `multipart/form-data` (RFC 7578), which files are sent in, while it comes; knows no endpoint.

A large file goes to the disk as it comes, so that it is in memory neither whole nor several times.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import IO

from starlette.requests import Request

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.api import RECORD
from prefect_together.sandbox.records import shortened

_LINE = b"\r\n"
_IN_MEMORY = 1024 * 1024
"""Bytes of a field from which it is on the disk."""
_LONGEST_HEAD = 64 * 1024


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    name: str
    filename: str | None
    """What a file is called; None for a field of text."""
    file: IO[bytes]
    """What was sent, to be read from its beginning."""
    size: int
    """Bytes that were sent; of a file that is too large, more than were kept."""

    @property
    def content(self) -> bytes:
        """The whole field."""
        self.file.seek(0)
        return self.file.read()

    @property
    def text(self) -> str:
        """The value of a field of text."""
        return self.content.decode("utf-8", "replace")


@contextlib.asynccontextmanager
async def form(request: Request, *, most: int | None = None) -> AsyncGenerator[list[Part], None]:
    """Yield the fields in the order in which they were sent, and write them down; refuse what is no form.

    What was sent is gone when the context ends.

    Args:
        request: Whose body is read.
        most: Bytes of one field that are kept; what comes after them is counted and dropped. None keeps all.
    """
    header = f"Content-Type: {request.headers.get('content-type', '')}".encode("latin-1") + _LINE
    boundary = BytesHeaderParser().parsebytes(header).get_boundary()
    if boundary is None:
        raise error_messages.Refusal(400, "Content-Type must be multipart/form-data")
    with contextlib.ExitStack() as held:
        mark = _LINE + b"--" + boundary.encode("latin-1")
        parts = [part async for part in _parts(request.stream(), mark, most, held)]
        record = request.scope.get(RECORD)
        if record is not None:
            record.body = shortened(
                {part.name: part.text if part.filename is None else f"{part.size} bytes" for part in parts}
            )
        yield parts


async def _parts(
    stream: AsyncIterator[bytes], mark: bytes, most: int | None, files: contextlib.ExitStack
) -> AsyncIterator[Part]:
    # The first boundary may stand at the very beginning, where no line ends before it.
    held = _Held(stream, bytearray(_LINE))
    await held.until(mark, _Sink(0))
    while not await held.begins_with(b"--"):
        head = _Sink(_LONGEST_HEAD)
        await held.until(_LINE + _LINE, head)
        disposition: Message = BytesHeaderParser().parsebytes(head.read().lstrip() + _LINE)
        sink = _Sink(most)
        files.callback(sink.close)
        whole = await held.until(mark, sink)
        name = disposition.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield Part(name, disposition.get_filename(), sink.file, sink.size)
        if not whole:
            return


class _Sink:
    """Where bytes go: into memory, where they are many into a temporary file, and nowhere beyond `most`."""

    def __init__(self, most: int | None) -> None:
        self.file: IO[bytes] = io.BytesIO()
        self.size = 0
        self._most = most

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        if self._most is None or self.size < self._most:
            self.file.write(piece if self._most is None else piece[: self._most - self.size])
        if self.size <= _IN_MEMORY < self.size + len(piece):
            self._to_disk()
        self.size += len(piece)

    def _to_disk(self) -> None:
        held = self.read()
        self.file = tempfile.TemporaryFile(prefix="sandbox-form-")  # noqa: SIM115 - closed with the part
        self.file.write(held)

    def read(self) -> bytes:
        """Return all that was kept."""
        self.file.seek(0)
        return self.file.read()

    def close(self) -> None:
        """Let go of what was kept."""
        self.file.close()


class _Held:
    """What has come of a body and was not looked at yet."""

    def __init__(self, stream: AsyncIterator[bytes], first: bytearray) -> None:
        self._stream = stream
        self._bytes = first

    async def until(self, mark: bytes, sink: _Sink) -> bool:
        """Give all bytes before a mark to `sink` and go on behind it; return False where the body ends before it."""
        while (at := self._bytes.find(mark)) < 0:
            # The mark may have begun at the end of what is here.
            ready = max(0, len(self._bytes) - len(mark) + 1)
            sink.write(bytes(self._bytes[:ready]))
            del self._bytes[:ready]
            if not await self._more():
                sink.write(bytes(self._bytes))
                self._bytes.clear()
                return False
        sink.write(bytes(self._bytes[:at]))
        del self._bytes[: at + len(mark)]
        return True

    async def begins_with(self, mark: bytes) -> bool:
        """Tell whether the next bytes are these, or there are none."""
        while len(self._bytes) < len(mark):
            if not await self._more():
                return True
        return self._bytes.startswith(mark)

    async def _more(self) -> bool:
        async for piece in self._stream:
            if piece:
                self._bytes += piece
                return True
        return False
