"""Which addresses may be talked to: where the key goes, and where files may come from."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from prefect_together.errors import ConfigurationError, MediaError
from prefect_together.http.connections import Guard
from prefect_together.http.downloads import Downloads
from prefect_together.http.urls import TOGETHER, api_origin, environment, is_loopback, is_public


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        pytest.param(TOGETHER, "https://api.together.ai", id="default"),
        pytest.param("https://api.together.ai/", "https://api.together.ai", id="slash"),
        pytest.param("https://api.together.ai/v1", "https://api.together.ai", id="v1"),
        pytest.param("https://api.together.xyz/v1/", "https://api.together.xyz", id="v1-slash"),
        pytest.param("https://api.together.ai/v2", "https://api.together.ai", id="v2"),
        pytest.param("  https://api.together.ai/v1\n", "https://api.together.ai", id="spaces"),
        pytest.param("HTTPS://API.Together.AI", "https://api.together.ai", id="capitals"),
        pytest.param("https://gateway.example.com/together/v1", "https://gateway.example.com/together", id="path"),
        pytest.param("https://gateway.example.com:8443", "https://gateway.example.com:8443", id="port"),
        pytest.param("https://[2606:4700::1111]:8443/v1", "https://[2606:4700::1111]:8443", id="ipv6"),
        pytest.param("http://127.0.0.1:8000", "http://127.0.0.1:8000", id="loopback"),
        pytest.param("http://127.8.9.10:8000", "http://127.8.9.10:8000", id="any-loopback"),
        pytest.param("http://localhost:8000/v1", "http://localhost:8000", id="localhost"),
        pytest.param("http://together.localhost:8000", "http://together.localhost:8000", id="below-localhost"),
        pytest.param("http://[::1]:8000/v2", "http://[::1]:8000", id="ipv6-loopback"),
    ],
)
def test_an_origin_is_bare(base_url: str, origin: str) -> None:
    """Versions belong to paths: whatever form of the address a user has, the same origin comes out."""
    assert origin == api_origin(base_url)
    assert origin == api_origin(origin)


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        pytest.param("https://me:secret@api.together.ai", "user name or password", id="user-and-password"),
        pytest.param("https://me@api.together.ai", "user name or password", id="user"),
        pytest.param("https://@api.together.ai", "user name or password", id="empty-user"),
        pytest.param("http://api.together.ai", "unencrypted", id="http"),
        pytest.param("http://10.0.0.1:8000", "unencrypted", id="http-inner"),
        pytest.param("http://localhost.example.com", "unencrypted", id="http-almost-localhost"),
        pytest.param("http://127.0.0.1.example.com", "unencrypted", id="http-almost-loopback"),
        pytest.param("http://2130706433", "unencrypted", id="http-loopback-as-a-number"),
        pytest.param("ftp://api.together.ai", "not a base URL", id="scheme"),
        pytest.param("file:///etc/passwd", "not a base URL", id="file"),
        pytest.param("api.together.ai", "not a base URL", id="no-scheme"),
        pytest.param("https://", "not a base URL", id="no-host"),
        pytest.param("", "not a base URL", id="empty"),
        pytest.param("https://api.together.ai:port", "port", id="port-word"),
        pytest.param("https://api.together.ai:70000", "port", id="port-large"),
    ],
)
def test_an_unsafe_origin_is_refused(base_url: str, said: str) -> None:
    """Where a key would leak, or nothing could be reached, one sentence says so; a password is not repeated in it."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        api_origin(base_url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


