"""Compare a request with what is known about its model, and say what may go wrong; refuse nothing, send nothing.

An *error* is only what the documentation states as a rule: a required input, or a field that it rules out. All else is
a *warning*, because parameter errors cost nothing at Together and this catalogue is older than the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prefect_together.catalog.limits import exceeded
from prefect_together.catalog.loader import as_of, find
from prefect_together.catalog.messages import MEDIA, choice, dated, given
from prefect_together.catalog.reasoning import lengths, thinking
from prefect_together.catalog.sizes import nearest_ratio, one_megapixel, whole
from prefect_together.catalog.spelling import probably_meant
from prefect_together.catalog.types import Finding, Model
from prefect_together.catalog.voices import speaking

_SIZE = ("width", "height")


def preflight(model_id: str, fields: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Say what is known to speak against this request; an unknown model has none but that it is misspelled.

    Args:
        model_id: Together's id of the model; another spelling than Together's own is a finding.
        fields: The request fields that the user set. Media may be anything; they are counted, never opened.
    """
    model = find(model_id)
    if model is None:
        return tuple(_misspelled(model_id))
    present = {name: value for name, value in fields.items() if not _is_nothing(name, value)}
    return (
        *_listing(model, model_id),
        *_missing(model, present),
        *_unsupported(model, present),
        *_failing(model, present),
        *_together(model, present),
        *exceeded(model, present),
        *thinking(model, present),
        *lengths(model, present),
        *speaking(model, present),
    )


def _is_nothing(name: str, value: Any) -> bool:
    """Tell whether a field asks for nothing: an empty list, or the format that answers have without it."""
    return value is None or value in ([], ()) or (name == "response_format" and value == {"type": "text"})


def _misspelled(model_id: str) -> Iterator[Finding]:
    if meant := probably_meant(model_id):
        newer = ""
        if "/" in model_id:
            newer = (
                f" If it is newer than this catalogue {dated(as_of())}, set PREFECT_INTEGRATIONS_TOGETHER_PREFLIGHT=warn."
            )
        yield Finding("error", "model", f"Together has no model {model_id!r}: did you mean {meant.id}?{newer}")


def _listing(model: Model, model_id: str) -> Iterator[Finding]:
    if model_id != model.id:
        yield Finding(
            "warning",
            "model",
            f"Together spells this model {model.id}, not {model_id!r}, and may not accept another spelling.",
        )
    if not model.listed:
        instead = f"; {model.successor} is listed" if model.successor else ""
        yield Finding(
            "warning",
            "model",
            f"The model {model.id} is not in Together's list of {as_of().isoformat()} ({model.removed}){instead}.",
        )


def _missing(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    for name in model.requires:
        if not fields.get(name):
            yield Finding(
                "error",
                name,
                f"{model.id} needs {name} {dated(model.dates.get('requires'))}, and none was given.",
            )
    if model.expects and not any(fields.get(name) for name in model.expects):
        yield Finding(
            "warning",
            model.expects[0],
            f"{model.id} works from {choice(model.expects)} {dated(model.dates.get('expects'))}, and none was given.",
        )
    if model.prompt == "required" and not str(fields.get("prompt", "")).strip():
        media = sorted(name for name in MEDIA if fields.get(name))
        # With an image or a video to start from, a missing prompt may be meant: the server decides.
        yield Finding(
            "warning" if media else "error",
            "prompt",
            f"{model.id} needs a prompt" + (f" beside {choice(media)}" if media else "") + ", and none was given.",
        )


def _unsupported(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Report each field that the documentation says this model does not take."""
    refused = [name for name in fields if model.takes.get(name) is False]
    size = [name for name in _SIZE if name in refused]
    for name in refused:
        if name in size[1:]:
            continue  # width and height are one mistake
        what = " and ".join(given(part, fields[part]) for part in (size if name in size else [name]))
        yield Finding(
            "error" if name in model.refuses else "warning",
            name,
            f"{model.id} does not take {what} {dated(model.dates.get(name))}: {_advice(model, name, fields)}.",
        )


def _failing(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Report values at which the server always fails: what it answers then looks as if it might have been paid for."""
    for name, values in model.fails.items():
        if fields.get(name) in values:
            when = dated(model.dates.get("fails"))
            what = f"{model.id} fails with {given(name, fields[name])}, every time {when}"
            yield Finding("error", name, f"{what}: leave it out, or choose another model.")


def _advice(model: Model, name: str, fields: Mapping[str, Any]) -> str:
    """Say what to do instead, worked out for the given value where that is possible."""
    instead = model.instead.get(name)
    if name == "aspect_ratio":
        size = one_megapixel(str(fields[name]))
        if size is not None:
            return f"use width={size[0]}, height={size[1]}"
    if name in _SIZE and model.aspect_ratios:
        width, height = whole(fields.get("width")), whole(fields.get("height"))
        if width and height and width > 0 and height > 0:
            return f"prefer aspect_ratio={nearest_ratio(width, height, model.aspect_ratios)!r}"
        return f"prefer aspect_ratio ({choice(model.aspect_ratios)})"
    return f"prefer {instead}" if instead else "leave it out"


def _together(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    for first, second in model.excludes:
        if fields.get(first) and fields.get(second):
            yield Finding(
                "error",
                first,
                f"{model.id} takes {first} or {second}, not both in one request {dated(model.dates.get('excludes'))}: "
                "ask in two requests, one after the other.",
            )
    for first, second in model.conflicts:
        if fields.get(first) and fields.get(second):
            yield Finding(
                "warning",
                first,
                f"{model.id} takes {given(first, fields[first])} or {given(second, fields[second])}, not both "
                f"{dated(model.dates.get('conflicts'))}.",
            )
