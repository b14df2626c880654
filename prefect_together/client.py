"""What is said over HTTP: one method per endpoint, one attempt per paid POST. The only importer of httpx.

Nothing here knows of ledgers, libraries or Prefect. A paid POST is repeated only where it is certain that it was not
taken: the connection was never opened, or Together said that it was too busy (429, 503).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
import httpx

from prefect_together.addresses import api_origin, realm
from prefect_together.answers import (
    ImageAnswer,
    JobAnswer,
    NotUnderstood,
    backoff,
    permanent,
    read_images,
    read_job,
    refusal,
    wait_hint,
)
from prefect_together.connections import Guard, connect
from prefect_together.errors import APIError, ConnectionFailed, MediaError, RateLimited, ServerError, UnknownOutcome
from prefect_together.governor import LONGEST, Governor, Patience, Slot

USER_AGENT = f"prefect-together/{version('prefect-together')}"  # file hosts answer 403 to a blank one (1.3)

_log = logging.getLogger("prefect.together")
_REDIRECTS = 8
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Hosted:
    """A file that is being fetched: its length where the server said it, and its bytes in chunks."""

    length: int | None
    chunks: AsyncIterator[bytes]


class TogetherClient:
    """One account's connection to Together, shared by everything in the process that uses the account.

    Args:
        api_key: Sent to the API's origin and nowhere else.
        base_url: The API's origin, e.g. ``https://api.together.ai``.
        timeout: Seconds to wait for an answer. Pictures are made while the request is open, so this is long.
        max_connections: Paid requests in flight at once, and as many polls and downloads.
        patience: How long refused requests go on being offered.
        governor: Deals the slots of paid requests to the models, for all clients of an account.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        timeout: float = 600.0,
        max_connections: int = 64,
        patience: Patience | None = None,
        governor: Governor | None = None,
    ) -> None:
        self.origin = api_origin(base_url)
        self.realm = realm(self.origin)
        self.account = hashlib.blake2b(api_key.encode(), digest_size=6, person=b"together-account").hexdigest()
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json", "User-Agent": USER_AGENT}
        self._json_headers = {**self._headers, "Content-Type": "application/json"}
        self._patience = patience or Patience()
        self._guard = Guard(allow_loopback=self.realm == "loopback", allow_host=urlsplit(self.origin).hostname or "")
        # Waiting in front of the pool is cheap; a thousand requests queued inside it are not.
        self._slots = asyncio.Semaphore(max_connections)
        self._governor = governor or Governor(max_connections)
        limits = httpx.Timeout(timeout, connect=15.0, pool=None)
        self._api = _http(connect(None), limits)
        self._files = _http(connect(self._guard), httpx.Timeout(60.0, connect=15.0, pool=None))

    def __repr__(self) -> str:
        return f"TogetherClient({self.origin!r}, account={self.account!r})"

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.aclose()
        await self._files.aclose()

    def slot(self, model: str) -> Slot:
        """Return what stands in the queue of a model's paid requests, to be entered before one is sent."""
        return Slot(self._governor.lane(model))

    async def create_images(self, body: dict[str, Any], slot: Slot | None = None) -> ImageAnswer:
        """``POST /v1/images/generations``: paid, sent once.

        Args:
            body: What is asked.
            slot: The place in the queue, where it is held already; given back when the answer is there.

        Raises:
            UnknownOutcome: It was sent and no usable answer came.
            APIError: It was refused.
            ConnectionFailed: No connection could be opened.
        """
        return await self._pay("/v1/images/generations", body, slot, read_images)

    async def create_video(self, body: dict[str, Any], slot: Slot | None = None) -> JobAnswer:
        """``POST /v2/videos``: paid, sent once. Takes and raises what ``create_images`` does."""
        return await self._pay("/v2/videos", body, slot, _read_new_job)

    async def video(self, job_id: str) -> JobAnswer:
        """``GET /v2/videos/{id}``: free.

        Raises:
            APIError: ``retryable`` says whether asking again can help.
            ConnectionFailed: No usable answer came.
        """
        try:
            async with self._slots:
                response = await self._exchange("GET", f"/v2/videos/{quote(job_id, safe='')}", timeout=30.0)
        except httpx.HTTPError as error:
            raise ConnectionFailed(f"{self.origin} did not answer: {_said(error)}.", paid="yes", retryable=True) from error
        if response.status_code != 200:
            raise refusal(response.status_code, response.text, response.headers)
        try:
            return read_job(response.json())
        except ValueError as error:
            about = f"{self.origin} answered with something that is not a job: {error}."
            raise ServerError(about, paid="yes", status=200, retryable=True) from error

    async def _pay(self, path: str, body: dict[str, Any], slot: Slot | None, read: Callable[[Any], _Answer]) -> _Answer:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        response = await self._offer(path, slot or self.slot(str(body.get("model"))), content)
        status = response.status_code
        if status >= 500 or status == 408:
            raise _unknown(f"Together answered {status} to POST {path}")
        if status >= 400:
            raise refusal(status, response.text, response.headers)
        if status >= 300:
            said = f"POST {path} was redirected ({status}), and a request that costs money follows no redirect."
            raise APIError(said, advice="Check the base URL.", status=status)
        try:
            return read(response.json())
        except ValueError as error:
            raise _unknown(f"Together answered {status} to POST {path}, but {_said(error)}") from error

    async def _offer(self, path: str, slot: Slot, content: bytes) -> httpx.Response:
        """Send until somebody takes it: only refusals that certainly cost nothing are repeated."""
        lane, tries, waited = slot.lane, 0, 0.0
        while True:
            tries += 1
            entered = await slot.enter()
            failure: APIError | ConnectionFailed
            try:
                response = await self._exchange("POST", path, content=content)
            except httpx.HTTPError as error:
                if not _never_connected(error):
                    raise _unknown(f"POST {path} was sent and then {_said(error)}") from error
                what = f"{self.origin} could not be reached: {_said(error)}."
                failure = ConnectionFailed(what, advice="Check the base URL and the network.", retryable=True)
                pause, patience, hint = backoff(tries, first=1.0, longest=LONGEST), self._patience.refused, None
            else:
                status = response.status_code
                if status not in {429, 503}:
                    lane.taken(entered)
                    return response
                failure = refusal(status, response.text, response.headers)
                if permanent(status, failure.code):
                    raise failure
                hint, patience = wait_hint(response.headers), self._patience.busy
                pause = lane.limited(entered, hint) if status == 429 else lane.busy(tries, hint)
            finally:
                slot.leave()
            if waited + pause > patience:
                if isinstance(failure, RateLimited):
                    failure.retry_after = hint
                raise failure
            _log.info("%s Waiting %.1f s before offering POST %s again; nothing is paid yet.", failure.what, pause, path)
            await asyncio.sleep(pause)
            waited += pause

    async def _exchange(
        self, method: str, path: str, *, content: bytes | None = None, timeout: float | None = None
    ) -> httpx.Response:
        headers = self._json_headers if content is not None else self._headers
        request = self._api.build_request(method, self.origin + path, headers=headers, content=content)
        if timeout is not None:
            request.extensions["timeout"] = httpx.Timeout(timeout, connect=15.0, pool=None).as_dict()
        return await self._api.send(request)

    @asynccontextmanager
    async def download(self, url: str) -> AsyncGenerator[Hosted, None]:
        """Fetch a hosted file. The key is never sent along, whatever host the URL or a redirect names.

        Args:
            url: Where Together says that the file is.

        Raises:
            MediaError: The file is gone, or its address is one that must not be asked. ``retryable`` says whether
                fetching it again can help.
        """
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        try:
            async with self._slots:
                response = await self._follow(url, headers)
                try:
                    if response.status_code != 200:
                        raise _no_file(url, response.status_code)
                    yield Hosted(_length(response), response.aiter_raw())
                finally:
                    await response.aclose()
        except (httpx.InvalidURL, UnicodeError) as error:
            raise MediaError(f"Together named {_shown(url)!r} as the place of a file, which is no URL: {error}.") from error
        except httpx.HTTPError as error:
            what = f"The file at {_shown(url)} did not arrive: {_said(error)}."
            raise MediaError(what, paid="yes", retryable=True) from error

    async def is_there(self, url: str) -> bool:
        """Tell whether a hosted file can be fetched now, without fetching it."""
        try:
            async with self.download(url):
                return True
        except MediaError:
            return False

    async def _follow(self, url: str, headers: dict[str, str]) -> httpx.Response:
        for _ in range(_REDIRECTS):
            self._guard.check(url)
            response = await self._files.send(self._files.build_request("GET", url, headers=headers), stream=True)
            location = response.headers.get("location")
            if not response.is_redirect or not location:
                return response
            await response.aclose()
            url = urljoin(url, location)
        raise MediaError(f"The file at {_shown(url)} is behind more than {_REDIRECTS} redirects.", paid="yes")


