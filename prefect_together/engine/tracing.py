"""OpenTelemetry spans for generations, where the process has a tracer provider; free of any dependency, and never fails."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect_together.errors import TogetherError
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated


class Span:
    """A span around one generation: a child of the current one, which under Prefect is the run's.

    Attributes follow OpenTelemetry's ``gen_ai`` conventions where there is one; money has none and is ours.

    Args:
        request: What is asked.
        prompt: Whether the span may carry the prompt.
    """

    __slots__ = ("_current", "_prompt", "results")

    def __init__(self, request: Request, *, prompt: bool) -> None:
        self.results: Sequence[Generated] = ()
        """What came of it."""
        self._prompt = prompt
        self._current = _begin(request, prompt=prompt)

    def end(self, error: BaseException | None) -> None:
        """End it, with what the generation ended with where it ended badly."""
        _end(self._current, self.results, error, prompt=self._prompt)


@contextmanager
def span(request: Request, *, prompt: bool) -> Generator[Span, None, None]:
    """Put a span around a block that generates; arguments are those of ``Span``."""
    note = Span(request, prompt=prompt)
    try:
        yield note
    except BaseException as error:
        note.end(error)
        raise
    note.end(None)


def _begin(request: Request, *, prompt: bool) -> Any:
    try:
        from opentelemetry import trace  # comes with Prefect, and is not needed by anything else here

        attributes: dict[str, Any] = {
            "gen_ai.operation.name": f"generate_{request.kind}",
            "gen_ai.provider.name": "together",
            "gen_ai.request.model": request.model,
            "gen_ai.output.type": request.kind,
        }
        if (seed := getattr(request, "seed", None)) is not None:
            attributes["gen_ai.request.seed"] = seed
        if request.count > 1:
            attributes["gen_ai.request.choice.count"] = request.count
        if prompt:
            attributes["gen_ai.input.messages"] = _message("user", request.title())
        tracer = trace.get_tracer("prefect-together")
        kind = trace.SpanKind.CLIENT
        return tracer.start_span(f"generate_{request.kind} {request.model}", kind=kind, attributes=attributes)
    except Exception:  # a provider that is set up wrongly must not keep anybody from working
        return None


def _end(current: Any, results: Sequence[Generated], error: BaseException | None, *, prompt: bool) -> None:
    try:
        if current is None:
            return
        if results and current.is_recording():  # without a provider nobody hears of it
            for name, value in _found(results, prompt=prompt).items():
                current.set_attribute(name, value)
        if error is not None:
            from opentelemetry.trace import Status, StatusCode

            # The class and no words: they may repeat the prompt.
            current.set_attribute("error.type", type(error).__name__)
            if isinstance(error, TogetherError) and error.paid:
                current.set_attribute("prefect_together.paid", error.paid)
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
        current.end()
    except Exception:  # as where it begins: the work is done, and a span is no part of it
        return


def _found(results: Sequence[Generated], *, prompt: bool) -> dict[str, Any]:
    first = results[0]
    found: dict[str, Any] = {"prefect_together.files": len(results), "prefect_together.reused": first.reused}
    costs = [file.cost for file in results if file.cost is not None]
    estimates = [file.estimated_cost for file in results if file.estimated_cost is not None]
    if costs:
        found["prefect_together.cost_usd"] = float(sum(costs))
    if estimates:
        found["prefect_together.estimated_cost_usd"] = float(sum(estimates))
    if first.job_id:
        found["gen_ai.response.id"] = first.job_id
    found |= first.span_attributes()
    if isinstance(first, KeptFile):
        found["prefect_together.sha256"] = first.sha256
        if prompt:  # a file's name begins with the prompt's first words
            found["prefect_together.uri"] = first.uri
    if prompt and (words := results[-1].description().line()):
        found["gen_ai.output.messages"] = _message("assistant", words)
    return {**found, "prefect_together.fingerprint": first.fingerprint}


def _message(role: str, words: str) -> str:
    """Return words as OpenTelemetry's conventions have messages."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": words}]}], ensure_ascii=False)
