"""Chat: what may be asked of ``POST /v1/chat/completions``. What comes back is in ``generated_text``. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from typing_extensions import Self

from prefect_together.catalog.model_ids import ChatModelId
from prefect_together.generations.input_forms import Frames
from prefect_together.generations.messages import (
    Message,
    Tool,
    count_tokens_at_most,
    tool,
    with_instruction,
    with_pictures,
)
from prefect_together.generations.request import InputUse, Items, MediaInput, Render, is_remote, plain
from prefect_together.generations.response_format import instruction, response_format
from prefect_together.generations.result_reference import ResultReference
from prefect_together.generations.sampling import SampledRequest

if TYPE_CHECKING:
    Wanted = Any
else:
    Wanted = Annotated[dict[str, Any] | None, BeforeValidator(response_format)]


def _reasoning(value: object) -> object:
    return {"enabled": value} if isinstance(value, bool) else value


if TYPE_CHECKING:
    Reasoning = bool | dict[str, Any] | None
else:
    Reasoning = Annotated[dict[str, Any] | None, BeforeValidator(_reasoning)]

_AGAIN = "Answer again, with nothing but what was asked for."
MAX_TOKENS = 4096
"""Tokens that an answer has at most where nobody says: without a bound, what it costs has none."""
STREAMED_ABOVE = 8192
"""Tokens above which an answer is streamed by itself: it takes minutes, and connections on which nothing comes are cut."""


class ChatRequest(SampledRequest):
    """A question to a model that writes: text, about pictures where it sees, by a schema where one is given.

    Only what is set is sent, and always ``max_tokens``, so that the price has an upper bound. Fields are those of Together's
    ``POST /v1/chat/completions``; ``prompt``, ``system``, ``images`` and ``videos`` are the short way for ``messages``.

    Example:
        ```python
        from pydantic import BaseModel
        from prefect_together import ChatRequest

        class Scene(BaseModel):
            prompt: str
            seconds: int

        asked = ChatRequest(
            prompt="A scene with a fox, for a picture book.",
            model="zai-org/GLM-5.3-Flash",
            response_format=Scene,
        )
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "chat"

    model: ChatModelId
    """Together's model id, e.g. `zai-org/GLM-5.3-Flash`; one that sees pictures is `Qwen/Qwen3.5-9B`."""
    prompt: Annotated[str, Field(min_length=1, pattern=r"\S")] | None = None
    """What is asked: the short way for one message of the user."""
    system: Annotated[str, Field(min_length=1)] | None = None
    """What the model is told first."""
    messages: Items[Message] = None
    """A conversation, instead of ``prompt``; its last message is the one to answer."""
    images: Items[MediaInput] = None
    """Pictures that the question is about, shown with the first message of the user: as JPEG of at most 1120 pixels."""
    videos: Items[MediaInput] = None
    """Clips and films that the question is about, as pictures cut out of them evenly: kept or local files."""
    frames: Annotated[int, Field(ge=1, le=64)] = 8
    """How many pictures stand for each clip."""
    max_tokens: Annotated[int, Field(ge=1)] | None = MAX_TOKENS
    """Tokens of the answer at most, thinking included. None: what the model does, at a price without a bound."""
    response_format: Wanted = None
    """What the answer has to be: a pydantic class, a JSON schema, ``re.compile("…")``, or what Together itself takes."""
    repair: Annotated[int, Field(ge=0, le=3)] = 1
    """How often an answer that is not what it has to be is asked for again, each a request that is paid for. Never sent."""
    tools: Items[Annotated[Tool, BeforeValidator(tool)]] = None
    """Functions that the model may ask for; what it asks for is in ``tool_calls`` of the answer, and nothing is called."""
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    """Whether a function has to be asked for, and which."""
    reasoning: Reasoning = None
    """``False`` switches thinking off where a model allows it; tokens that were thought are paid for all the same."""
    reasoning_effort: Annotated[str, Field(min_length=1)] | None = None
    """How long to think, in the model's words, such as ``low``, ``medium`` and ``high``."""
    chat_template_kwargs: dict[str, Any] | None = None
    """What the model's own template takes."""
    safety_model: str | None = None
    """A model that judges question and answer; Together serves none at present."""
    compliance: str | None = None
    """Such as ``hipaa``."""
    context_length_exceeded_behavior: Literal["error", "truncate"] | None = None
    """What becomes of a question that is too long."""
    prompt_cache_key: str | None = None
    """Names prompts that begin alike. Does not change the answer."""
    stream: bool | None = None
    """Whether the answer comes bit by bit, which changes nothing in it; left out, where it may have over 8,192 tokens."""

    @field_validator("videos")
    @classmethod
    def _are_at_hand(cls, value: tuple[MediaInput, ...] | None) -> tuple[MediaInput, ...] | None:
        if remote := next((one for one in value or () if isinstance(one, str) and is_remote(one)), None):
            raise ValueError(f"give a kept or local clip: pictures are cut out of it here, and {remote} is not at hand")
        return value

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError(
                "ChatRequest needs either prompt or messages"
                + (", and both were given" if self.prompt else ", and neither was given")
            )
        if self.messages is not None and not self.messages:
            raise ValueError("ChatRequest.messages is empty: give at least one message")
        return self

    @property
    def streams(self) -> bool:
        """Whether the answer comes bit by bit."""
        long = self.max_tokens is None or self.max_tokens * self.n > STREAMED_ABOVE
        return long if self.stream is None else self.stream

    @property
    def repair_round(self) -> int:
        """Which time it is asked again because an answer was not what was asked for; 0 is the first question."""
        return sum(text.endswith(_AGAIN) for text in self._asked())

    def title(self) -> str:
        """Return what is asked, in words."""
        if self.prompt is not None:
            return self.prompt
        said = [text for text in self._asked() if not text.endswith(_AGAIN)]
        return next((text for text in reversed(said) if text.strip()), self.model)

    def given(self) -> dict[str, Any]:
        """Return the fields that were set, and what they come to in tokens at most: what the catalogue judges and prices."""
        pictures = len(self.images or ()) + len(self.videos or ()) * self.frames
        pictures += sum(message.pictures for message in self.messages or ())
        tokens = count_tokens_at_most(self._messages(), [one.body() for one in self.tools or ()], pictures)
        most = None if self.max_tokens is None else self.max_tokens * self.n
        return {**super().given(), "input_tokens": tokens, "max_output_tokens": most}

    def repairs(self) -> list[dict[str, Any]]:
        """Return what the catalogue prices, as ``given``, for each time that it may be asked again because of its answer.

        That is at most: every answer is as long as it may be, and is told again with what is wrong with it, which may quote
        it and its schema three times.
        """
        given, wanted = self.given(), self.response_format
        if wanted is None or wanted["type"] == "text":
            return []
        schema = count_tokens_at_most([{"role": "user", "content": f"{_AGAIN}{instruction(wanted) or ''}"}], [], 0)
        more = 3 * schema + 4 * (self.max_tokens or 0)
        return [{**given, "input_tokens": given["input_tokens"] + time * more} for time in range(1, self.repair + 1)]

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body."""
        urls = [render(picture, "picture", "image") for picture in self.images or ()]
        for clip in self.videos or ():
            urls += several(render(clip, Frames(self.frames), "video"))
        body: dict[str, Any] = {
            "model": self.model,
            "messages": with_pictures(self._messages(), urls),
            **plain(self, _PLAIN),
        }
        body["max_tokens"] = self.max_tokens
        body |= self.sampling()
        body["tools"] = [one.body() for one in self.tools] if self.tools else None
        if self.streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in body.items() if value is not None}

    def media_inputs(self) -> Iterator[InputUse]:
        """Yield every picture and clip; most questions have none, and their body is not made for that."""
        return super().media_inputs() if self.images or self.videos else iter(())

    @classmethod
    def transport_fields(cls) -> tuple[str, ...]:
        """Name the fields that say how to answer, and do not change the answer."""
        return ("stream", "stream_options", "prompt_cache_key")

    def repaired(self, answer: str, why: str, source: ResultReference) -> ChatRequest:
        """Return the request that asks for the answer again, telling what was wrong with it, and based on it.

        Args:
            answer: What was answered.
            why: What is wrong with it, in words.
            source: The reference to that answer.
        """
        said = self.messages or (Message(role="user", content=self.prompt),)
        again = f"That is not what was asked for: {why}. {_AGAIN}"
        more = (Message(role="assistant", content=answer), Message(role="user", content=again))
        changed = {"prompt": None, "messages": (*said, *more), "repair": self.repair - 1}
        return self.model_copy(update={**changed, "based_on": (source,)})

    def _asked(self) -> list[str]:
        """Return what the user says in the messages."""
        return [message.text() for message in self.messages or () if message.role == "user"]

    def _messages(self) -> list[dict[str, Any]]:
        """Return what is said, without the pictures."""
        said = [message.body() for message in self.messages or ()]
        if self.prompt is not None:
            said.append({"role": "user", "content": self.prompt})
        if self.system is not None:
            said.insert(0, {"role": "system", "content": self.system})
        return with_instruction(said, instruction(self.response_format))


def several(rendered: Any) -> list[Any]:
    """Return the pictures of a clip: as many as it was cut into, or whatever stands for them all in an identity."""
    return list(rendered) if isinstance(rendered, (list, tuple)) else [rendered]  # pyright: ignore[reportUnknownArgumentType]


_PLAIN = (
    "response_format",
    "tool_choice",
    "reasoning",
    "reasoning_effort",
    "chat_template_kwargs",
    "safety_model",
    "compliance",
    "context_length_exceeded_behavior",
    "prompt_cache_key",
)
