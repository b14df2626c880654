"""What goes out, to the byte: no key and no cookies to those who hold files, URLs as they were given, the right proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from prefect_together.client import TogetherClient
from prefect_together.connections import Guard
from prefect_together.downloads import Downloads
from prefect_together.errors import MediaError, TogetherError
from prefect_together.governor import Patience

LOCAL = Guard(allow_loopback=True, allow_host="127.0.0.1")
REMOTE = Guard(allow_loopback=False, allow_host="api.together.ai")
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: seen=1\r\n\r\nfile"


@asynccontextmanager
async def host(answer: bytes) -> AsyncGenerator[tuple[int, list[str]], None]:
    """Answer every request the same, and yield the port and the heads of what was asked."""
    heads: list[str] = []
    left: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(answer)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        for writer in left:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def fetched(files: Downloads, url: str) -> bytes:
    """Fetch a file whole."""
    async with files.open(url) as hosted:
        return b"".join([chunk async for chunk in hosted.chunks])


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param("/a.jpg?X-Sig=a%2Fb%3D%7e&x=1+2", "/a.jpg?X-Sig=a%2Fb%3D%7e&x=1+2", id="signed"),
        pytest.param("/a%2Fb/../c.jpg", "/a%2Fb/../c.jpg", id="path-as-it-is"),
        pytest.param("/bäume 1.jpg", "/b%C3%A4ume%201.jpg", id="not-fit-to-be-sent"),
    ],
)
async def test_a_url_is_asked_as_it_was_given(path: str, asked: str) -> None:
    """A signature covers the URL as it was written: what is fit to be sent is not written anew."""
    files = Downloads(LOCAL, 2)
    async with host(FOUND) as (port, heads):
        assert b"file" == await fetched(files, f"http://127.0.0.1:{port}{path}")
        await files.aclose()
    assert f"GET {asked} HTTP/1.1" == heads[0].splitlines()[0]


async def test_nothing_of_us_is_sent_along() -> None:
    """Neither key nor cookie, and nothing that a host could not know anyway; the second request uses the first's connection."""
    files = Downloads(LOCAL, 2)
    async with host(FOUND) as (port, heads):
        for _ in range(2):
            await fetched(files, f"http://127.0.0.1:{port}/a.jpg")
        await files.aclose()
    for head in heads:
        names = {line.partition(":")[0] for line in head.splitlines()[1:] if line}
        assert {"Host", "User-Agent", "Accept", "Accept-Encoding"} == names


async def test_a_file_comes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked for the host, with its own password; a refusal says so and may be tried again."""
    files = Downloads(REMOTE, 2)
    async with host(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(MediaError) as caught:
            await fetched(files, "https://cdn.example.com/a.jpg?signature=hidden")
        await files.aclose()
    assert heads[0].startswith("CONNECT cdn.example.com:443 HTTP/1.1")
    assert base64.b64encode(b"me:secret").decode() in heads[0]
    assert caught.value.retryable
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


async def test_the_api_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is told its password and never the key; what it refuses was certainly not sent."""
    client = TogetherClient("the-key", "https://api.together.ai", patience=Patience(refused=0.0, busy=0.0))
    async with host(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(TogetherError) as caught:
            await client.create_images({"model": "m", "prompt": "a fox"})
        await client.aclose()
    assert heads[0].startswith("CONNECT api.together.ai:443 HTTP/1.1")
    assert base64.b64encode(b"me:secret").decode() in heads[0]
    assert "the-key" not in "".join(heads)
    assert "secret" not in str(caught.value)
