"""The host of finished files, on an origin of its own: short links, whole files, ranges, and files that go wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prefect_together.sandbox import fault_injection, faults
from prefect_together.sandbox.broken_responses import HTML, Stream
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.renderer import Renderer
from prefect_together.sandbox.store import Store

PIECE = 64 * 1024
RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
LINK_FAULTS = frozenset({"redirect"})
DRIPS = 40
EXPIRED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@dataclass
class FileServer:
    """Serves what jobs and image requests made; asks for no key and wants to be shown none."""

    store: Store
    renderer: Renderer
    switchboard: faults.Switchboard
    threads: Executor

    async def short_link(self, request: Request) -> Response:
        """`GET /shrt/{token}`: redirect to the file, as `https://api.together.ai/shrt/...` does."""
        token: str = request.path_params["token"]
        recipe = self.store.files.get(token)
        if recipe is None:
            return _missing()
        if fault := self.switchboard.take(faults.FILE, _text(recipe), names=LINK_FAULTS):
            location = str(fault.options["location"])
            return RedirectResponse(request.url.path if location == "loop" else location, 302)
        return RedirectResponse(f"/files/{token}{recipe.suffix}", 302)

    async def file(self, request: Request) -> Response:
        """`GET /files/{name}`: the bytes, whole or in part."""
        if not request.headers.get("user-agent"):
            # The docs warn that the image CDN answers 403 to a blank User-Agent.
            return Response(b"Forbidden", 403, media_type="text/plain")
        recipe = self.store.files.get(str(request.path_params["name"]).partition(".")[0])
        if recipe is None:
            return _missing()
        fault = self.switchboard.take(faults.FILE, _text(recipe), without=LINK_FAULTS)
        if fault is not None and fault.status is not None:
            return fault_injection.status_answer(fault)
        if fault is not None and fault.name == "expired":
            return Response(EXPIRED, 403, media_type="application/xml")
        if fault is not None and fault.name == "wrong_kind":
            return Response(HTML, media_type="text/html; charset=utf-8")
        if fault is not None and fault.name == "sleep":
            await asyncio.sleep(float(fault.options["seconds"]))
        content = await asyncio.get_running_loop().run_in_executor(self.threads, self.renderer.render, recipe)
        headers = {
            "content-type": recipe.media_type,
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=3600",
        }
        if fault is not None:
            return faulty(fault, content, headers)
        return ranged(request.headers.get("range"), content, headers)


def faulty(fault: faults.Fault, content: bytes, headers: dict[str, str]) -> Response:
    """Answer with a file that goes wrong in the way of the fault."""
    half = content[: len(content) // 2]
    if fault.name == "truncated":
        return Stream(_pieces(half), headers=headers, length=len(content), cut=True)
    if fault.name == "truncated_silently":
        return Stream(_pieces(half), headers=headers, length=None)
    if fault.name == "slow":
        return Stream(_drip(content, float(fault.options["seconds"])), headers=headers, length=len(content))
    if fault.name == "huge":
        size = max(len(content) + 16, int(fault.options["bytes"]))
        return Stream(_padded(content, size), headers=headers, length=size)
    return Stream(_pieces(content), headers=headers, length=len(content))


def ranged(wanted: str | None, content: bytes, headers: dict[str, str]) -> Response:
    """Answer 200 with everything, 206 with one range, or 416 (RFC 9110, section 14)."""
    asked = RANGE.match(wanted) if wanted else None
    if asked is None or asked.groups() == ("", ""):
        return Stream(_pieces(content), headers=headers, length=len(content))
    first, last = asked.groups()
    start = max(0, len(content) - int(last)) if not first else int(first)
    end = len(content) if not first or not last else min(len(content), int(last) + 1)
    if start >= end:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(content)}"})
    headers = {**headers, "content-range": f"bytes {start}-{end - 1}/{len(content)}"}
    return Stream(_pieces(content[start:end]), status=206, headers=headers, length=end - start)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


async def _drip(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    step = max(1, -(-len(content) // DRIPS))
    for start in range(0, len(content), step):
        yield content[start : start + step]
        await asyncio.sleep(seconds / DRIPS)


async def _padded(content: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield the file and a box of type `free` (ISO 14496-12), which players skip, up to `size` bytes in all.

    Behind a JPEG the same bytes are ignored too.
    """
    yield content
    pad = size - len(content)
    # A 64-bit size is written as 1 in the short field and the size behind the type.
    yield (1).to_bytes(4, "big") + b"free" + pad.to_bytes(8, "big")
    left = pad - 16
    zeros = bytes(PIECE)
    while left > 0:
        yield zeros[:left]
        left -= PIECE


def _text(recipe: Recipe) -> str:
    return f"{recipe.prompt} {recipe.model}"


def _missing() -> Response:
    return Response(b"Not found", 404, media_type="text/plain")
