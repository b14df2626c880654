"""What an answer that a model wrote says of itself for people: words or values, tool calls, thinking, tokens. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from prefect_together._internal.json import compact
from prefect_together.generations.answers import Choice, Usage
from prefect_together.generations.description import Description


def describe(
    choices: Sequence[Choice], usage: Usage | None, *, tariff: str, parsed: Any, fault: str, request_id: str | None
) -> Description:
    """Return the description of answers that were written by a model.

    Args:
        choices: The answers.
        usage: The tokens, where they were counted.
        tariff: What they cost, in words.
        parsed: The first answer as JSON, where that was asked for and it is what was asked for; else None.
        fault: What is wrong with the first answer, in words.
        request_id: Together's id of the answer.
    """
    values = {str(name): _value(value) for name, value in parsed.items()} if isinstance(parsed, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    texts = tuple(choice.content for choice in choices[1 if values else 0 :] if choice.content.strip())
    thought = [choice.reasoning for choice in choices if choice.reasoning and choice.reasoning.strip()]
    ended = dict.fromkeys(choice.finish_reason for choice in choices if choice.finish_reason)
    facts = {"Tariff": tariff if usage else "", "Ended by": ", ".join(ended), "Answer id": request_id or ""}
    return Description(
        texts=texts,
        values=values,
        calls=tuple((call.name, call.arguments) for choice in choices for call in choice.tool_calls),
        aside={"Thinking": "\n\n".join(thought)} if thought else {},
        brief=_tokens(usage) if usage else "",
        facts={name: value for name, value in facts.items() if value},
        fault=fault,
    )


def _tokens(usage: Usage) -> str:
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    thought = f" ({usage.reasoning_tokens:,} thought)" if usage.reasoning_tokens else ""
    return f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out{thought}"


def _value(value: Any) -> str:
    """Return a value of JSON as a person reads it: lists of words and numbers with commas, what is nested as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return "—"
    if isinstance(value, list) and not any(isinstance(one, (dict, list)) for one in cast("list[Any]", value)):
        return ", ".join(map(_value, cast("list[Any]", value))) or "none"
    return compact(value).decode()
