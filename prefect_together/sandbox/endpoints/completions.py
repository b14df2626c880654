"""`POST /v1/completions`: a text that goes on, by a model on an endpoint of one's own; Together serves none to all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, json_body, success
from prefect_together.sandbox.broken_responses import Stream, paced
from prefect_together.sandbox.chat import counting
from prefect_together.sandbox.chat.answering import Answered, answer
from prefect_together.sandbox.chat.shapes import DONE, event, token_id
from prefect_together.sandbox.chat.writing import Choice
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault

COMPLETE = "POST /v1/completions"
CHAT_ONLY = frozenset({"messages", "tools", "tool_choice", "response_format", "reasoning", "reasoning_effort"})


async def complete(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/completions`."""
    owner = account(request)
    body = await json_body(request)
    asked = _as_chat(body, api.dedicated)
    answered = await api.read(lambda: answer(api, asked, owner))

    async def accept(_: Fault | None) -> None:
        api.store.accept(charge=answered.charge(owner, kind="completion"), files={})

    async def respond() -> Response:
        if answered.asked.stream:
            headers = {"content-type": "text/event-stream", "x-request-id": answered.shape.id}
            return Stream(paced(_events(answered)), headers=headers, length=None)
        return success(_whole(answered), answered.shape.id)

    return await apply_fault(api.switchboard.take(COMPLETE, f"{answered.prompt} {answered.asked.model}"), accept, respond)


def _as_chat(body: checks.Body, dedicated: frozenset[str]) -> dict[str, Any]:
    """Return the request as one turn of a chat, which is answered alike."""
    checks.dedicated_model(body, dedicated)
    for field in body:
        if field in CHAT_ONLY:
            raise error_messages.unknown_parameter(field)
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise error_messages.missing("prompt")
    rest = {name: value for name, value in body.items() if name != "prompt"}
    return {**rest, "messages": [{"role": "user", "content": prompt}]}


def _whole(answered: Answered) -> dict[str, Any]:
    chat = answered.body
    choices = [
        {
            "text": choice["message"]["content"], "finish_reason": choice["finish_reason"], "seed": choice.get("seed"),
            "logprobs": choice.get("logprobs"),
        }
        for choice in chat["choices"]
    ]  # fmt: skip
    head = {"id": chat["id"], "object": "text.completion", "created": chat["created"], "model": chat["model"]}
    return {**head, "prompt": chat.get("prompt", []), "choices": choices, "usage": chat["usage"]}


def _events(answered: Answered) -> Iterator[bytes]:
    last = len(answered.choices) - 1
    for index, choice in enumerate(answered.choices):
        for piece in counting.pieces(choice.text or ""):
            yield _chunk(answered, index, piece)
        yield _chunk(
            answered, index, "", ended=choice, usage=answered.shape.usage(answered.usage) if index == last else None
        )
    yield DONE


def _chunk(answered: Answered, index: int, text: str, *, ended: Choice | None = None, usage: Any = None) -> bytes:
    return event({
        "id": answered.shape.id, "object": "completion.chunk",
        "token": {"id": token_id(text), "text": text, "logprob": -0.1, "special": not text},
        "choices": [{"index": index, "text": text, "delta": {"content": text}}], "usage": usage,
        "seed": ended and ended.seed, "finish_reason": ended and ended.finish,
    })  # fmt: skip


ENDPOINTS = (Endpoint(route=COMPLETE, handle=complete),)
