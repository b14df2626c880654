"""An answer that is a file: held beside the memory while it comes, so that its size does not matter. Sends nothing."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO

_IN_MEMORY = 8 * 1024 * 1024


class AnswerBrokeOff(Exception):
    """A good answer that ended before its end. It was probably paid for.

    Args:
        size: Bytes that came.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"the answer broke off after {size:,} bytes, which are lost")
        self.size = size


@dataclass(frozen=True)
class AnswerFile:
    """A file that came as the body of an answer; small ones are in memory, others in a temporary file."""

    media_type: str
    """As the server calls it, in lower case."""
    content: IO[bytes] = field(repr=False)
    """Open for reading, at any place."""
    size: int
    """Bytes."""


async def received(media_type: str, chunks: AsyncIterator[bytes]) -> AnswerFile:
    """Return a file when all of it is there.

    Args:
        media_type: What the server calls it.
        chunks: Its bytes, as they come.

    Raises:
        AnswerBrokeOff: It is not all there.
    """
    content: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the answer
    size = 0
    try:
        async for chunk in chunks:
            content.write(chunk)
            size += len(chunk)
    except Exception as error:
        content.close()
        raise AnswerBrokeOff(size) from error
    answer = AnswerFile(media_type, content, size)
    weakref.finalize(answer, content.close)
    return answer
