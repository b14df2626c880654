"""Check the body of a chat request, one constraint at a time as Together does; answers nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.records import whole

ROLES = ("system", "developer", "user", "assistant", "tool")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FORMATS = ("text", "json_schema", "json_object", "regex")
DEFAULT_TOKENS = 2_048
"""Of an answer that is not bounded: the model's own."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A chat request, checked."""

    model: str
    known: catalog.Model | None
    """What the catalogue knows of it; None for a model of one's own."""
    messages: tuple[Mapping[str, Any], ...]
    images: tuple[str, ...]
    """Addresses and data URLs of the last turn that has any."""
    budget: int
    """Tokens that may come out, thoughts among them."""
    n: int
    stop: tuple[str, ...]
    seed: int | None
    format: Mapping[str, Any] | None
    """`response_format`, unless it is text."""
    tools: tuple[Mapping[str, Any], ...]
    """The functions that may be called, without those that `tool_choice` leaves out."""
    must_call: bool
    thinks: bool
    hides_thoughts: bool
    logprobs: int | None
    echo: bool
    stream: bool
    include_usage: bool

    @property
    def question(self) -> str:
        """The text of the last turn of the user."""
        users = [message for message in self.messages if message["role"] == "user"]
        return text_of(users[-1]) if users else ""

    @property
    def called(self) -> tuple[str, ...]:
        """Names of the functions that were called since the user spoke."""
        return tuple(
            str(call["function"]["name"])
            for message in self._since()
            for call in cast("list[Any]", message.get("tool_calls") or ())
        )

    @property
    def results(self) -> tuple[str, ...]:
        """What the functions gave back since the user spoke."""
        return tuple(text_of(message) for message in self._since() if message["role"] == "tool")

    def _since(self) -> tuple[Mapping[str, Any], ...]:
        last = max((at for at, message in enumerate(self.messages) if message["role"] == "user"), default=-1)
        return self.messages[last + 1 :]


def read_body(body: checks.Body, *, dedicated: frozenset[str]) -> Asked:
    """Check the body and return what was asked, or raise the refusal of the first field that is wrong.

    Args:
        body: The JSON object that was sent.
        dedicated: Models of one's own that are registered.
    """
    model = body.get("model")
    known = None if isinstance(model, str) and model in dedicated else checks.known_model(body, "chat")
    messages = _messages(body)
    checks.numbers(body, ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"))
    checks.booleans(body, ("stream", "echo"))
    bounds = [checks.integer(body, name, 1, 10_000_000) for name in ("max_tokens", "max_completion_tokens")]
    wanted = next((bound for bound in bounds if bound is not None), None)
    seed = checks.integer(body, "seed", -(2**63), 2**64)
    images = _images(messages)
    if images and known is not None and known.takes.get("images") is False:
        raise error_messages.Refusal(400, f"Model {known.id} does not support image input.", param="messages")
    thinks, hidden = _thoughts(body, known)
    tools, must_call = _tools(body, known)
    _replayed(messages, str(body["model"]))
    options: Any = body.get("stream_options")
    return Asked(
        model=str(body["model"]), known=known, messages=messages, images=images,
        budget=min(wanted or DEFAULT_TOKENS, (known and known.max_output) or wanted or DEFAULT_TOKENS),
        n=checks.integer(body, "n", 1, 128) or 1, stop=_stop(body), seed=seed, format=_format(body, known), tools=tools,
        must_call=must_call, thinks=thinks, hides_thoughts=hidden, logprobs=_logprobs(body),
        echo=body.get("echo") is True, stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and bool(cast("dict[str, Any]", options).get("include_usage")),
    )  # fmt: skip


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, of all its parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[dict[str, Any]]", content or [])
    return "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")


def _messages(body: checks.Body) -> tuple[Mapping[str, Any], ...]:
    given: Any = body.get("messages")
    if given is None:
        raise error_messages.missing("messages")
    if not isinstance(given, list) or not given:
        raise error_messages.wrong_type("messages", "a list of at least one message")
    found = cast("list[Any]", given)
    for message in found:
        if not isinstance(message, dict) or cast("dict[str, Any]", message).get("role") not in ROLES:
            raise error_messages.wrong_type("messages", "messages with a role of " + ", ".join(ROLES))
        _content(cast("dict[str, Any]", message))
        _calls(cast("dict[str, Any]", message))
    return tuple(cast("list[dict[str, Any]]", found))


def _content(message: Mapping[str, Any]) -> None:
    content: Any = message.get("content")
    if isinstance(content, str) or (content is None and message["role"] == "assistant"):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in cast("list[Any]", content)):
        raise error_messages.wrong_type("messages", "content that is text or a list of parts")
    for part in cast("list[dict[str, Any]]", content):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            continue
        if part.get("type") == "image_url":
            if message["role"] != "user":
                raise error_messages.Refusal(400, "Images are taken in user messages only.", param="messages")
            _image(part)
            continue
        if part.get("type") in ("video_url", "audio_url", "input_audio"):
            raise error_messages.Refusal(
                400, f"Content of type '{part['type']}' is not supported by this model.", param="messages"
            )
        raise error_messages.wrong_type("messages", "content parts of type text or image_url")


def _calls(message: Mapping[str, Any]) -> None:
    """Refuse calls of an earlier turn that are none."""
    calls: Any = message.get("tool_calls") or []
    for call in cast("list[Any]", calls) if isinstance(calls, list) else [None]:
        function: Any = cast("dict[str, Any]", call).get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(cast("dict[str, Any]", function).get("name"), str):
            raise error_messages.wrong_type("messages", 'tool_calls of {"function": {"name": ..., "arguments": ...}}')


