"""Answers that break: connections cut before or inside an answer, and wait hints; decides nothing about when.

ASGI has no way to hang up, so the protocol hands its transport to the application.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "sandbox.transport"
HTML = b"<!doctype html><html><head><title>One moment</title></head><body><h1>Just a moment...</h1></body></html>"


class Protocol(H11Protocol):
    """uvicorn's protocol, with the connection within reach of the application and no access log."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application so that it finds the connection in its scope."""
        super().connection_made(transport)
        self.access_log = False
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = app


async def hang_up(scope: Scope, receive: Receive, *, reset: bool = False) -> None:
    """Close the connection: what was written is flushed (FIN), or dropped where `reset` is asked for (RST)."""
    transport: asyncio.Transport = scope[TRANSPORT]
    if reset:
        transport.abort()
    else:
        transport.close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until uvicorn has seen the connection go: it complains of an application that ends its answer early before."""
    while (await receive())["type"] != "http.disconnect":
        pass  # what else comes is the rest of the request, which nobody reads any more


class Drop(Response):
    """No answer at all: the client sees the connection close without a single byte."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Hang up."""
        await hang_up(scope, receive, reset=self._reset)


class Stream(Response):
    """A body in pieces, of which fewer bytes may come than were announced, or none announced at all."""

    def __init__(
        self,
        body: AsyncIterator[bytes],
        *,
        status: int = 200,
        headers: dict[str, str],
        length: int | None,
        cut: bool = False,
    ) -> None:
        super().__init__(status_code=status)
        self._body = body
        self._headers = {**headers, **({} if length is None else {"content-length": str(length)})}
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body, stop when the client leaves, and hang up where the answer is to be cut."""
        headers = [(name.encode(), value.encode()) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        transport: asyncio.Transport = scope[TRANSPORT]
        if scope["method"] != "HEAD":
            async for piece in self._body:
                if transport.is_closing():
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        if transport.is_closing():
            await _gone(receive)
        elif self._cut:
            await hang_up(scope, receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def paced(pieces: Iterable[bytes], wait: float = 0.0) -> AsyncIterator[bytes]:
    """Yield the pieces of a body one by one, with `wait` seconds, or room for other requests, between them."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(wait)


def wait_headers(hint: str | None, wait: float) -> dict[str, str]:
    """Return the header that asks to wait for `wait` seconds, in the way that `hint` names."""
    if hint == "retry-after":
        return {"retry-after": f"{wait:g}"}
    if hint == "retry-after-date":
        # Dates have whole seconds: rounded up, so that nobody is asked to come too early.
        return {"retry-after": formatdate(math.ceil(time.time() + wait), usegmt=True)}
    if hint == "retry-after-ms":
        return {"retry-after-ms": f"{wait * 1000:g}"}
    if hint == "x-ratelimit-reset":
        return {"x-ratelimit-reset": f"{wait:g}"}
    return {}
