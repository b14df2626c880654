"""Ids of models that editors complete: they are those of the catalogue, and others stay possible."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from prefect_together import ImageModelId, ImageRequest, catalog
from prefect_together.catalog import loader, model_ids

STUB = Path(model_ids.__file__).with_suffix(".pyi")
NAMES = {
    "image": "ImageModelId",
    "video": "VideoModelId",
    "chat": "ChatModelId",
    "speech": "SpeechModelId",
    "transcription": "TranscriptionModelId",
}


def stub() -> str:
    """Return what checkers read, from the catalogue."""
    lines = [
        "# Written from the catalogue by tests/catalog/test_model_ids.py: run it as a program after a change of the catalogue.",
        "# ruff: noqa: PYI051 - a type checker sees a string; an editor completes the ids",
        "from typing import Literal, TypeAlias",
    ]
    offered = {name: [model.id for model in catalog.models(kind) if model.listed] for kind, name in NAMES.items()}
    for name, ids in {**offered, "AspectRatio": [*loader.ratio_sizes()]}.items():
        said = "".join(f'        "{one}",\n' for one in sorted(ids, key=str.casefold))
        lines += ["", f"{name}: TypeAlias = (", f"    Literal[\n{said}    ]", "    | str", ")"]
    return "\n".join(lines) + "\n"


def test_the_ids_are_those_of_the_catalogue() -> None:
    """All that are offered today, and no other."""
    assert stub() == STUB.read_text(encoding="utf-8"), f"run `python {Path(__file__).name}` in tests/catalog"
    assert {model.kind for model in catalog.models()} == set(NAMES)


def test_a_form_lists_them_and_takes_others() -> None:
    """The schema has a list and a text; the request takes an id that nobody knows, and still no empty one."""
    offered = {model.id for model in catalog.models("image") if model.listed}
    listed, free = TypeAdapter(ImageModelId).json_schema()["anyOf"]
    assert offered == set(listed["enum"])
    assert "string" == free["type"]
    fields = ImageRequest.model_json_schema()["properties"]
    assert [listed, free] == fields["model"]["anyOf"]
    assert ["model", "prompt"] == [*fields][:2]
    assert ["extra", "take", "based_on"] == [*fields][-3:]
    assert "nobody/yet" == ImageRequest(prompt="a fox", model="nobody/yet").model
    with pytest.raises(ValidationError):
        TypeAdapter(ImageModelId).validate_python(" ")
    assert typing.get_origin(ImageModelId) is typing.Annotated


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
