"""The bodies against Together's own OpenAPI: every field that is sent is declared there, or written down here with its source."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_together.generations.request import Request

from .making import full_image, full_video, image, video

SPEC = Path(__file__).parents[1] / "data" / "together-openapi.json"
"""What Together publishes, cut to pictures and clips; it says from where and when."""

UNDECLARED = {
    "image": {
        "aspect_ratio": "documented for Kontext, in no schema (together-api.md 2.1)",
        "prompt_upsampling": "documented for FLUX.2, in no schema (together-api.md 2.1)",
        "newer": "`extra` of the test: sent as it is",
    },
    "video": {"settings": "`extra` of the test: Seedance's way to switch sound off (together-api.md 3.1)"},
}

JSON_TYPES = {
    "object": {dict},
    "array": {list},
    "boolean": {bool},
    "integer": {int},
    "number": {int, float},
    "string": {str},
}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """Read Together's OpenAPI."""
    loaded: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return loaded


def resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references."""
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def posted(spec: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of what is posted to a path."""
    return resolved(spec, spec["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"])


def faults(spec: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> list[str]:
    """Return what a schema does not declare or does not allow, with the place."""
    schema = resolved(spec, schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        found = [faults(spec, option, value, where) for option in options]
        return min(found, key=len)
    kinds = [name for name, types in JSON_TYPES.items() if type(value) in types]
    if schema.get("type") not in kinds:
        return [f"{where} is of another type"]
    if isinstance(value, dict):
        known: dict[str, Any] = schema.get("properties", {})
        given = cast("dict[str, Any]", value)
        inner = [faults(spec, known[name], item, f"{where}.{name}") for name, item in given.items() if name in known]
        return [f"{where}.{name}" for name in given if known and name not in known] + [*chain(*inner)]
    if isinstance(value, list):
        return [*chain(*(faults(spec, schema["items"], item, f"{where}[]") for item in cast("list[Any]", value)))]
    allowed = schema.get("enum")
    # `model` lists examples: any id is taken (together-api.md 2.1).
    if allowed and value not in allowed and not where.endswith(".model"):
        return [f"{where} may not be {value!r}"]
    return []


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        pytest.param(full_image(), "/images/generations", id="image"),
        pytest.param(image(), "/images/generations", id="plain-image"),
        pytest.param(full_video(), "/videos", id="video"),
        pytest.param(video(), "/videos", id="plain-video"),
        pytest.param(
            video(frame_images=["https://x/a.png"], reference_images=["https://x/b.png"], media_layout="top_level"),
            "/videos",
            id="top-level",
        ),
    ],
)
def test_together_declares_what_we_send(spec: dict[str, Any], request_: Request, path: str) -> None:
    """Field names, shapes and types are those of the specification; exceptions are written down with their source."""
    body = request_.body(lambda value, form, _=None, /: f"{form}:{value}")
    declared = {name: value for name, value in body.items() if name not in UNDECLARED[request_.kind]}
    # The schema says integer, Together's own examples send 7.5 (together-api.md 3.1).
    known = ["body.guidance_scale is of another type"] if request_.kind == "video" and "guidance_scale" in body else []
    # Of Seedance's own page, and not in the specification (together-api.md 3.2).
    known += ["body.media.reference_audios"] if "reference_audios" in body.get("media", {}) else []
    assert known == faults(spec, posted(spec, path), declared, "body")


@pytest.mark.parametrize(("request_", "path"), [(full_image(), "/images/generations"), (full_video(), "/videos")])
def test_the_exceptions_are_still_exceptions(spec: dict[str, Any], request_: Request, path: str) -> None:
    """What has become part of the specification is struck off the list."""
    schema = posted(spec, path)
    assert [] == [name for name in UNDECLARED[request_.kind] if name in schema["properties"]]


@pytest.mark.parametrize(("request_", "path"), [(full_image(), "/images/generations"), (full_video(), "/videos")])
def test_nothing_that_together_takes_is_left_out(spec: dict[str, Any], request_: Request, path: str) -> None:
    """Every field of the specification can be set on the request."""
    assert set() == set(posted(spec, path)["properties"]) - set(type(request_).model_fields) - {"media"}
