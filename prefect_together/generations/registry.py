"""All generation types that this release knows, by name and by the class of their requests. Sends and reads nothing.

A type is registered here, once; everything else in the package asks for its ``GenerationSpec``. The modules of our own types
are imported when somebody asks for them: most of what a command that shows a few results takes is imports.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, ValidationError

from prefect_together.errors import InvalidRequest
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated
from prefect_together.generations.spec import GenerationSpec

AnySpec: TypeAlias = "GenerationSpec[Any, Any]"

_HOMES = {
    "image": "image",
    "video": "video",
    "chat": "generated_text",
    "completion": "completion",
    "embedding": "embedding",
    "rerank": "rerank",
    "speech": "generated_audio",
    "transcription": "transcription",
    "translation": "translation",
}
"""The modules of our own types, in the order in which they are registered."""
_specs: dict[str, AnySpec] = {}
"""Those that were asked for, and those of others."""
_FOLDER = re.compile(r"[a-z][a-z0-9-]*")
_TAKEN = frozenset({"ledger", "derived", "batches", "gallery", "limits", "provider-batches", "spending"})
"""Folders of a library that hold something else."""


def register(spec: AnySpec) -> None:
    """Make a type known.

    Raises:
        ValueError: Another type has its name, or its files have no folder of their own.
    """
    folders = {known.folder for known in specs() if known is not spec} | _TAKEN
    if spec.keeping.media_types and (spec.folder in folders or not _FOLDER.fullmatch(spec.folder)):
        raise ValueError(f"files of the generation type {spec.kind!r} need a folder of their own, not {spec.folder!r}")
    if _specs.setdefault(spec.kind, spec) is not spec:
        raise ValueError(f"there is a generation type {spec.kind!r} already")


def unregister(kind: str) -> None:
    """Forget a type, as tests do with those of their own."""
    _specs.pop(kind, None)


def specs() -> tuple[AnySpec, ...]:
    """Return all types, in the order in which they were registered."""
    ours = [_known(kind) for kind in _HOMES]
    return (*filter(None, ours), *(spec for kind, spec in list(_specs.items()) if kind not in _HOMES))


def spec_of(request: Request | type[Request]) -> AnySpec:
    """Return the type of a request.

    Raises:
        InvalidRequest: No type is registered for it. Nothing was claimed, sent or paid.
    """
    asked = request if isinstance(request, type) else type(request)
    found = _known(getattr(asked, "kind", ""))
    if found is None or not issubclass(asked, found.request):
        known = ", ".join(spec.request.__name__ for spec in specs())
        raise InvalidRequest(f"{asked.__name__} is of no generation type that this release can send: it knows {known}.")
    return found


def spec_named(kind: str) -> AnySpec:
    """Return the type with a name.

    Raises:
        InvalidRequest: This release does not know it: a newer one wrote it, or it is no type.
    """
    found = _known(kind)
    if found is None:
        raise InvalidRequest(
            f"This release knows no generation type {kind!r}: it knows {', '.join(s.kind for s in specs())}."
        )
    return found


def spec_of_file(media_type: str) -> AnySpec | None:
    """Return the type that makes files of a media type, or None."""
    return next((spec for spec in specs() if media_type in spec.keeping.media_types), None)


def default_spec() -> AnySpec:
    """Return the type that a table's rows are of where nobody says."""
    return spec_named(next(iter(_HOMES)))


def _known(kind: str) -> AnySpec | None:
    """Return the type with a name, or None; one of ours is imported where nobody has asked for it before."""
    if kind not in _specs and kind in _HOMES:
        spec: AnySpec = import_module(f"prefect_together.generations.{_HOMES[kind]}").SPEC
        return _specs.setdefault(kind, spec)
    return _specs.get(kind)


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


AnyResult = Annotated[Generated, PlainValidator(_validated), PlainSerializer(_serialized, return_type=dict[str, Any])]
"""A result of any type as the field of a model: written with its type's name, so that it is read as what it is."""
