"""What goes out, to the byte: no key and no cookies to those who hold files, URLs as they were given, the right proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from prefect_together.errors import ConfigurationError, ConnectionFailed, MediaError, ServerError
from prefect_together.generations import image as images
from prefect_together.generations import video as videos
from prefect_together.http import downloads
from prefect_together.http.client import TogetherClient
from prefect_together.http.connections import Guard
from prefect_together.http.downloads import Downloads
from prefect_together.http.rate_limit import RetryBudget

IMAGES, JOB = "/v1/images/generations", "/v2/videos/job"
LOCAL = Guard(allow_loopback=True, allow_host="127.0.0.1")
REMOTE = Guard(allow_loopback=False, allow_host="api.together.ai")
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: seen=1\r\n\r\nfile"


def _read_job(answer: Any) -> Any:
    assert videos.SPEC.job is not None
    return videos.SPEC.job.parse(answer)


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


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://a..b/x.jpg?sig=hidden", id="an-empty-label"),
        pytest.param(f"https://{'a' * 64}.com/x.jpg?sig=hidden", id="a-long-label"),
        pytest.param("https://%E2%82%AC:x@8.8.8.8/x.jpg?sig=hidden", id="a-user-that-cannot-be-sent"),
        pytest.param("https://a%3Ab:c@8.8.8.8/x.jpg?sig=hidden", id="a-user-with-a-colon"),
    ],
)
async def test_what_only_looks_like_a_url_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the parts of a URL turn out to be, it is an error about the file, and asking for it again is no use."""

    def looked_up(name: str, *_: object, **__: object) -> None:
        name.encode("idna")  # as the system's does first

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    files = Downloads(REMOTE, 1)
    with pytest.raises(MediaError) as caught:
        await fetched(files, url)
    assert not await files.has(url)
    await files.aclose()
    assert "hidden" not in str(caught.value)


async def test_a_redirect_to_nowhere_is_refused() -> None:
    """A redirect's address is read with the same care."""
    files = Downloads(LOCAL, 1)
    async with host(b"HTTP/1.1 302 Found\r\nLocation: https://[bad/\r\nContent-Length: 0\r\n\r\n") as (port, _):
        with pytest.raises(MediaError, match="cannot be asked"):
            await fetched(files, f"http://127.0.0.1:{port}/a.jpg")
        await files.aclose()


DRIPPING = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nx"


@pytest.mark.parametrize(
    "answer", [DRIPPING, DRIPPING.replace(b"\r\n\r\n", b"\r\nContent-Length: 999\r\n\r\n")], ids=["open-ended", "stated"]
)
async def test_what_stops_in_the_middle_is_not_waited_for(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the window it counts as cut off, whether or not its length was said; without a least rate it is waited for."""
    monkeypatch.setattr(downloads, "_WINDOW", 0.2)
    files = Downloads(LOCAL, 1)

    left = asyncio.Event()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await reader.read()  # until the client is gone
        writer.close()
        left.set()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.png"
    with pytest.raises(MediaError, match="less than 100 bytes a second"):
        async with files.open(url, least=100) as hosted:
            _ = [chunk async for chunk in hosted.chunks]
    await asyncio.wait_for(left.wait(), 5)
    server.close()
    await files.aclose()


async def test_who_takes_the_bytes_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is slow to write is not the sender's fault."""
    monkeypatch.setattr(downloads, "_WINDOW", 0.1)
    files = Downloads(LOCAL, 1)
    async with host(FOUND) as (port, _), files.open(f"http://127.0.0.1:{port}/a.jpg", least=1e6) as hosted:
        first = await anext(hosted.chunks)
        await asyncio.sleep(0.5)
        assert b"file" == first + b"".join([chunk async for chunk in hosted.chunks])
    await files.aclose()


async def test_no_error_shows_a_signature() -> None:
    """What aiohttp says of a malformed answer holds the whole URL; what we say of it does not."""
    files = Downloads(LOCAL, 1)
    async with host(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") as (port, _):
        with pytest.raises(MediaError) as caught:
            await fetched(files, f"http://127.0.0.1:{port}/a.jpg?sig=hidden")
        await files.aclose()
    assert caught.value.retryable
    assert "hidden" not in str(caught.value)


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never answers: an error that may be tried again, and no wait without an end."""
    monkeypatch.setattr("prefect_together.http.downloads._TIMEOUT", aiohttp.ClientTimeout(connect=0.3))
    files = Downloads(REMOTE, 1)
    async with host(b"") as (port, _):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        with pytest.raises(MediaError) as caught:
            await asyncio.wait_for(fetched(files, "https://cdn.example.com/a.jpg?sig=hidden"), 10)
        await files.aclose()
    assert caught.value.retryable
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 502 D\xe9faut\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["no-http", "a-reason-in-latin-1", "no-length"],
)
async def test_a_look_at_a_job_survives_strange_answers(answer: bytes) -> None:
    """Looks are free: whatever comes back, the next one may do better."""
    async with host(answer) as (port, _):
        client = TogetherClient("the-key", f"http://127.0.0.1:{port}")
        with pytest.raises((ConnectionFailed, ServerError)) as caught:
            await client.get(JOB, _read_job)
        await client.aclose()
    assert ("yes", True) == (caught.value.paid, caught.value.retryable)


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1080", "http://:80", "http://me:secret@[bad"])
async def test_a_proxy_that_is_none_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, before anything is sent, and without its password."""
    monkeypatch.setenv("https_proxy", proxy)
    client = TogetherClient("the-key", "https://api.together.ai")
    for asking in (
        client.send_paid(IMAGES, {"model": "m"}, images.SPEC.parse),
        client.get(JOB, _read_job),
        fetched(client.files, "https://a.com/b"),
    ):
        with pytest.raises(ConfigurationError, match="is no http") as caught:
            await asking
        assert "secret" not in str(caught.value)
    await client.aclose()


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
    client = TogetherClient("the-key", "https://api.together.ai", retry_budget=RetryBudget(refused=0.0, busy=0.0))
    async with host(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(ConnectionFailed) as caught:
            await client.send_paid(IMAGES, {"model": "m", "prompt": "a fox"}, images.SPEC.parse)
        await client.aclose()
    assert heads[0].startswith("CONNECT api.together.ai:443 HTTP/1.1")
    assert base64.b64encode(b"me:secret").decode() in heads[0]
    assert "nothing" == caught.value.paid
    assert "the-key" not in "".join(heads)
    assert "secret" not in str(caught.value)