INNER = [
    pytest.param("169.254.169.254", id="metadata-service"),
    pytest.param("10.1.2.3", id="10/8"),
    pytest.param("172.16.0.1", id="172.16/12"),
    pytest.param("192.168.1.1", id="192.168/16"),
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("127.9.9.9", id="127/8"),
    pytest.param("0.0.0.0", id="unspecified"),
    pytest.param("100.64.0.1", id="carrier-grade-nat"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("192.0.2.1", id="documentation"),
    pytest.param("::1", id="ipv6-loopback"),
    pytest.param("[::1]", id="ipv6-in-brackets"),
    pytest.param("::", id="ipv6-unspecified"),
    pytest.param("fe80::1", id="link-local"),
    pytest.param("fe80::1%eth0", id="link-local-with-zone"),
    pytest.param("fd00::1", id="unique-local"),
    pytest.param("ff02::1", id="ipv6-multicast"),
    pytest.param("::ffff:10.0.0.1", id="mapped"),
    pytest.param("::ffff:169.254.169.254", id="mapped-metadata-service"),
    pytest.param("64:ff9b::a9fe:a9fe", id="nat64"),
    pytest.param("2002:7f00:1::", id="6to4"),
    pytest.param("localhost", id="localhost"),
    pytest.param("LOCALHOST.", id="localhost-with-a-dot"),
    pytest.param("a.localhost", id="below-localhost"),
    pytest.param("2130706433", id="loopback-as-a-number"),
    pytest.param("127.1", id="loopback-in-two-parts"),
    pytest.param("0177.0.0.1", id="loopback-in-octal"),
]
PUBLIC = [
    pytest.param("8.8.8.8", id="ipv4"),
    pytest.param("100.128.0.1", id="beside-carrier-grade-nat"),
    pytest.param("172.32.0.1", id="beside-172.16/12"),
    pytest.param("2606:4700::1111", id="ipv6"),
    pytest.param("::ffff:8.8.8.8", id="mapped"),
    pytest.param("64:ff9b::808:808", id="nat64"),
    pytest.param("api.together.ai", id="name"),
]


@pytest.mark.parametrize("host", INNER)
def test_inner_addresses_hold_no_files(host: str) -> None:
    """However it is written, an address of an inner network is none that files come from."""
    assert not is_public(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_may_hold_files(host: str) -> None:
    """Everything else may be asked; a name is judged when it is resolved."""
    assert is_public(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("Localhost", True),
        ("a.localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    """Loopback, by address or by name."""
    assert expected == is_loopback(host)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (TOGETHER, "together"),
        ("https://api.together.xyz", "together"),
        ("https://gateway.example.com/together", "together"),
        ("http://127.0.0.1:8000", "loopback"),
        ("https://localhost", "loopback"),
        ("http://[::1]:80", "loopback"),
    ],
)
def test_whose_pictures_these_are(origin: str, expected: str) -> None:
    """What this machine's sandbox makes is never taken for Together's."""
    assert expected == environment(origin)


REMOTE = Guard(allow_loopback=False, allow_host="gateway.inner")
LOCAL = Guard(allow_loopback=True, allow_host="127.0.0.1")


@pytest.mark.parametrize(
    ("guard", "url"),
    [
        pytest.param(REMOTE, "https://cdn.example.com/a.mp4?signature=1", id="public"),
        pytest.param(REMOTE, "https://gateway.inner/a.mp4", id="the-api-itself"),
        pytest.param(REMOTE, "https://8.8.8.8/a.mp4", id="public-address"),
        pytest.param(LOCAL, "http://127.0.0.1:8000/a.mp4", id="sandbox"),
        pytest.param(LOCAL, "http://localhost:8000/a.mp4", id="sandbox-by-name"),
        pytest.param(LOCAL, "https://cdn.example.com/a.mp4", id="public-from-sandbox"),
    ],
)
def test_files_may_be_fetched_from(guard: Guard, url: str) -> None:
    """Public hosts, the API's own host, and this machine where the API is on it."""
    guard.check(url)


@pytest.mark.parametrize(
    ("guard", "url", "said"),
    [
        pytest.param(REMOTE, "https://169.254.169.254/latest/meta-data", "inner network", id="metadata-service"),
        pytest.param(REMOTE, "https://[::ffff:10.0.0.1]/a.mp4", "inner network", id="mapped"),
        pytest.param(REMOTE, "https://user@10.0.0.1/a.mp4", "inner network", id="behind-a-user"),
        pytest.param(REMOTE, "https://localhost/a.mp4", "inner network", id="localhost"),
        pytest.param(REMOTE, "http://127.0.0.1/a.mp4", "unencrypted", id="loopback"),
        pytest.param(REMOTE, "http://cdn.example.com/a.mp4?signature=secret", "unencrypted", id="http"),
        pytest.param(LOCAL, "http://cdn.example.com/a.mp4", "unencrypted", id="http-from-sandbox"),
        pytest.param(LOCAL, "https://10.0.0.1/a.mp4", "inner network", id="inner-from-sandbox"),
        pytest.param(REMOTE, "file:///etc/passwd", "no http", id="file"),
        pytest.param(REMOTE, "ftp://cdn.example.com/a.mp4", "no http", id="ftp"),
        pytest.param(REMOTE, "/relative", "no http", id="relative"),
        pytest.param(REMOTE, "", "no http", id="empty"),
    ],
)
def test_files_may_not_be_fetched_from(guard: Guard, url: str, said: str) -> None:
    """An inner address in an answer is an attack or a mistake, never a file; what was paid is said, and no signature shown."""
    with pytest.raises(MediaError, match=said) as caught:
        guard.check(url)
    assert ("yes", False) == (caught.value.paid, caught.value.retryable)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("guard", "host", "address", "expected"),
    [
        pytest.param(REMOTE, "cdn.example.com", "8.8.8.8", True, id="public"),
        pytest.param(REMOTE, "cdn.example.com", "10.0.0.1", False, id="a-name-of-an-inner-address"),
        pytest.param(REMOTE, "cdn.example.com", "127.0.0.1", False, id="a-name-of-this-machine"),
        pytest.param(REMOTE, "gateway.inner", "10.0.0.1", True, id="the-api-itself"),
        pytest.param(LOCAL, "localhost", "::1", True, id="sandbox"),
        pytest.param(LOCAL, "cdn.example.com", "169.254.169.254", False, id="metadata-service-from-sandbox"),
    ],
)
def test_a_name_is_judged_by_its_address(guard: Guard, host: str, address: str, expected: bool) -> None:
    """What a name resolves to counts, not how it looks."""
    assert expected == guard.allows(host, address)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "0x7f000001", "localhost", "a.localhost"])
async def test_no_spelling_of_loopback_gets_through(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses in odd notations pass as names and are stopped when the connection is opened: no socket is connected."""
    seen: list[Any] = []

    def connecting(_: Any, address: Any) -> None:
        seen.append(address)

    def resolved(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connecting)
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    files = Downloads(REMOTE, 1)
    with pytest.raises(MediaError, match=r"inner network|did not arrive"):
        async with files.open(f"https://{host}:9/"):
            pass
    await files.aclose()
    assert [] == seen
