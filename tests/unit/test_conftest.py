"""The ground that all tests stand on: it keeps them on this machine, away from money, and away from each other."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("family", "address"),
    [
        pytest.param(socket.AF_INET, ("93.184.216.34", 80), id="ipv4"),
        pytest.param(socket.AF_INET, ("10.0.0.1", 80), id="inner"),
        pytest.param(socket.AF_INET6, ("2606:4700::1111", 443), id="ipv6"),
        pytest.param(socket.AF_INET, ("api.together.ai", 443), id="name"),
    ],
)
@pytest.mark.parametrize("how", ["connect", "connect_ex"])
def test_no_test_leaves_this_machine(family: socket.AddressFamily, address: tuple[str, int], how: str) -> None:
    """A connection to any other machine is refused, and the message names the address."""
    with (
        socket.socket(family, socket.SOCK_STREAM) as sock,
        pytest.raises(RuntimeError, match=address[0].replace(".", r"\.")),
    ):
        getattr(sock, how)(address)


@pytest.mark.parametrize("lookup", ["getaddrinfo", "gethostbyname", "gethostbyname_ex"])
def test_no_test_looks_up_a_name_elsewhere(lookup: str) -> None:
    """A DNS query would leave this machine too."""
    arguments = ("api.together.ai", 443) if lookup == "getaddrinfo" else ("api.together.ai",)
    with pytest.raises(RuntimeError, match=r"api\.together\.ai"):
        getattr(socket, lookup)(*arguments)


def test_this_machine_can_be_talked_to() -> None:
    """Loopback works, by address and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, port), timeout=5) as sock:
                assert port == sock.getpeername()[1]


def test_unix_sockets_can_be_talked_to(tmp_path: Path) -> None:
    """A socket file is on this machine by nature."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as sock:
        server.bind(path)
        server.listen()
        sock.connect(path)
        assert path == sock.getpeername()


def test_there_is_no_key() -> None:
    """No test finds a key or an address of the real Together."""
    assert [] == [name for name in ("TOGETHER_API_KEY", "TOGETHER_BASE_URL") if name in os.environ]


def test_each_test_has_its_own_library(tmp_path: Path) -> None:
    """The default library is in the test's own folder."""
    from prefect_together.blocks.settings import TogetherSettings

    assert str(tmp_path / "library") == TogetherSettings().library_url()


def test_prefect_has_a_home_of_its_own() -> None:
    """Nobody's Prefect profile or database is touched."""
    from prefect.settings import get_current_settings

    assert Path(os.environ["PREFECT_HOME"]) == get_current_settings().home
    assert Path.home() / ".prefect" != get_current_settings().home


@pytest.mark.live
def test_live_tests_are_skipped() -> None:
    """What costs money runs only with --live and a key."""
    assert os.environ["TOGETHER_API_KEY"]
