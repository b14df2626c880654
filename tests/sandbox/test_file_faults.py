"""Faults at the file host: files that are late, short, false, gone or endless."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import httpx
import pytest

from prefect_together import sandbox

from .asking import IMAGES, finished, frames, image_body


@pytest.fixture
def link(client: httpx.Client) -> str:
    """Give the short link of a finished clip."""
    return str(finished(client)["outputs"]["video_url"])


@pytest.fixture
def stranger() -> Iterator[httpx.Client]:
    """Give a client without a key, as a download should be."""
    with httpx.Client(follow_redirects=True, timeout=10) as ready:
        yield ready


def test_a_file_can_be_cut_short(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """The length is that of the whole, the body ends in the middle."""
    together.fault("GET file", "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        stranger.get(link)
    assert stranger.get(link).content


def test_a_cut_is_seen_on_the_raw_wire(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """Fewer bytes than Content-Length, then the end."""
    whole = stranger.get(link)
    together.fault("GET file", "truncated")
    address = httpx.URL(str(whole.url))
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(f"GET {address.path} HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n\r\n".encode())
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"content-length: {len(whole.content)}".encode() in head.lower()
    assert len(whole.content) // 2 == len(body)


@pytest.mark.parametrize("fault", ["slow", "huge", "truncated"])
def test_who_leaves_in_the_middle_is_no_error(
    fault: str, together: sandbox.Sandbox, stranger: httpx.Client, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that looks at the beginning of a file and hangs up puts no word on anybody's screen."""
    address = httpx.URL(str(stranger.get(link).url))
    together.fault("GET file", fault, times=30)
    for _ in range(30):
        with socket.create_connection((address.host, address.port or 80)) as connection:
            connection.sendall(f"GET {address.path} HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n\r\n".encode())
            assert connection.recv(65_536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it goes at once, by RST
    assert stranger.get(link).content
    assert [] == [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]


def test_a_file_can_be_cut_without_a_trace(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """No length and a proper end: only the contents can tell."""
    together.fault("GET file", "truncated_silently")
    answer = stranger.get(link)
    assert (200, False) == (answer.status_code, "content-length" in answer.headers)
    assert len(answer.content) == len(stranger.get(link).content) // 2


def test_a_file_can_be_a_web_page(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """200 and HTML."""
    together.fault("GET file", "wrong_kind")
    answer = stranger.get(link)
    assert (200, True) == (answer.status_code, answer.content.startswith(b"<!doctype html>"))


@pytest.mark.parametrize(("fault", "status"), [("expired", 403), ("404", 404), ("503", 503)])
def test_a_file_can_be_gone(together: sandbox.Sandbox, stranger: httpx.Client, link: str, fault: str, status: int) -> None:
    """An expired link is a 403 as object stores answer it; any other status can be had too."""
    together.fault("GET file", fault)
    assert status == stranger.get(link).status_code
    assert 200 == stranger.get(link).status_code


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "http://10.0.0.1/x", "file:///etc/passwd"])
def test_a_link_can_lead_anywhere(together: sandbox.Sandbox, stranger: httpx.Client, link: str, location: str) -> None:
    """The redirect goes where it was told to."""
    together.fault("GET file", "redirect", location=location)
    assert location == stranger.get(link, follow_redirects=False).headers["location"]


def test_a_link_can_lead_in_circles(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """A loop lasts until the faults are cleared."""
    together.fault("GET file", "redirect", location="loop")
    with pytest.raises(httpx.TooManyRedirects):
        stranger.get(link)


def test_a_link_can_lead_to_another_host(together: sandbox.Sandbox, client: httpx.Client, link: str) -> None:
    """Another origin is reached, and what it was sent can be read afterwards."""
    with sandbox.serve(render_seconds=0) as other:
        together.fault("GET file", "redirect", location=f"{other.files_url}/files/x.mp4")
        assert 404 == client.get(link).status_code
        assert [None] == [request.authorization for request in other.requests()]


def test_a_file_can_drip(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """Slow, but whole."""
    together.fault("GET file", "slow", seconds=0.5)
    before = time.monotonic()
    content = stranger.get(link).content
    assert time.monotonic() - before >= 0.4
    assert stranger.get(link).content == content


def test_a_file_can_be_late(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """Nothing for a while, then everything."""
    together.fault("GET file", "sleep", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        stranger.get(link, timeout=httpx.Timeout(30, read=0.5))


def test_a_file_can_be_huge_and_still_play(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """A valid MP4 is padded to the size asked for."""
    together.fault("GET file", "huge", bytes=3_000_000)
    content = stranger.get(link).content
    assert 3_000_000 == len(content)
    assert 24 == len(frames(content))


def test_a_huge_file_is_announced_and_sent_in_pieces(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """Eight gigabytes are announced at once, and leaving early is cheap."""
    together.fault("GET file", "huge", bytes=8_000_000_000)
    with stranger.stream("GET", link) as answer:
        assert "8000000000" == answer.headers["content-length"]
        assert next(answer.iter_bytes())
    assert 200 == stranger.get(link).status_code


def test_a_fault_can_pick_its_file(together: sandbox.Sandbox, client: httpx.Client, stranger: httpx.Client) -> None:
    """`match` looks at the prompt that made the file."""
    together.fault("GET file", "expired", match="owl")
    fox, owl = (
        client.post(IMAGES, json=image_body(prompt=prompt)).json()["data"][0]["url"] for prompt in ("a fox", "an owl")
    )
    assert (200, 403) == (stranger.get(fox).status_code, stranger.get(owl).status_code)


def test_the_file_host_writes_down_what_it_is_shown(together: sandbox.Sandbox, stranger: httpx.Client, link: str) -> None:
    """A key that leaks to the file host is seen."""
    stranger.get(link)
    stranger.get(link, headers={"Authorization": "Bearer leaked"})
    shown = [request.authorization for request in together.requests() if request.origin == "files"]
    assert [None, None, "Bearer leaked", "Bearer leaked"] == shown


def test_the_file_host_wants_a_user_agent(stranger: httpx.Client, link: str) -> None:
    """As the documentation warns, a blank one is answered with 403."""
    assert 403 == stranger.get(link, headers={"User-Agent": ""}).status_code
