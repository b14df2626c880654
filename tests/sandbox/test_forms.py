"""Forms are read as they come: in pieces of any size, and a large file is never in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from starlette.requests import Request

from prefect_together.sandbox.error_messages import Refusal
from prefect_together.sandbox.forms import form

MB = 1024 * 1024
FORM = (
    b'--frontier\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai/whisper-large-v3\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a b.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\r\n--frontie\r\n--front\r\n\x00\xff\r\n--frontier--\r\n"
)
FIELDS = [
    ("model", None, b"openai/whisper-large-v3"),
    ("empty", None, b""),
    ("file", "a b.wav", b"\r\n--frontie\r\n--front\r\n\x00\xff"),
]


def read(
    pieces: Iterable[bytes], *, most: int | None = None, kind: str = "multipart/form-data; boundary=frontier"
) -> list[tuple[str, str | None, bytes | int]]:
    """Return name, file name and content of each field of a form that comes in pieces; of a large one, its size."""
    coming = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(coming, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def run() -> list[tuple[str, str | None, bytes | int]]:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
        async with form(Request(scope, receive), most=most) as parts:
            return [(part.name, part.filename, part.content if part.size < MB else part.size) for part in parts]

    return asyncio.run(run())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 64, 10_000])
def test_pieces_of_any_size(size: int) -> None:
    """What looks like the beginning of a boundary is content where it is none."""
    assert FIELDS == read(FORM[at : at + size] for at in range(0, len(FORM), size))


@pytest.mark.parametrize("cut", [FORM.index(b"openai"), FORM.index(b"a b.wav"), len(FORM) - 20])
def test_a_form_that_breaks_off(cut: int) -> None:
    """It has the fields that came; the last one as far as it came."""
    found = read([FORM[:cut]])
    assert [field[0] for field in FIELDS[: len(found)]] == [field[0] for field in found]
    assert [] == read([b""])


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", ""])
def test_what_is_no_form_is_refused(kind: str) -> None:
    """400, before anything is read."""
    with pytest.raises(Refusal, match="multipart/form-data"):
        read([FORM], kind=kind)


def large(count: int) -> Iterator[bytes]:
    """Yield a form with a file of so many MB."""
    head, _, _ = FORM.partition(b"\r\n--frontie\r\n")
    yield head
    for _ in range(16 * count):
        yield bytes(64 * 1024)
    yield b"\r\n--frontier--\r\n"


@pytest.mark.parametrize("most", [None, 3 * MB])
def test_a_large_file_is_on_the_disk(most: int | None) -> None:
    """Sixty MB come with a few in memory, whether all of them are kept or only what is allowed; all are counted."""
    tracemalloc.start()
    try:
        found = read(large(60), most=most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ("file", "a b.wav", 60 * MB) == found[-1]
    assert peak < 6 * MB
