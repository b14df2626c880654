"""What an answer of ``POST /v1/chat/completions`` holds, whole or bit by bit, from any of Together's backends. No I/O.

The shapes are those of the captures in together-other-types.md 3.3 and 3.6: what one backend writes flat another nests, what
one calls ``reasoning`` another calls ``reasoning_content``, and any key may be missing.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefect_together._internal.described import Described
from prefect_together._internal.event_stream import Events
from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together.generations.spec import Payload, ResponseFormatError, Value


class ToolCall(Described, BaseModel):
    """A function that the model asks for."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    """What the message that answers it names as ``tool_call_id``."""
    name: str
    """The function."""
    arguments: str = ""
    """What it is to be called with, as the model wrote it: JSON, as a rule."""

    def parsed(self) -> dict[str, Any]:
        """Return the arguments.

        Raises:
            ValueError: The model wrote no JSON object.
        """
        value = json.loads(self.arguments or "{}")
        if not isinstance(value, dict):
            raise ValueError(f"the arguments of {self.name} are no JSON object: {self.arguments[:80]}")  # noqa: TRY004
        return value  # pyright: ignore[reportUnknownVariableType]

    def body(self) -> dict[str, Any]:
        """Return it as an assistant's message gives it back."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class Usage(Described, BaseModel):
    """The tokens of an answer, as Together counted them."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    """Of the prompt, pictures and schema included."""
    cached_tokens: int = 0
    """Those among them that were remembered, and cost less where the model has a price for them."""
    output_tokens: int = 0
    """Of all answers, thinking included."""
    reasoning_tokens: int | None = None
    """Those among them that were thought; None where it is not said."""


class Choice(Described, BaseModel):
    """One of the answers to a question."""

    model_config = ConfigDict(frozen=True)

    content: str = ""
    """The answer."""
    reasoning: str | None = None
    """What was thought before."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Functions that are asked for."""
    finish_reason: str | None = None
    """Why it ended: ``stop``, ``eos``, ``length``, ``tool_calls``, or a word of the model's own."""
    seed: int | None = None
    """The seed that was used, as far as a number of JSON holds it: it cannot be sent back."""
    logprobs: Any = None
    """How likely the tokens were, in the backend's own shape."""


def parse(answer: Any, *, wanted: int = 1) -> Payload:
    """Read an answer, or the events of one that came bit by bit.

    Args:
        answer: The JSON, or the events.
        wanted: How many choices were asked for: a stream may end between two of them.

    Raises:
        ResponseFormatError: It is none, or broke off: it may have been charged.
    """
    body = _joined(answer, wanted) if isinstance(answer, Events) else as_mapping(answer)
    if error := body.get("error"):
        said = as_text(as_mapping(error).get("message")) or str(error)
        raise ResponseFormatError(f"the answer is an error: {said}")
    choices = [_choice(as_mapping(one)) for one in as_list(body.get("choices"))]
    if not choices or not any(as_mapping(one).get("message") for one in as_list(body.get("choices"))):
        raise ResponseFormatError("the answer holds no message")
    usage = usage_of(body.get("usage"))
    said = [as_text(as_mapping(one).get("message")) or str(one) for one in as_list(body.get("warnings"))]
    return Value(
        {
            "choices": [choice.model_dump(mode="json", exclude_defaults=True) for choice in choices],
            "usage": None if usage is None else usage.model_dump(mode="json", exclude_defaults=True),
            "request_id": as_text(body.get("id")),
            "warnings": said,
        }
    )


def _choice(found: dict[str, Any]) -> Choice:
    message = as_mapping(found.get("message"))
    seed = found.get("seed")
    content = message.get("content")
    return Choice(
        content=content if isinstance(content, str) else "",
        reasoning=as_text(message.get("reasoning")) or as_text(message.get("reasoning_content")),
        tool_calls=tuple(_tool_call(as_mapping(one)) for one in as_list(message.get("tool_calls"))),
        finish_reason=as_text(found.get("finish_reason")),
        seed=seed if isinstance(seed, int) else None,
        logprobs=found.get("logprobs"),
    )


def _tool_call(found: dict[str, Any]) -> ToolCall:
    function = as_mapping(found.get("function"))
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(id=as_text(found.get("id")) or "", name=as_text(function.get("name")) or "", arguments=written)


def usage_of(found: Any) -> Usage | None:
    """Return the tokens of an answer, from whichever backend; None where it does not count them."""
    usage = as_mapping(found)
    if not isinstance(usage.get("prompt_tokens"), int) or not isinstance(usage.get("completion_tokens"), int):
        return None
    cached = usage.get("cached_tokens")
    if cached is None:
        cached = as_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")
    thought = usage.get("reasoning_tokens")
    if thought is None:
        thought = as_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")
    return Usage(
        input_tokens=usage["prompt_tokens"],
        cached_tokens=cached if isinstance(cached, int) else 0,
        output_tokens=usage["completion_tokens"],
        reasoning_tokens=thought if isinstance(thought, int) else None,
    )


def _joined(events: Events, wanted: int) -> dict[str, Any]:
    """Return the answer that events make up.

    Raises:
        ResponseFormatError: They hold an error, or end before the answer does; what came of it is in the error.
    """
    choices: dict[int, dict[str, Any]] = {}
    body: dict[str, Any] = {"choices": []}
    for event in events.items:
        if error := event.get("error"):
            said = as_text(as_mapping(error).get("message")) or str(error)
            raise ResponseFormatError(f"the answer broke off with an error: {said}", received=_received(choices))
        body["id"] = event.get("id") or body.get("id")
        body["usage"] = event.get("usage") or body.get("usage")
        for part in map(as_mapping, as_list(event.get("choices"))):
            index = part.get("index")
            _extend(choices.setdefault(index if isinstance(index, int) else 0, {"message": {}}), part)
    # Some backends close without [DONE]: then it is whole where as many choices as were asked for have ended.
    ended = sum(bool(choice.get("finish_reason")) for choice in choices.values())
    if not choices or (not events.complete and ended < max(wanted, len(choices))):
        raise ResponseFormatError("the answer broke off before its end", received=_received(choices))
    body["choices"] = [choices[index] for index in sorted(choices)]
    return body


def _extend(choice: dict[str, Any], part: dict[str, Any]) -> None:
    """Add one event's part to an answer."""
    delta, message = as_mapping(part.get("delta")), choice["message"]
    for name in ("content", "reasoning", "reasoning_content"):
        if isinstance(delta.get(name), str):
            message[name] = message.get(name, "") + delta[name]
    calls = message.setdefault("tool_calls", [])
    for found in map(as_mapping, as_list(delta.get("tool_calls"))):
        place = found.get("index")
        place = place if isinstance(place, int) else len(calls)
        while len(calls) <= place:
            calls.append({"id": "", "function": {"name": "", "arguments": ""}})
        function, known = as_mapping(found.get("function")), calls[place]
        known["id"] = as_text(found.get("id")) or known["id"]
        known["function"]["name"] = as_text(function.get("name")) or known["function"]["name"]
        known["function"]["arguments"] += function.get("arguments") or ""
    for name in ("finish_reason", "seed"):
        choice[name] = part.get(name) if part.get(name) is not None else choice.get(name)
    if part.get("logprobs") is not None:
        choice.setdefault("logprobs", []).append(part["logprobs"])


def _received(choices: dict[int, dict[str, Any]]) -> str:
    """Return the text that came before an answer broke off."""
    said = [choices[index]["message"] for index in sorted(choices)]
    return "\n\n".join(text for one in said if (text := one.get("content") or one.get("reasoning") or ""))