def _image(part: Mapping[str, Any]) -> str:
    image: Any = part.get("image_url")
    url: Any = cast("dict[str, Any]", image).get("url") if isinstance(image, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://", "data:")):
        raise error_messages.wrong_type("messages", 'an image_url of {"url": "https://..." or "data:image/...;base64,..."}')
    return url


def _images(messages: tuple[Mapping[str, Any], ...]) -> tuple[str, ...]:
    """Return all pictures, those of the last turn that has any first."""
    turns = [
        [_image(part) for part in cast("list[dict[str, Any]]", message["content"]) if part.get("type") == "image_url"]
        for message in messages
        if isinstance(message.get("content"), list)
    ]
    return tuple(url for turn in reversed(turns) for url in turn)


def _replayed(messages: tuple[Mapping[str, Any], ...], model: str) -> None:
    """Refuse what templates do not take of earlier turns, as was seen."""
    for message in messages:
        calls: Any = message.get("tool_calls")
        if calls and model.startswith("openai/gpt-oss") and message.get("content") is None:
            raise error_messages.Refusal(400, "prompt cannot be empty")
        if calls and model.startswith("meta-llama/") and len(cast("list[Any]", calls)) > 1:
            raise error_messages.Refusal(400, "This model only supports single tool-calls at once!")


def _logprobs(body: checks.Body) -> int | None:
    given = body.get("logprobs")
    if isinstance(given, bool):
        return 0 if given else None  # how the `openai` library asks for them
    return checks.integer(body, "logprobs", 0, 20)


def _stop(body: checks.Body) -> tuple[str, ...]:
    given = body.get("stop")
    return (whole(given),) if isinstance(given, str) and given else checks.strings(body, "stop")


def _format(body: checks.Body, known: catalog.Model | None) -> Mapping[str, Any] | None:
    given: Any = body.get("response_format")
    if given is None:
        return None
    wanted = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if wanted.get("type") not in FORMATS:
        raise error_messages.wrong_type("response_format", "an object whose type is one of " + ", ".join(FORMATS))
    if wanted["type"] == "text":
        return None
    if known is not None and known.takes.get("response_format") is False:
        raise error_messages.Refusal(400, f"response_format is not supported by model {known.id}.", param="response_format")
    if wanted["type"] == "regex":
        try:
            re.compile(wanted["pattern"])
        except (KeyError, TypeError, re.error) as error:
            raise error_messages.wrong_type("response_format", "a pattern that is a regular expression") from error
    if wanted["type"] == "json_schema" and schema_of(wanted) is None:
        raise error_messages.wrong_type("response_format", 'a schema, as {"json_schema": {"name": ..., "schema": {...}}}')
    return wanted


def schema_of(format: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of a `response_format`, wrapped or flat."""
    wrapped: Any = format.get("json_schema")
    schema: Any = cast("dict[str, Any]", wrapped).get("schema") if isinstance(wrapped, dict) else format.get("schema")
    return cast("Mapping[str, Any]", schema) if isinstance(schema, dict) else None


def _tools(body: checks.Body, known: catalog.Model | None) -> tuple[tuple[Mapping[str, Any], ...], bool]:
    """Return the functions that may be called, and whether one has to be."""
    given: Any = body.get("tools") or []
    found = list[Mapping[str, Any]]()
    for tool in cast("list[Any]", given) if isinstance(given, list) else [None]:
        function: Any = cast("dict[str, Any]", tool).get("function") if isinstance(tool, dict) else None
        name: Any = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not name:
            raise error_messages.wrong_type("tools", 'a list of {"type": "function", "function": {"name": ...}}')
        found.append(cast("dict[str, Any]", function))
    if found and known is not None and known.takes.get("tools") is False:
        raise error_messages.Refusal(400, f"Tools are not supported by model {known.id}.", param="tools")
    choice: Any = body.get("tool_choice")
    if choice == "none":
        return (), False
    if isinstance(choice, dict):
        wanted: Any = cast("dict[str, Any]", choice).get("function")
        name: Any = cast("dict[str, Any]", wanted).get("name") if isinstance(wanted, dict) else None
        named = tuple(function for function in found if function["name"] == name)
        if not named:
            raise error_messages.wrong_type("tool_choice", "the name of one of the tools")
        return named, True
    if choice == "required" and str(body["model"]).startswith("openai/gpt-oss"):
        # Seen every time, and not only when the server is unwell.
        raise error_messages.Refusal(500, "Internal server error", type="server_error")
    return tuple(found), bool(found) and choice == "required"


def _thoughts(body: checks.Body, known: catalog.Model | None) -> tuple[bool, bool]:
    """Return whether the model thinks, and whether it keeps that to itself."""
    switch: Any = body.get("reasoning")
    enabled: Any = cast("dict[str, Any]", switch).get("enabled") if isinstance(switch, dict) else None
    if switch is not None and not isinstance(enabled, bool | None):
        raise error_messages.wrong_type("reasoning", 'an object such as {"enabled": false}')
    effort = body.get("reasoning_effort")
    facts = None if known is None else known.reasoning
    if effort is not None and facts is not None and facts.other_efforts == "refused" and effort not in facts.efforts:
        raise error_messages.wrong_type("reasoning_effort", "one of " + ", ".join(f"'{word}'" for word in facts.efforts))
    if facts is None or not facts.default:
        return False, False
    if enabled is False or effort == "none":
        return facts.off != "honoured", facts.off == "hidden"
    return True, False
