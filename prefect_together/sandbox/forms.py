"""Read `multipart/form-data` (RFC 7578), which files are sent in; knows no endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser

from starlette.requests import Request

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.api import RECORD
from prefect_together.sandbox.records import shortened

_LINE = b"\r\n"


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    name: str
    content: bytes
    filename: str | None
    """What a file is called; None for a field of text."""

    @property
    def text(self) -> str:
        """The value of a field of text."""
        return self.content.decode("utf-8", "replace")


async def form(request: Request) -> list[Part]:
    """Return the fields in the order in which they were sent, and write them down; refuse what is no form."""
    header = f"Content-Type: {request.headers.get('content-type', '')}".encode("latin-1") + _LINE
    boundary = BytesHeaderParser().parsebytes(header).get_boundary()
    if boundary is None:
        raise error_messages.Refusal(400, "Content-Type must be multipart/form-data")
    parts = list(_parts(await request.body(), boundary.encode("latin-1")))
    record = request.scope.get(RECORD)
    if record is not None:
        record.body = shortened(
            {part.name: part.text if part.filename is None else f"{len(part.content)} bytes" for part in parts}
        )
    return parts


def _parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    # The first boundary may stand at the very beginning, where no line ends before it.
    for piece in (_LINE + body).split(_LINE + b"--" + boundary)[1:]:
        if piece.startswith(b"--"):
            return
        head, _, content = piece.partition(_LINE + _LINE)
        disposition = BytesHeaderParser().parsebytes(head.lstrip() + _LINE)
        name = disposition.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield Part(name, content, disposition.get_filename())
