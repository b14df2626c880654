"""What is said to a model: messages, in which roles, with which pictures. Knows no answers. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from prefect_together.generations.request import FrozenValue, Items

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(FrozenValue):
    """One message of a conversation.

    Example:
        ```python
        from prefect_together import ChatRequest, Message

        asked = ChatRequest(
            model="zai-org/GLM-5.3-Flash",
            messages=[
                Message(role="user", content="Name a fox."),
                Message(role="assistant", content="Rusty."),
                Message(role="user", content="Another one."),
            ],
        )
        ```
    """

    role: Role
    """Who says it. ``developer`` is what gpt-oss calls ``system``."""
    content: str | tuple[dict[str, Any], ...] | None = None
    """What is said: text, or parts as Together takes them. Files go into ``ChatRequest.images`` and ``videos``."""
    name: str | None = None
    """Who that is, where several have one role."""
    tool_calls: Items[dict[str, Any]] = None
    """What the assistant wanted to call, as it was answered."""
    tool_call_id: str | None = None
    """Which call a message of a tool answers."""
    reasoning: str | None = None
    """The assistant's thinking, given back under the name that it came with."""
    reasoning_content: str | None = None
    """The same, for models that call it so."""

    def body(self) -> dict[str, Any]:
        """Return it as it is sent: ``content`` even where it is null, as a turn with tool calls has it."""
        return {"role": self.role, "content": self.content, **self._rest()}

    def _rest(self) -> dict[str, Any]:
        names = ("name", "tool_calls", "tool_call_id", "reasoning", "reasoning_content")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def pictures(self) -> int:
        """How many pictures its own parts show."""
        return sum(part.get("type") == "image_url" for part in self.content or () if isinstance(part, dict))

    def text(self) -> str:
        """Return what is said in words."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(str(part["text"]) for part in self.content or () if part.get("type") == "text")


class Tool(FrozenValue):
    """A function that a model may ask for. It is called by whoever asked, and never here."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_]+$", max_length=64)]
    """Letters, digits and underscores: names with dots, dashes or spaces break some models."""
    description: str | None = None
    """When to call it."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """What it takes, as a JSON schema."""
    strict: bool | None = None
    """Whether its arguments have to fit that schema."""

    @field_validator("parameters")
    @classmethod
    def _is_json(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"it is no JSON: {error}") from None
        return value

    def body(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"type": "function", "function": self.model_dump(exclude_none=True)}


def tool(value: object) -> object:
    """Return a tool from the form in which Together takes it: ``{"type": "function", "function": {…}}``."""
    return value["function"] if isinstance(value, Mapping) and "function" in value else value  # pyright: ignore[reportUnknownVariableType]


def with_instruction(messages: Sequence[dict[str, Any]], instruction: str | None) -> list[dict[str, Any]]:
    """Return messages whose system message ends with an instruction; there is one afterwards, and it comes first."""
    if not instruction:
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") in {"system", "developer"} and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def with_pictures(messages: Sequence[dict[str, Any]], urls: Sequence[str]) -> list[dict[str, Any]]:
    """Return messages whose first one of the user shows pictures, before what it says of them."""
    if not urls:
        return list(messages)
    place = next((index for index, one in enumerate(messages) if one["role"] == "user"), None)
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    if place is None:
        return [*messages, {"role": "user", "content": parts}]
    said = messages[place]["content"]
    words = [{"type": "text", "text": said}] if isinstance(said, str) else list(said or ())
    return [*messages[:place], {**messages[place], "content": [*parts, *words]}, *messages[place + 1 :]]


_ASCII = bytes(range(128))
PICTURE_TOKENS = 6404
"""What a picture counts at most: two by two tiles of 1601 tokens, see together-other-types.md 3.8."""


def count_tokens_at_most(messages: Iterable[Mapping[str, Any]], more: Any, pictures: int) -> int:
    """Return an upper estimate of the tokens of a prompt, without the model's own tokenizer.

    Three bytes a token in ASCII and two in other scripts is above what the listed models make of European languages, Chinese
    and Japanese; each message and the template around all of them count for more.

    Args:
        messages: Those of the body, with texts.
        more: What else is part of the prompt, such as tools.
        pictures: How many pictures there are.
    """
    text: list[str] = []
    count = 0
    for message in messages:
        count += 1
        content: Any = message.get("content")
        parts: list[dict[str, Any]] = [] if content is None or isinstance(content, str) else list(content)
        text.append(content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in parts))
        rest = {key: value for key, value in message.items() if key not in {"role", "content"}}
        text.append(json.dumps(rest, default=str) if rest else "")
    data = "".join((*text, json.dumps(more, default=str) if more else "")).encode("utf-8", "replace")
    other = len(data.translate(None, _ASCII))
    return -(-(len(data) - other) // 3) + -(-other // 2) + 8 * count + 50 + pictures * PICTURE_TOKENS
