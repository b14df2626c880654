"""How connections are opened: through which proxy, how long they are kept, and not into inner networks for files."""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from importlib.metadata import version
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from prefect_together.errors import ConfigurationError, MediaError
from prefect_together.http.urls import is_loopback, is_public, redact_query

USER_AGENT = f"prefect-together/{version('prefect-together')}"  # file hosts answer 403 to a blank one (1.3)
_FIT = re.compile(r"[!-~]+")  # ASCII without spaces


class Guard:
    """Judges where files may be fetched from: public hosts, the API's own host, and this machine if the API is on it.

    A server's answer names those addresses, so an inner address in it (a metadata service, a router) is an attack or a
    mistake, never a file.
    """

    def __init__(self, *, allow_loopback: bool, allow_host: str) -> None:
        self._allow_loopback = allow_loopback
        self._allow_host = allow_host

    def check(self, url: str) -> URL:
        """Return what a URL says to ask, or refuse it by what is written in it.

        Raises:
            MediaError: It is no URL, or its scheme or host may not be asked.
        """
        where = f"Together named {redact_query(url)!r} as the place of a file, which is"
        try:
            # What is fit to be sent is sent as it is: another way of writing the same would break a signature.
            asked = URL(url, encoded=_FIT.fullmatch(url) is not None)
            host = asked.host
        except ValueError:
            raise MediaError(f"{where} no URL.", paid="yes") from None
        if asked.scheme not in {"http", "https"} or not host:
            raise MediaError(f"{where} no http(s) URL.", paid="yes")
        if asked.scheme == "http" and not (self._allow_loopback and is_loopback(host)):
            raise MediaError(f"{where} unencrypted.", paid="yes")
        if not self.allows(host, host):
            raise self.refusal(host)
        return asked

    def allows(self, host: str, address: str) -> bool:
        """Tell whether a host may be asked at an address that it resolved to (or is)."""
        if host.lower() == self._allow_host:
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


@dataclass(frozen=True)
class Proxy:
    """A proxy, and what it alone is sent: its password is not in the URL, which error messages show."""

    url: str
    headers: dict[str, str] = field(repr=False)


class Proxies:
    """Which proxy the environment names for a host, looked up once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Proxy | None] = {}

    def of(self, scheme: str, host: str) -> Proxy | None:
        """Return a proxy, or None where a host is asked straight, as this machine always is.

        Raises:
            ConfigurationError: What the environment names cannot be a proxy.
        """
        place = (scheme, host)
        if place not in self._found:
            proxies = {} if is_loopback(host) or proxy_bypass(host) else getproxies()
            named = proxies.get(scheme) or proxies.get("all")
            self._found[place] = _proxy(named) if named else None
        return self._found[place]


def _proxy(value: str) -> Proxy:
    headers: dict[str, str] = {}
    try:
        named = URL(value if "://" in value else f"http://{value}")
        usable = named.scheme in {"http", "https"} and named.host and named.port
    except ValueError:
        named, usable = URL(), False
    if not usable:  # its value may hold a password
        what = "The proxy that the environment names (https_proxy, http_proxy or all_proxy) is no http(s) URL."
        raise ConfigurationError(what, advice="Give one such as http://proxy.example.com:3128, or unset it.")
    if named.user:
        pair = f"{named.user}:{named.password or ''}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(str(named.with_user(None)), headers)


class ApiTransport(httpx.AsyncBaseTransport):
    """Takes httpx's requests to the API over aiohttp, at a third of the CPU of httpx's own transport.

    Goes through the proxy that the environment names for a host, and straight to all others and to this machine. Not by
    aiohttp's own ``trust_env``, which also sends what ``~/.netrc`` holds.
    """

    def __init__(self) -> None:
        self._transports: dict[str | None, AiohttpTransport] = {}
        self._proxies = Proxies()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer when the head of that is there."""
        proxy = self._proxies.of(request.url.scheme, request.url.host)
        place = proxy and proxy.url
        if place not in self._transports:
            proxied = httpx.Proxy(proxy.url, headers=proxy.headers) if proxy else None
            self._transports[place] = AiohttpTransport(client=lambda: session(None), proxy=proxied)
        return await self._transports[place].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()


def session(guard: Guard | None) -> aiohttp.ClientSession:
    """Return a session that opens connections where a guard allows it, and keeps no cookies."""
    connector = aiohttp.TCPConnector(
        limit=0,  # those who send bound requests themselves, in front of the pool
        # Shorter than servers keep idle connections (5 s is common): a paid request that meets the server's hang-up on an
        # old connection has an unknown outcome, although nobody took it.
        keepalive_timeout=4.0,
        resolver=_GuardedResolver(guard) if guard else None,
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
