"""How connections are opened: the transport of the HTTP clients, and the guard of file fetches against inner networks."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from prefect_together.addresses import is_loopback, is_public
from prefect_together.errors import MediaError


class Guard:
    """Judges where files may be fetched from: public hosts, the API's own host, and this machine if the API is on it.

    A server's answer names those addresses, so an inner address in it (a metadata service, a router) is an attack or a
    mistake, never a file.
    """

    def __init__(self, *, allow_loopback: bool, allow_host: str) -> None:
        self._allow_loopback = allow_loopback
        self._allow_host = allow_host

    def check(self, url: str) -> None:
        """Refuse a URL by what is written in it.

        Raises:
            MediaError: Its scheme or host may not be asked.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise MediaError(f"Together named {url.split('?', 1)[0]!r} as the place of a file, which is no URL.") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            what = f"Together named {url.split('?', 1)[0]!r} as the place of a file, which is no http(s) URL."
            raise MediaError(what, paid="yes")
        if parts.scheme == "http" and not (self._allow_loopback and is_loopback(parts.hostname)):
            raise MediaError(f"Together named an unencrypted place for a file: {url.split('?', 1)[0]}.", paid="yes")
        if not self.allows(parts.hostname, parts.hostname):
            raise self.refusal(parts.hostname)

    def allows(self, host: str, address: str) -> bool:
        """Tell whether a host may be asked at an address that it resolved to (or is)."""
        if host == self._allow_host:
            return True
        return is_public(address) or (self._allow_loopback and is_loopback(address))

    def refusal(self, host: str) -> MediaError:
        """Return the error for a host that may not be asked."""
        what = f"Together named {host} as the place of a file, which is an address of an inner network."
        return MediaError(what, paid="yes", advice="Nothing was fetched from there.")


class _GuardedResolver(AbstractResolver):
    """Resolves names and lets through only allowed addresses.

    The connection goes to exactly these, so a name that changes its mind between check and use gains nothing.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [result for result in found if self._guard.allows(host, result["host"])]
        if not allowed:
            raise self._guard.refusal(host)
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class _ByEnvironment(httpx.AsyncBaseTransport):
    """Goes through the proxy that the environment names for a host, and straight to all others and to this machine.

    Not aiohttp's own ``trust_env``: that one also sends what ``~/.netrc`` holds, to file hosts too.
    """

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard
        self._transports: dict[str | None, AiohttpTransport] = {}
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        place = (request.url.scheme, request.url.host)
        if place not in self._proxies:
            self._proxies[place] = _proxy(request.url)
        proxy = self._proxies[place]
        if proxy not in self._transports:
            self._transports[proxy] = _transport(self._guard, proxy)
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()


def connect(guard: Guard | None) -> httpx.AsyncBaseTransport:
    """Return a transport for httpx over aiohttp: five times the throughput of httpx's own. Cookies are not kept."""
    return _ByEnvironment(guard)


def _proxy(url: httpx.URL) -> str | None:
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def _transport(guard: Guard | None, proxy: str | None) -> AiohttpTransport:
    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the client bounds requests itself, in front of the pool
            # Shorter than servers keep idle connections (5 s is common): a paid request that meets the server's hang-up on
            # an old connection has an unknown outcome, although nobody took it.
            keepalive_timeout=4.0,
            # Through a proxy, names are the proxy's business.
            resolver=_GuardedResolver(guard) if guard and proxy is None else None,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(client=session, proxy=httpx.Proxy(proxy) if proxy else None)
