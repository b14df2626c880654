"""Apply a fault to a request to the API: accept or not, answer or not; knows no endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import JSONResponse, Response

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.broken_responses import HTML, Drop, Stream, wait_headers
from prefect_together.sandbox.faults import Fault

Accept = Callable[[Fault | None], Awaitable[None]]
Answer = Callable[[], Awaitable[Response]]

WORDS = {
    402: (error_messages.NO_CREDIT, "insufficient_balance"),
    413: ("The request is too large.", error_messages.INVALID),
    429: (
        "Too many requests in a short window. Our rate limits are dynamic and depend on live capacity.",
        "dynamic_request_limited",
    ),
    500: ("Internal server error", "server_error"),
    502: ("Bad gateway.", "server_error"),
    503: ("The engine is currently overloaded, please try again later.", "service_unavailable"),
    504: ("The request timed out.", "timeout"),
}
CODES = {413: "request_too_large"}
"""Codes that a status carries unless told otherwise."""


async def apply_fault(fault: Fault | None, accept: Accept | None, answer: Answer) -> Response:
    """Accept (which counts the charge) unless the fault comes first, and answer unless it forbids that.

    Args:
        fault: What was taken from the switchboard, if anything.
        accept: What makes the request count; None for a GET, where nothing is paid.
        answer: The answer that a fault may take the place of.
    """
    if fault is not None and (refused := await _before_acceptance(fault)) is not None:
        return refused
    if accept is not None and (fault is None or fault.options.get("charged", True)):
        await accept(fault)
    if fault is not None and (broken := await _after_acceptance(fault)) is not None:
        return broken
    answered = await answer()
    return _half(answered) if fault is not None and fault.name == "answer_cut" else answered


def _half(answered: Response) -> Response:
    """Announce a whole answer and send the first half of it; a stream announces no length."""
    content = bytes(answered.body) if hasattr(answered, "body") else b""
    headers = {name: value for name, value in answered.headers.items() if name != "content-length"}

    async def pieces() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]

    return Stream(pieces(), headers=headers, length=len(content), cut=True) if content else answered


async def _before_acceptance(fault: Fault) -> Response | None:
    """Return what keeps the request from being accepted, if anything does."""
    if fault.name == "close_before_accepting":
        return Drop(reset=bool(fault.options["reset"]))
    if fault.name == "edge_block":
        return edge_block()
    if fault.name == "sleep":
        await asyncio.sleep(float(fault.options["seconds"]))
    return None


async def _after_acceptance(fault: Fault) -> Response | None:
    """Return what takes the place of the answer, if anything does."""
    if fault.status is not None:
        return status_answer(fault)
    if fault.name == "accept_then_close":
        return Drop(reset=bool(fault.options["reset"]))
    if fault.name == "html":
        return Response(HTML, media_type="text/html; charset=utf-8")
    if fault.name == "invalid_json":
        return Response(b'{"id": "oMZ', media_type="application/json")
    if fault.name == "accept_then_delay":
        await asyncio.sleep(float(fault.options["seconds"]))
    return None


def status_answer(fault: Fault) -> Response:
    """Answer an error status in Together's shape, with the wait hint that was asked for."""
    refusal = refusal_of(fault)
    # The documented hint is x-ratelimit-reset; it is what a 429 or 503 carries unless told otherwise.
    hint = fault.options["hint"] or ("x-ratelimit-reset" if refusal.status in (429, 503) else "none")
    request_id = error_messages.request_id()
    headers = {"x-request-id": request_id, **wait_headers(hint, float(fault.options["wait"]))}
    return JSONResponse(refusal.body(request_id), refusal.status, headers=headers)


def refusal_of(fault: Fault) -> error_messages.Refusal:
    """Return the refusal that a fault of an error status stands for."""
    status = fault.status or 500
    message, kind = WORDS.get(status, (f"Request failed with status {status}.", error_messages.INVALID))
    message, code = fault.options["message"] or message, fault.options["code"] or CODES.get(status)
    if code == "model_not_available":
        # Seen for models without capacity or without a serverless offer: permanent, though it comes as a 503.
        return error_messages.Refusal(status, error_messages.no_model("of this request").message, code=code)
    return error_messages.Refusal(status, message, type=kind, code=code)


def edge_block() -> Response:
    """Answer 403 in plain text, as the edge does to clients it does not like."""
    return Response(b"error code: 1010", 403, media_type="text/plain; charset=UTF-8")
