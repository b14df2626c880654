"""Sends requests to the API: those that are paid for once, those that are free whenever somebody asks.

Nothing here knows of ledgers, libraries, Prefect, or what is generated. A paid POST is repeated only where it is certain
that it was not taken: the connection was never opened, or Together said that it was too busy (429, 503).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from prefect_together._internal.retry import backoff
from prefect_together._internal.upload import Encoding
from prefect_together.errors import APIError, ConnectionFailed, ServerError, TogetherError, UnknownOutcome
from prefect_together.http.bodies import read_answer, receive
from prefect_together.http.connections import USER_AGENT, ApiTransport, Guard
from prefect_together.http.downloads import Downloads
from prefect_together.http.forms import form_of
from prefect_together.http.permit import Permit
from prefect_together.http.rate_limit import LONGEST, AdaptiveLimiter, ModelLimiter, RetryBudget
from prefect_together.http.responses import error_from_response, is_permanent, retry_after
from prefect_together.http.transport_errors import outcome_of
from prefect_together.http.urls import api_origin, environment

_log = logging.getLogger("prefect.together")
_T = TypeVar("_T")
_JSON = {"Content-Type": "application/json"}
_url = lru_cache(maxsize=1024)(httpx.URL)  # a path is asked often, and is read at a fifth of a request's cost


CONNECT_TIMEOUT = 15.0
"""Seconds to wait for one connection, TLS included."""
OPEN_TIMEOUT = 30.0
"""Seconds to wait until a connection is there, a name's lookup and a proxy's answer included."""


@dataclass(frozen=True)
class _NotTaken:
    """A paid request that certainly cost nothing: its error, and the seconds until it may be sent again, each and in all."""

    error: APIError | ConnectionFailed
    pause: float
    patience: float


class TogetherClient:
    """One account's connection to Together, shared by everything in the process that uses the account.

    Args:
        api_key: Sent to the API's origin and nowhere else.
        base_url: The API's origin, e.g. ``https://api.together.ai``.
        timeout: Seconds to wait for an answer. Pictures are made while the request is open, so this is long.
        max_connections: Paid requests in flight at once, and as many polls and downloads.
        retry_budget: How long refused requests go on being offered.
        limiter: Deals the permits of paid requests to the models, for all clients of an account.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        timeout: float = 600.0,
        max_connections: int = 64,
        retry_budget: RetryBudget | None = None,
        limiter: AdaptiveLimiter | None = None,
    ) -> None:
        self.origin = api_origin(base_url)
        self.environment = environment(self.origin)
        self.account = hashlib.blake2b(api_key.encode(), digest_size=6, person=b"together-account").hexdigest()
        about = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
        self._headers = {"Authorization": f"Bearer {api_key}", **about}
        self._retry_budget = retry_budget or RetryBudget()
        # Waiting in front of the pool is cheap; a thousand requests queued inside it are not.
        self._open_requests = asyncio.Semaphore(max_connections)
        self.limiter = limiter or AdaptiveLimiter(max_connections)
        """Deals the permits of paid requests to the models, for all clients of the account."""
        self.max_connections = max_connections
        """Paid requests in flight at once, and as many polls and downloads."""
        self._timeout = timeout
        # No client of httpx's around it: redirects, cookies and auth flows are what a paid request must not have.
        self._api = ApiTransport()
        host = urlsplit(self.origin).hostname or ""
        self.files = Downloads(Guard(allow_loopback=self.environment == "loopback", allow_host=host), max_connections)
        """Fetches hosted files."""

    def __repr__(self) -> str:
        return f"TogetherClient({self.origin!r}, account={self.account!r})"

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.aclose()
        await self.files.aclose()

    def permit(self, model: str) -> Permit:
        """Return what stands in the queue of a model's paid requests, to be entered before one is sent."""
        return Permit(self.limiter.for_model(model))

    async def send_paid(
        self,
        path: str,
        body: dict[str, Any],
        parse: Callable[[Any], _T],
        permit: Permit | None = None,
        *,
        accept: str = "application/json",
        encoding: Encoding = "json",
    ) -> _T:
        """POST a request that costs money, once, and return what ``parse`` makes of the answer.

        Args:
            path: Of the endpoint, e.g. ``/v2/videos``.
            body: What is asked; its ``model`` names the queue.
            parse: Reads the answer: JSON, ``Events`` where it came bit by bit, an ``AnswerFile`` where it is one. Whatever
                it raises means that the outcome is unknown: it may have been paid for. What its error has ``received`` goes
                into the ledger.
            permit: The place in the queue, where it is held already; given back when the answer is there.
            accept: The media types that an answer may be of.
            encoding: How the body is written.

        Raises:
            UnknownOutcome: It was sent and no usable answer came.
            APIError: It was refused.
            ConnectionFailed: No connection could be opened.
            ConfigurationError: The environment names a proxy that is none.
        """
        headers = {**self._headers, **({} if encoding == "form" else _JSON), "Accept": accept}
        written = form_of(body) if encoding == "form" else {"content": _compact(body)}
        response = await self._offer(path, permit or self.permit(str(body.get("model"))), headers, written)
        status = response.status_code
        if status >= 500 or status == 408:
            raise _unknown(f"Together answered {status} to POST {path}")
        if status >= 400:
            raise error_from_response(status, response.text, response.headers)
        if status >= 300:
            said = f"POST {path} was redirected ({status}), and a request that costs money follows no redirect."
            raise APIError(said, advice="Check the base URL.", status=status)
        try:
            return parse(read_answer(response))
        except Exception as error:  # whatever it holds: it may have been paid for
            what = f"Together answered {status} to POST {path}, but {_said(error)}"
            raise _unknown(what, received=str(getattr(error, "received", ""))) from error

    async def get(self, path: str, parse: Callable[[Any], _T]) -> _T:
        """GET what is free, and return what ``parse`` makes of the answer.

        Args:
            path: Of the resource, e.g. ``/v2/videos/01JX``.
            parse: Reads the answer's JSON, and raises ``ValueError`` where it is not what was asked for.

        Raises:
            APIError: ``retryable`` says whether asking again can help.
            ConnectionFailed: No usable answer came.
        """
        try:
            async with self._free():
                request = httpx.Request("GET", _url(self.origin + path), headers=self._headers)
                response = await self._exchange(request, timeout=30.0)
        except ConnectionFailed as error:
            error.paid = "yes"
            raise
        if response.status_code != 200:
            raise error_from_response(response.status_code, response.text, response.headers)
        try:
            return parse(response.json())
        except (ValueError, RecursionError) as error:
            about = f"{self.origin} answered GET {path} with something that cannot be read: {_said(error)}."
            raise ServerError(about, paid="yes", status=200, retryable=True) from error

    async def send_form(self, path: str, fields: dict[str, str], name: str, file: IO[bytes]) -> httpx.Response:
        """POST a form with a file in it, which is free; the file is read a piece at a time.

        Args:
            path: Of the endpoint.
            fields: What the form says of the file.
            name: What the file is called in it.
            file: Open for reading.

        Raises:
            ConnectionFailed: No usable answer came.
        """
        form: dict[str, Any] = {"data": fields, "files": {"file": (name, file, "application/jsonl")}}
        async with self._free():
            request = httpx.Request("POST", _url(self.origin + path), headers=self._headers, **form)
            return await self._exchange(request)

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[httpx.Response, None]:
        """GET what may be large, and yield the answer when its head is there.

        Raises:
            ConnectionFailed: No usable answer came, or it broke off.
        """
        async with self._free():
            response = await self._begin(httpx.Request("GET", _url(self.origin + path), headers=self._headers))
            try:
                yield response
            finally:
                await response.aclose()

    @asynccontextmanager
    async def _free(self) -> AsyncGenerator[None, None]:
        """Wait for a connection, and say of whatever goes wrong with it that no usable answer came."""
        try:
            async with self._open_requests:
                yield
        except TogetherError:
            raise
        except Exception as error:  # httpx's, and what neither it nor aiohttp foresees in an answer
            raise ConnectionFailed(f"{self.origin} did not answer: {_said(error)}.", retryable=True) from error

    async def _offer(self, path: str, permit: Permit, headers: dict[str, str], body: dict[str, Any]) -> httpx.Response:
        """Send until somebody takes it: only what certainly costs nothing is sent again."""
        tries, waited = 0, 0.0
        while True:
            tries += 1
            entered = await permit.acquire()
            try:
                answer = self._judge(await self._send_once(path, headers, body), permit.limiter, entered, tries)
            finally:
                permit.release()
            if isinstance(answer, httpx.Response):
                return answer
            if waited + answer.pause > answer.patience:
                raise answer.error
            what = "%s Waiting %.1f s before offering POST %s again; nothing is paid yet."
            _log.info(what, answer.error.what, answer.pause, path)
            await asyncio.sleep(answer.pause)
            waited += answer.pause

    async def _send_once(
        self, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> httpx.Response | ConnectionFailed:
        """Return the answer to a paid POST, or the error of one that was certainly not sent."""
        try:
            url = _url(self.origin + path)
            return await self._exchange(httpx.Request("POST", url, headers=headers, **body))
        except TogetherError:
            raise  # a proxy that is none: nothing was sent
        except Exception as error:  # httpx's, and what neither it nor aiohttp foresees in an answer
            if outcome_of(error) == "unknown":
                raise _unknown(f"POST {path} was sent and then {_said(error)}") from error
            what = f"{self.origin} could not be reached: {_said(error)}."
            return ConnectionFailed(what, advice="Check the base URL and the network.", retryable=True)

    def _judge(
        self, answer: httpx.Response | ConnectionFailed, limiter: ModelLimiter, entered: float, tries: int
    ) -> httpx.Response | _NotTaken:
        """Return an answer that is one, or when to send again what nobody has taken; tell the limiter of either."""
        if isinstance(answer, ConnectionFailed):
            return _NotTaken(answer, backoff(tries, first=1.0, longest=LONGEST), self._retry_budget.refused)
        status = answer.status_code
        if status not in {429, 503}:
            limiter.on_accepted(entered)
            return answer
        error, hint = error_from_response(status, answer.text, answer.headers), retry_after(answer.headers)
        if is_permanent(status, error.code):
            raise error
        pause = limiter.on_rate_limited(entered, hint) if status == 429 else limiter.on_busy(tries, hint)
        return _NotTaken(error, pause, self._retry_budget.busy)

    async def _exchange(self, request: httpx.Request, *, timeout: float | None = None) -> httpx.Response:
        files = "audio/" in request.headers["Accept"]
        return await receive(await self._begin(request, timeout=timeout), files=files)

    async def _begin(self, request: httpx.Request, *, timeout: float | None = None) -> httpx.Response:
        # "pool" is what bounds a proxy's answer and a name's lookup; nobody waits in the pool itself.
        limits = httpx.Timeout(timeout or self._timeout, connect=CONNECT_TIMEOUT, pool=OPEN_TIMEOUT).as_dict()
        request.extensions = {"timeout": limits}
        return await self._api.handle_async_request(request)


def _compact(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _unknown(what: str, *, received: str = "") -> UnknownOutcome:
    return UnknownOutcome(f"{what}, so whether it was accepted is not known.", received=received)


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "the answer is not JSON"
    if isinstance(error, httpx.ReadTimeout):
        return "no answer came in time"
    return str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__
