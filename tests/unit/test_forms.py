"""Forms with a file in them: written as the official SDK writes them, read a piece at a time, and offered again from the start."""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx
import pytest
from together import Together

from prefect_together._internal.upload import Upload
from prefect_together.errors import BadRequest, UnknownOutcome
from prefect_together.http.client import TogetherClient
from prefect_together.http.forms import form_of
from prefect_together.http.rate_limit import RetryBudget

PATH = "/v1/audio/transcriptions"
MEGABYTE = 1_000_000
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"text":"Hi"}'
BUSY = b"HTTP/1.1 429 Busy\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}"


def body(data: bytes | BinaryIO = b"RIFF....WAVE", **fields: Any) -> dict[str, Any]:
    """Return a body with a file in it."""
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    upload = Upload("recording.wav", "audio/wav", file)
    return {"file": upload, "model": "openai/whisper-large-v3", "diarize": True, "temperature": 0.5, **fields}


def parts_of(content_type: str, content: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Return name, file name, media type and content of each part of a form, read by Python's own parser."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    found: list[tuple[str, str | None, str, bytes]] = []
    for part in cast("Any", message).iter_parts():
        data = part.get_payload(decode=True)
        found.append(
            (part.get_param("name", header="content-disposition"), part.get_filename(), part.get_content_type(), data)
        )
    return found


def written(fields: dict[str, Any]) -> list[tuple[str, str | None, str, bytes]]:
    """Return the parts of the form that a body is written as."""
    request = httpx.Request("POST", "http://localhost/", **form_of(fields))
    return parts_of(request.headers["Content-Type"], request.read())


def test_fields_stand_in_the_sdks_order() -> None:
    """By name, lists repeated, words for booleans, and the file last with its name and media type: the model before it."""
    parts = written(body(timestamp_granularities=["segment", "word"], zebra=1))
    assert [
        ("diarize", b"true"),
        ("model", b"openai/whisper-large-v3"),
        ("temperature", b"0.5"),
        ("timestamp_granularities[]", b"segment"),
        ("timestamp_granularities[]", b"word"),
        ("zebra", b"1"),
    ] == [(name, data) for name, _, _, data in parts[:-1]]
    assert {None} == {filename for _, filename, _, _ in parts[:-1]}
    assert ("file", "recording.wav", "audio/wav", b"RIFF....WAVE") == parts[-1]


def test_a_url_is_a_field_of_text() -> None:
    """Together fetches it itself; it is last all the same."""
    parts = written({"file": "https://example.com/a b.mp3?x=1&y=ü", "model": "m"})
    assert [("model", None, b"m"), ("file", None, "https://example.com/a b.mp3?x=1&y=ü".encode())] == [
        (name, filename, data) for name, filename, _, data in parts
    ]


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncGenerator[tuple[str, list[tuple[str, int, bytes]]], None]:
    """Answer one request after the other; yield the address, and of each request its content type, its size and its ends."""
    arrived: list[tuple[str, int, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int((re.search(r"(?i)^content-length: (\d+)", head, re.MULTILINE) or [0, "0"])[1])
        kind = (re.search(r"(?im)^content-type: (.*?)\r$", head) or ["", ""])[1]
        kept, size = b"", 0
        while size < length and (chunk := await reader.read(65536)):
            kept, size = (kept + chunk)[:4096], size + len(chunk)
        arrived.append((kind, size, kept))
        answer = answers[len(arrived) - 1]
        if answer:
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", arrived
    finally:
        server.close()


async def posted(url: str, fields: dict[str, Any]) -> Any:
    """Send a body as a form, patiently."""
    client = TogetherClient("key", url, retry_budget=RetryBudget(refused=1.0, busy=30.0), timeout=20.0)
    try:
        return await client.send_paid(PATH, fields, lambda answer: answer, encoding="form")
    finally:
        await client.aclose()


async def test_what_nobody_took_is_sent_again_whole() -> None:
    """After a 429 the file is read from its start again."""
    async with answering(BUSY, BUSY, OK) as (url, arrived):
        assert {"text": "Hi"} == await posted(url, body(b"x" * 1000))
    assert 3 == len(arrived)
    assert {(1, b"x" * 1000)} == {
        (sum(name == "file" for name, *_ in parts), parts[-1][3])
        for parts in (parts_of(kind, data) for kind, _, data in arrived)
    }


async def test_a_file_that_was_just_written_goes_out_to_its_end(tmp_path: Path) -> None:
    """What is still in a buffer of this process is announced as well, and arrives."""
    async with answering(OK) as (url, arrived):
        with tempfile.TemporaryFile(dir=tmp_path) as file:
            file.write(b"x" * 1000 + b"the end")
            await posted(url, body(cast("BinaryIO", file)))
    [(kind, _, data)] = arrived
    assert b"x" * 1000 + b"the end" == parts_of(kind, data)[-1][3]


@pytest.mark.parametrize(("answer", "raised"), [(b"", UnknownOutcome), (REFUSED, BadRequest)])
async def test_nothing_else_is_sent_again(answer: bytes, raised: type[Exception]) -> None:
    """A connection that ends without an answer may have been paid for; a refusal stays one."""
    async with answering(answer, OK) as (url, arrived):
        with pytest.raises(raised):
            await posted(url, body())
    assert 1 == len(arrived)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read off /proc")
async def test_80_megabytes_take_little_memory(tmp_path: Path) -> None:
    """A recording goes out in pieces: what is held of it is bounded."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096

    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.truncate(80 * MEGABYTE)
        most = 0

        class Watched(io.BufferedIOBase):
            """Reads the file, and looks at the memory now and then."""

            def __init__(self) -> None:
                self.seek: Callable[..., int] = file.seek
                self.tell, self.fileno, self.reads = file.tell, file.fileno, 0

            def read(self, size: int | None = -1, /) -> bytes:
                nonlocal most
                self.reads += 1
                if self.reads % 64 == 0:
                    most = max(most, resident())
                return file.read(-1 if size is None else size)

        async with answering(OK, OK) as (url, arrived):
            await posted(url, body(b"x" * MEGABYTE))  # whatever is loaded is loaded
            before = resident()
            await posted(url, body(cast("BinaryIO", Watched())))
    assert 80 * MEGABYTE <= arrived[1][1]
    assert 20 * MEGABYTE > most - before > -1000 * MEGABYTE


def test_a_form_is_the_one_that_the_official_sdk_sends() -> None:
    """Byte for byte, but for the boundary between its parts."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"text": "Hi."})

    asked: dict[str, Any] = {
        "model": "openai/whisper-large-v3",
        "language": "en",
        "response_format": "verbose_json",
        "timestamp_granularities": ["segment", "word"],
        "diarize": True,
        "min_speakers": 1,
        "temperature": 0.5,
    }
    with httpx.Client(transport=httpx.MockTransport(answer)) as transport:
        sdk = Together(api_key="key", base_url="http://localhost", http_client=transport)
        sdk.audio.transcriptions.create(file=("recording.mp3", b"ID3...."), **asked)
    upload = Upload("recording.mp3", "audio/mpeg", io.BytesIO(b"ID3...."))
    ours = httpx.Request("POST", f"http://localhost{PATH}", **form_of({"file": upload, **asked}))
    forms: list[list[bytes]] = []
    for request in (sent[0], ours):
        boundary = request.headers["Content-Type"].partition("boundary=")[2]
        forms.append(request.read().split(f"--{boundary}".encode()))
    assert forms[0] == forms[1]
    assert PATH == sent[0].url.path
