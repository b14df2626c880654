"""All generation types that this release knows, by name and by the class of their requests. Sends and reads nothing.

A type is registered here, once; everything else in the package asks for its ``GenerationSpec``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, ValidationError

from prefect_together.errors import InvalidRequest
from prefect_together.generations import (
    completion,
    embedding,
    generated_audio,
    generated_text,
    image,
    rerank,
    transcription,
    translation,
    video,
)
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated
from prefect_together.generations.spec import GenerationSpec

AnySpec: TypeAlias = "GenerationSpec[Any, Any]"

_specs: dict[str, AnySpec] = {}
_FOLDER = re.compile(r"[a-z][a-z0-9-]*")
_TAKEN = frozenset({"ledger", "derived", "batches", "gallery", "limits", "provider-batches", "spending"})
"""Folders of a library that hold something else."""


def register(spec: AnySpec) -> None:
    """Make a type known.

    Raises:
        ValueError: Another type has its name, or its files have no folder of their own.
    """
    folders = {known.folder for known in _specs.values() if known is not spec} | _TAKEN
    if spec.keeping.media_types and (spec.folder in folders or not _FOLDER.fullmatch(spec.folder)):
        raise ValueError(f"files of the generation type {spec.kind!r} need a folder of their own, not {spec.folder!r}")
    if _specs.setdefault(spec.kind, spec) is not spec:
        raise ValueError(f"there is a generation type {spec.kind!r} already")


def unregister(kind: str) -> None:
    """Forget a type, as tests do with those of their own."""
    _specs.pop(kind, None)


def specs() -> tuple[AnySpec, ...]:
    """Return all types, in the order in which they were registered."""
    return tuple(_specs.values())


def spec_of(request: Request | type[Request]) -> AnySpec:
    """Return the type of a request.

    Raises:
        InvalidRequest: No type is registered for it. Nothing was claimed, sent or paid.
    """
    asked = request if isinstance(request, type) else type(request)
    found = _specs.get(getattr(asked, "kind", ""))
    if found is None or not issubclass(asked, found.request):
        known = ", ".join(spec.request.__name__ for spec in specs())
        raise InvalidRequest(f"{asked.__name__} is of no generation type that this release can send: it knows {known}.")
    return found


def spec_named(kind: str) -> AnySpec:
    """Return the type with a name.

    Raises:
        InvalidRequest: This release does not know it: a newer one wrote it, or it is no type.
    """
    if kind not in _specs:
        raise InvalidRequest(f"This release knows no generation type {kind!r}: it knows {', '.join(_specs)}.")
    return _specs[kind]


def spec_of_file(media_type: str) -> AnySpec | None:
    """Return the type that makes files of a media type, or None."""
    return next((spec for spec in specs() if media_type in spec.keeping.media_types), None)


def default_spec() -> AnySpec:
    """Return the type that a table's rows are of where nobody says."""
    return next(iter(_specs.values()))


def read_request(kind: str, fields: dict[str, Any]) -> Request:
    """Return a request that was written down.

    Raises:
        InvalidRequest: It is of a type, or has fields, that this release does not know.
    """
    return spec_named(kind).request.model_validate(fields)


def read_result(kind: str, fields: dict[str, Any]) -> Generated:
    """Return a result that was written down.

    Raises:
        InvalidRequest: It is of a type that this release does not know.
        ValueError: Its fields are not those of a result.
    """
    return spec_named(kind).result.model_validate(fields)


def _validated(value: Any) -> Generated:
    """Read a result of any type; what release 0.1 wrote does not name its type, and is the first that it fits."""
    if isinstance(value, Generated):
        return value
    fields = dict(value)
    kind = fields.pop("kind", None)
    if kind is not None:
        return read_result(kind, fields)
    for spec in specs():
        try:
            return spec.result.model_validate(fields)
        except ValidationError:  # noqa: PERF203 - there are few types
            continue
    raise ValueError("it is a result of no generation type that this release knows")


def _serialized(result: Generated) -> dict[str, Any]:
    return {"kind": result.kind, **result.model_dump(mode="json")}


AnyResult = Annotated[Generated, PlainValidator(_validated), PlainSerializer(_serialized)]
"""A result of any type as the field of a model: written with its type's name, so that it is read as what it is."""

for _spec in (
    image.SPEC,
    video.SPEC,
    generated_text.SPEC,
    completion.SPEC,
    embedding.SPEC,
    rerank.SPEC,
    generated_audio.SPEC,
    transcription.SPEC,
    translation.SPEC,
):
    register(_spec)
