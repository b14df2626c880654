"""`POST /v1/chat/completions`: check what is asked, charge its tokens, and answer in words, whole or as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox.api import Api, Endpoint, LineAnswer, account, json_body, success
from prefect_together.sandbox.broken_responses import Stream, paced
from prefect_together.sandbox.chat import spoiling
from prefect_together.sandbox.chat.answering import Answered, finish, prepare
from prefect_together.sandbox.chat.shapes import events
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault, Place

COMPLETE = "POST /v1/chat/completions"
SPOILED = frozenset({*spoiling.SPOILS, "no_usage"})
"""Faults that change what is answered, however it is sent."""


async def complete(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/chat/completions`."""
    owner = account(request)
    body = await json_body(request)
    prepared = await api.read(lambda: prepare(api, body))
    fault = api.switchboard.take(COMPLETE, prepared.said)
    spoil = None if fault is None else spoiling.SPOILS.get(fault.name)
    answered = await api.read(lambda: finish(api, prepared, owner, spoil))

    async def accept(_: Fault | None) -> None:
        api.store.accept(charge=answered.charge(owner), files={})

    async def respond() -> Response:
        return _streamed(answered, fault) if answered.asked.stream else _whole(answered, fault)

    return await apply_fault(fault, accept, respond)


async def answer_line(api: Api, body: Mapping[str, Any], account: str) -> LineAnswer:
    """Answer a line of a batch: never as a stream; what can go wrong with an answer goes wrong there too."""
    prepared = await api.read(lambda: prepare(api, body))
    fault = api.switchboard.take(COMPLETE, prepared.said, names=SPOILED)
    spoil = None if fault is None else spoiling.SPOILS.get(fault.name)
    answered = await api.read(lambda: finish(api, prepared, account, spoil))
    return LineAnswer(_body(answered, fault), answered.charge(account))


def _whole(answered: Answered, fault: Fault | None) -> Response:
    response = success(_body(answered, fault), answered.shape.id)
    if answered.shape.backend != "deepseek":
        response.headers["content-type"] = "application/json; charset=utf-8"  # as was seen of this backend
    return response


def _body(answered: Answered, fault: Fault | None) -> dict[str, Any]:
    body: dict[str, Any] = answered.body
    if fault is not None and fault.name == "no_usage":
        del body["usage"]
    return body


def _streamed(answered: Answered, fault: Fault | None) -> Response:
    name = "" if fault is None else fault.name
    usage = None if name == "no_usage" else answered.usage
    found = list(events(answered.shape, answered.asked, answered.choices, usage))
    pieces = spoiling.broken(found, name) if name in ("stream_cut", "stream_error") else found
    headers = {"content-type": "text/event-stream", "x-request-id": answered.shape.id, "cache-control": "no-cache"}
    wait = float(fault.options["seconds"]) / len(found) if fault is not None and name == "slow" else 0.0
    return Stream(paced(pieces, wait), headers=headers, length=None, cut=name == "stream_cut")


ENDPOINTS = (Endpoint(route=COMPLETE, handle=complete, faults=Place.CALL | Place.CHAT, answer_line=answer_line),)
