"""Real connections that fail, each in its way: what is certain to have cost nothing is told from what is not.

Everything is on this machine, and what arrived at the server is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import struct
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import ConnectionFailed, UnknownOutcome
from prefect_together.http.client import TogetherClient
from prefect_together.http.rate_limit import RetryBudget
from tests.ports import free_port

PATH = "/v1/images/generations"
BODY = {"model": "m", "prompt": "a fox"}
POST = f"POST {PATH} HTTP/1.1\r\n".encode()

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter, bytearray]
Behaviour = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def listening(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[int, list[bytearray]], None]:
    """Serve every connection the same way; yield the port, and what arrived on each connection."""
    arrived: list[bytearray] = []
    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())  # pyright: ignore[reportArgumentType] - it is one
        arrived.append(bytearray())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await behaviour((reader, writer, arrived[-1]))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], arrived
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def request_read(peer: Peer) -> None:
    """Read a request whole."""
    reader, _, arrived = peer
    head = await reader.readuntil(b"\r\n\r\n")
    arrived += head
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    arrived += await reader.readexactly(int(lengths[0]) if lengths else 0)


async def hangs_up_at_once(_: Peer) -> None:
    """Take the connection and nothing else."""


async def hangs_up(peer: Peer) -> None:
    """Take the request and say nothing."""
    await request_read(peer)


async def resets(peer: Peer) -> None:
    """Take the request and break the connection."""
    await request_read(peer)
    peer[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def says_nothing(peer: Peer) -> None:
    """Take the request and keep everybody waiting."""
    await request_read(peer)
    await asyncio.sleep(60)


def says(answer: bytes) -> Behaviour:
    """Take the request, answer, and hang up."""

    async def behaviour(peer: Peer) -> None:
        await request_read(peer)
        peer[1].write(answer)
        await peer[1].drain()

    return behaviour


async def reads_and_answers_in_plain(peer: Peer) -> None:
    """Answer whatever comes as a server does that knows no TLS."""
    reader, writer, arrived = peer
    arrived += await reader.read(4096)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def opens_a_tunnel_to_no_tls(peer: Peer) -> None:
    """Be a proxy, with a host behind it that knows no TLS."""
    reader, writer, arrived = peer
    arrived += await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await reads_and_answers_in_plain(peer)


@asynccontextmanager
async def sending(base_url: str, *, timeout: float = 30.0) -> AsyncGenerator[Callable[[], Awaitable[object]], None]:
    """Yield what sends a paid request, which is not sent again after a failure."""
    client = TogetherClient("the-key", base_url, timeout=timeout, retry_budget=RetryBudget(refused=0.0, busy=0.0))
    try:
        yield lambda: client.send_paid(PATH, BODY, lambda answer: answer)
    finally:
        await client.aclose()


async def not_sent(base_url: str) -> str:
    """Send, and return what is said of a request that was certainly not sent."""
    async with sending(base_url) as send:
        with pytest.raises(ConnectionFailed) as caught:
            await send()
    assert ("nothing", True) == (caught.value.paid, caught.value.retryable)
    return caught.value.what


@pytest.mark.parametrize(
    ("behaviour", "requests"),
    [
        pytest.param(hangs_up_at_once, 0, id="hangs-up-at-once"),
        pytest.param(hangs_up, 1, id="hangs-up-after-the-request"),
        pytest.param(resets, 1, id="resets-after-the-request"),
        pytest.param(says_nothing, 1, id="says-nothing"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-"), 1, id="half-a-head"),
        pytest.param(says(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"data"'), 1, id="half-an-answer"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), 1, id="no-length"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.6\r\n"), 1, id="another-protocol"),
    ],
)
async def test_what_a_server_may_have_taken_is_unknown_and_not_sent_again(behaviour: Behaviour, requests: int) -> None:
    """There was a connection, so it may have been paid for: one request at the server, and no second connection."""
    timeout = 0.5 if behaviour is says_nothing else 30.0
    async with listening(behaviour) as (port, arrived):
        async with sending(f"http://127.0.0.1:{port}", timeout=timeout) as send:
            with pytest.raises(UnknownOutcome):
                await send()
        assert 1 == len(arrived)
        assert requests == bytes(arrived[0]).count(POST)


async def test_nobody_listens() -> None:
    """A port that refuses connections was sent nothing."""
    assert "could not be reached" in await not_sent(f"http://127.0.0.1:{free_port()}")


async def test_a_host_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody knows was sent nothing."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "could not be reached" in await not_sent("https://nowhere.example")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse connections that a full queue has no room for")
async def test_a_server_too_busy_to_take_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not taken in time carried nothing."""
    monkeypatch.setattr("prefect_together.http.client.CONNECT_TIMEOUT", 0.3)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        said = await not_sent(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert "could not be reached" in said


async def test_a_server_that_knows_no_tls() -> None:
    """A handshake that fails gives nothing away of what would have been sent."""
    async with listening(reads_and_answers_in_plain) as (port, arrived):
        await not_sent(f"https://127.0.0.1:{port}")
        assert 1 == len(arrived)
        assert b"POST" not in arrived[0]


async def test_a_server_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    """A request goes to nobody who cannot show who they are."""
    async with listening(hangs_up, own_certificate(tmp_path)) as (port, arrived):
        await not_sent(f"https://127.0.0.1:{port}")
        assert b"" == b"".join(arrived)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), id="refuses"),
        pytest.param(says_nothing, id="says-nothing"),
        pytest.param(opens_a_tunnel_to_no_tls, id="leads-nowhere"),
    ],
)
async def test_a_proxy_that_opens_no_way(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to a proxy is where to go; the request waits for a way that is open."""
    monkeypatch.setattr("prefect_together.http.client.OPEN_TIMEOUT", 0.5 if behaviour is says_nothing else 30.0)
    async with listening(behaviour) as (port, arrived):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        await not_sent("https://api.together.ai")
        assert 1 == len(arrived)
        assert arrived[0].startswith(b"CONNECT api.together.ai:443 HTTP/1.1\r\n")
        assert b"POST" not in arrived[0]


async def test_a_proxy_that_nobody_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the proxy cannot be reached, neither was the host."""
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{free_port()}")
    assert "could not be reached" in await not_sent("https://api.together.ai")


async def test_a_proxy_that_hangs_up_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be told from a host that hangs up, so nothing is claimed, and nothing sent again."""
    async with listening(hangs_up) as (port, arrived):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        async with sending("https://api.together.ai") as send:
            with pytest.raises(UnknownOutcome):
                await send()
        assert 1 == len(arrived)


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Return what a server presents that nobody vouches for."""
    x509 = pytest.importorskip("cryptography.x509")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.timezone.utc)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1)
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file = folder / "own.pem"
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
