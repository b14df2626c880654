"""Fetches hosted files by their URLs. Never holds the key, whatever host a URL or a redirect names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp

from prefect_together.errors import MediaError, TogetherError
from prefect_together.http.connections import USER_AGENT, Guard, Proxies, session
from prefect_together.http.urls import redact_query

_HEADERS = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=30.0, sock_connect=15.0, sock_read=60.0)
_REDIRECTS = 8
_WINDOW = 20.0  # seconds over which the rate of a download is looked at


@dataclass(frozen=True)
class Hosted:
    """A file that is being fetched: its length where the server said it, and its bytes in chunks."""

    length: int | None
    chunks: AsyncIterator[bytes]


class _Watch:
    """Looks how fast a file comes, and closes the connection of one that only drips.

    Args:
        response: Whose bytes are counted.
        least: Bytes per second that have to come on average.
    """

    def __init__(self, response: aiohttp.ClientResponse, least: float) -> None:
        self.slow = False
        self._response = response
        self._least = least
        self._came = 0
        self._waiting = False
        self._timer = asyncio.get_running_loop().call_later(_WINDOW, self._look) if least > 0 else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes."""
        self._waiting = True
        async for chunk in self._response.content.iter_any():
            self._came += len(chunk)
            self._waiting = False  # whoever takes the bytes may be slow, which is not the sender's fault
            yield chunk
            self._waiting = True
        if self.slow:
            raise aiohttp.ClientPayloadError("it was closed")

    def stop(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def _look(self) -> None:
        if self._waiting and self._came < self._least * _WINDOW:
            self.slow = True
            self._response.close()
            return
        self._came = 0
        self._timer = asyncio.get_running_loop().call_later(_WINDOW, self._look)


class Downloads:
    """Fetches files for one account.

    Over aiohttp itself: httpx around it takes more CPU for a picture than aiohttp does.

    Args:
        guard: Judges where files may be fetched from.
        max_connections: Files that are fetched at once.
    """

    def __init__(self, guard: Guard, max_connections: int) -> None:
        self._guard = guard
        # Waiting in front of the pool is cheap; a thousand requests queued inside it are not.
        self._slots = asyncio.Semaphore(max_connections)
        self._proxies = Proxies()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        for opened in self._sessions.values():
            await opened.close()

    @asynccontextmanager
    async def open(self, url: str, *, least: float = 0.0) -> AsyncGenerator[Hosted, None]:
        """Fetch a file.

        Args:
            url: Where Together says that it is.
            least: Bytes per second that have to come on average; what comes slower counts as cut off. 0 for any rate.

        Raises:
            MediaError: The file is gone or only drips, or its address is one that must not be asked. ``retryable`` says
                whether fetching it again can help.
            ConfigurationError: The environment names a proxy that is none.
        """
        watch: _Watch | None = None
        try:
            async with self._slots:
                response = await self._follow(url)
                try:
                    if response.status != 200:
                        raise _no_file(url, response.status)
                    watch = _Watch(response, least)
                    yield Hosted(response.content_length, watch.chunks())
                finally:
                    if watch:
                        watch.stop()
                    response.release()  # a connection with an unread rest is closed
        except aiohttp.ClientError as error:
            if watch and watch.slow:
                raise _too_slow(url, least) from error
            what = f"The file at {redact_query(url)} did not arrive: {_said(error)}."
            raise MediaError(what, paid="yes", retryable=True) from error

    async def has(self, url: str) -> bool:
        """Tell whether a file can be fetched now, without fetching it."""
        try:
            async with self.open(url):
                return True
        except MediaError:
            return False

    async def _follow(self, url: str) -> aiohttp.ClientResponse:
        asked = url
        try:
            for _ in range(_REDIRECTS):
                response = await self._get(asked)
                location = response.headers.get("location")
                if not (300 <= response.status < 400 and location):
                    return response
                response.release()
                asked = urljoin(asked, location)
        except (aiohttp.ClientError, TogetherError):
            raise
        except ValueError:  # host names and passwords that only look like some
            what = f"Together named {redact_query(asked)!r} as the place of a file, which cannot be asked."
            raise MediaError(what, paid="yes") from None
        raise MediaError(f"The file at {redact_query(url)} is behind more than {_REDIRECTS} redirects.", paid="yes")

    async def _get(self, url: str) -> aiohttp.ClientResponse:
        asked = self._guard.check(url)
        proxy = self._proxies.of(asked.scheme, str(asked.host))
        return await self._session(proxied=proxy is not None).get(
            asked,
            headers=_HEADERS,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_TIMEOUT,
            proxy=proxy and proxy.url,
            proxy_headers=proxy and proxy.headers,
        )

    def _session(self, *, proxied: bool) -> aiohttp.ClientSession:
        """Return a session; behind a proxy, names are the proxy's business."""
        if proxied not in self._sessions:
            self._sessions[proxied] = session(None if proxied else self._guard)
        return self._sessions[proxied]


def _no_file(url: str, status: int) -> MediaError:
    refused = 400 <= status < 500
    what = f"The file at {redact_query(url)} is not there (HTTP {status})."
    advice = "Links to hosted files expire; run it again to ask for it once more, which is free." if refused else ""
    # 404 may also mean "not everywhere yet" for a moment; the other refusals are for good.
    return MediaError(what, paid="yes", advice=advice, retryable=not refused or status == 404, status=status)


def _too_slow(url: str, least: float) -> MediaError:
    what = f"The file at {redact_query(url)} came at less than {least:,.0f} bytes a second, and counts as cut off."
    advice = (
        "Run it again: the file is fetched again and not paid for again. Where the network is that slow, lower "
        "PREFECT_INTEGRATIONS_TOGETHER_MIN_DOWNLOAD_RATE."
    )
    return MediaError(what, paid="yes", advice=advice, retryable=True)


def _said(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "nothing came for a minute"
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    # aiohttp's words may hold the URL, and its query a signature.
    said = re.sub(r"\?[^\s'\"]*", "", said.strip().split("\n", 1)[0])
    return said.rstrip(".:") or type(error).__name__