def _read_new_job(payload: Any) -> JobAnswer:
    job = read_job(payload)
    if not job.id:
        raise NotUnderstood("the answer has no job id")
    return job


def _http(transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)


def _never_connected(error: httpx.HTTPError) -> bool:
    """Tell whether no byte of the request can have left.

    The aiohttp transport raises the same ``httpx.ConnectTimeout`` for a host that cannot be reached and for a server that
    took the request and hung up; only the aiohttp error behind it tells them apart.
    """
    cause = error.__cause__
    return isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def _unknown(what: str) -> UnknownOutcome:
    return UnknownOutcome(f"{what}, so whether it was accepted is not known.")


def _no_file(url: str, status: int) -> MediaError:
    refused = 400 <= status < 500
    what = f"The file at {_shown(url)} is not there (HTTP {status})."
    advice = "Links to hosted files expire; run it again to ask for it once more, which is free." if refused else ""
    # 404 may also mean "not everywhere yet" for a moment; the other refusals are for good.
    return MediaError(what, advice=advice, retryable=not refused or status == 404, status=status)


def _length(response: httpx.Response) -> int | None:
    try:
        return int(response.headers["content-length"])
    except (KeyError, ValueError):
        return None


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "the answer is not JSON"
    if isinstance(error, httpx.ReadTimeout):
        return "no answer came in time"
    return str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__


def _shown(url: str) -> str:
    """Return a URL without its query, which may hold a signature."""
    return url.split("?", 1)[0]
