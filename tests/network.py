"""Keeps the sockets of the tests on this machine."""

from __future__ import annotations

import ipaddress
import platform
import socket
from collections.abc import Callable
from typing import Any


class Network:
    """Lets Python sockets talk to this machine only, and everywhere while a live test runs.

    Rust code (obstore) opens its own sockets and is not seen here; its tests name loopback endpoints.
    """

    def __init__(self) -> None:
        self.open = False
        self._real: dict[str, Callable[..., Any]] = {}

    def guard(self) -> None:
        """Put the guard in front of connections and of name lookups."""
        for name in ("connect", "connect_ex"):
            self._real[name] = getattr(socket.socket, name)
            setattr(socket.socket, name, self._guarded_connect(self._real[name]))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            self._real[name] = getattr(socket, name)
            setattr(socket, name, self._guarded_lookup(self._real[name]))

    def _guarded_connect(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(sock: socket.socket, address: Any) -> Any:
            inet = sock.family in {socket.AF_INET, socket.AF_INET6}
            if inet and not self.open and not _is_here(address[0]):
                raise RuntimeError(f"a test tried to connect to {address!r}, and tests may only talk to this machine")
            return real(sock, address)

        return connect

    def _guarded_lookup(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def lookup(host: Any, *args: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if not self.open and not (name is None or _is_address(name) or _is_here(name)):
                raise RuntimeError(f"a test tried to look up {name!r}, and tests may only talk to this machine")
            return real(host, *args, **options)

        return lookup


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name in {"", "localhost", platform.node().lower()} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%", 1)[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
