"""Say what becomes of a request about how a model thinks before it answers, and of the tokens it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from prefect_together.catalog.messages import choice, dated, given
from prefect_together.catalog.sizes import whole
from prefect_together.catalog.types import Finding, Model, Reasoning

_SWITCHED_OFF = {
    "ignored": "thinks all the same",
    "hidden": "thinks on unseen and bills for it",
}


def thinking(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is known of `reasoning` and `reasoning_effort`: a word that is refused, or one without effect."""
    known = model.reasoning
    if known is None:
        return
    when = dated(model.dates.get("reasoning"))
    if (field := _switch(fields)) and known.off in _SWITCHED_OFF:
        yield Finding(
            "warning",
            field,
            f"{model.id} {_SWITCHED_OFF[known.off]} with {given(field, fields[field])} {when}: allow for it in max_tokens.",
        )
    effort = fields.get("reasoning_effort")
    if effort is None or effort in known.efforts or (effort == "none" and known.off is not None):
        return
    yield from _effort(model, known, fields)


def _effort(model: Model, known: Reasoning, fields: Mapping[str, Any]) -> Iterator[Finding]:
    when, asked = dated(model.dates.get("reasoning")), given("reasoning_effort", fields["reasoning_effort"])
    if known.other_efforts == "refused":
        yield Finding(
            "error",
            "reasoning_effort",
            f"{model.id} answers 400 to {asked} {when}: use {choice(known.efforts)}, or leave it out.",
        )
    elif known.other_efforts == "ignored":
        yield Finding(
            "warning",
            "reasoning_effort",
            f"{model.id} answers to {asked} as if it were not set {when}: it takes {choice(known.efforts)}.",
        )
    elif known.default is False:
        yield Finding("warning", "reasoning_effort", f"{model.id} does not think {when}, and {asked} was given.")


def _switch(fields: Mapping[str, Any]) -> str | None:
    """Return the field by which thinking is switched off, if it is."""
    given: Any = fields.get("reasoning")
    enabled = (
        cast("Mapping[str, Any]", given).get("enabled") if isinstance(given, Mapping) else getattr(given, "enabled", None)
    )
    if enabled is False:
        return "reasoning"
    return "reasoning_effort" if fields.get("reasoning_effort") == "none" else None


def lengths(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for more tokens than the model has room for."""
    sent, most = (whole(fields.get(name)) for name in ("input_tokens", "max_tokens"))
    if most is not None and model.max_output is not None and most > model.max_output:
        yield Finding(
            "warning",
            "max_tokens",
            f"{model.id} answers with at most {model.max_output:,} tokens {dated(model.dates.get('max_output'))}, "
            f"and max_tokens={most}.",
        )
    if sent is not None and model.context is not None and sent + (most or 0) > model.context:
        room = f" and {most:,} may come out" if most else ""
        yield Finding(
            "warning",
            "max_tokens" if most else "input_tokens",
            f"{model.id} has room for {model.context:,} tokens {dated(model.dates.get('context'))}: about {sent:,} go in"
            f"{room}.",
        )
