"""Completions: a text that goes on, asked of ``POST /v1/completions``, and what comes back. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field

from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together.generations.answers import Choice, Usage, usage_of
from prefect_together.generations.request import Render
from prefect_together.generations.results import GeneratedValue, ResultFacts
from prefect_together.generations.sampling import SampledRequest
from prefect_together.generations.spec import GenerationSpec, Keeping, Payload, ResponseFormatError, Value

MAX_TOKENS = 4096
"""Tokens that a text goes on for at most where nobody says."""


class CompletionRequest(SampledRequest):
    """A text that a model is to go on with. For questions, and for models that Together serves to all, see ``ChatRequest``.

    Together serves no model for completions to all: ``model`` is the name of a dedicated endpoint.

    Example:
        ```python
        from prefect_together import CompletionRequest

        asked = CompletionRequest(prompt="Once upon a time", model="my-team/llama-base-1a2b3c4d", max_tokens=100)
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "completion"

    prompt: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """The beginning of the text."""
    max_tokens: Annotated[int, Field(ge=1)] = MAX_TOKENS
    """Tokens that it goes on for, at most."""

    def fields(self, render: Render) -> dict[str, Any]:  # noqa: ARG002 - there are no files
        """Return the body."""
        return {"model": self.model, "prompt": self.prompt, "max_tokens": self.max_tokens, **self.sampling()}


class Completion(GeneratedValue):
    """How a text went on. ``cost`` is None: a dedicated endpoint is paid for by the time that it runs."""

    kind: ClassVar[str] = "completion"

    request: CompletionRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    choices: tuple[Choice, ...]
    """All ways in which it went on; more than one where ``n`` asked for them."""
    usage: Usage | None = None
    """The tokens; None where Together did not count them."""
    request_id: str | None = None
    """Together's id of the answer, which its support asks for."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def text(self) -> str:
        """How it went on."""
        return self.choices[0].content

    @property
    def finish_reason(self) -> str | None:
        """Why it ended: ``stop``, ``eos``, ``length``, or a word of the model's own."""
        return self.choices[0].finish_reason


def _parse(answer: Any) -> Payload:
    body = as_mapping(answer)
    choices = [as_mapping(one) for one in as_list(body.get("choices"))]
    if not choices or not all(isinstance(choice.get("text"), str) for choice in choices):
        raise ResponseFormatError("the answer holds no text")
    usage = usage_of(body.get("usage"))
    return Value(
        {
            "choices": [_choice(choice).model_dump(mode="json", exclude_defaults=True) for choice in choices],
            "usage": None if usage is None else usage.model_dump(mode="json", exclude_defaults=True),
            "request_id": as_text(body.get("id")),
        }
    )


def _choice(found: Mapping[str, Any]) -> Choice:
    seed = found.get("seed")
    return Choice(
        content=found["text"],
        finish_reason=as_text(found.get("finish_reason")),
        seed=seed if isinstance(seed, int) else None,
        logprobs=found.get("logprobs"),
    )


def _build(request: CompletionRequest, value: Value, facts: ResultFacts) -> Completion:
    return Completion(**facts.fields(request), **value.content)


def _row(fields: Mapping[str, Any]) -> dict[str, Any]:
    first = cast("Sequence[Mapping[str, Any]]", fields.get("choices") or [{}])[0]
    usage = fields.get("usage")
    counted = None if usage is None else Usage.model_validate(usage)
    return {
        "text": first.get("content", ""),
        "finish_reason": first.get("finish_reason"),
        "input_tokens": counted and counted.input_tokens,
        "output_tokens": counted and counted.output_tokens,
    }


SPEC = GenerationSpec(
    kind="completion",
    request=CompletionRequest,
    result=Completion,
    path="/v1/completions",
    parse=_parse,
    build=_build,
    keeping=Keeping(),
    columns={"text": "string", "finish_reason": "string", "input_tokens": "int64", "output_tokens": "int64"},
    row=_row,
    noun="completion",
    plural="completions",
    dedicated="completions",
)
