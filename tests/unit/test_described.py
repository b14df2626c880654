"""The strings below fields are their descriptions, in the schema that forms and models are given."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from prefect_together._internal.described import Described
from prefect_together.generations.request import FrozenValue


class _Base(Described, BaseModel):
    said: int = 0
    """What
    it is."""
    unsaid: int = 0
    other: int = Field(default=0, description="By hand.")
    """Below."""


class _Derived(_Base):
    own: str = ""
    """Its own."""
    unsaid: int = 1
    """Said here."""


class _Silent(_Derived):
    said: int = 2


class _Outer(FrozenValue):
    inner: _Derived
    """Which one."""


def _descriptions(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.get("description") for name, field in model.model_json_schema()["properties"].items()}


def test_strings_below_fields_describe_them() -> None:
    """What is given by hand counts more; a field without a string has no description."""
    assert _descriptions(_Base) == {"said": "What\nit is.", "unsaid": None, "other": "By hand."}


def test_fields_of_a_base_are_described_by_it() -> None:
    """A field that is declared again is described where that is, or not at all."""
    derived = {"said": "What\nit is.", "unsaid": "Said here.", "other": "By hand.", "own": "Its own."}
    assert _descriptions(_Derived) == derived
    assert _descriptions(_Silent) == {**derived, "said": None}


def test_a_model_within_another_is_described() -> None:
    """So are the fields of models that are fields, as Prefect's forms show them."""
    schema = _Outer.model_json_schema()
    assert schema["properties"]["inner"]["description"] == "Which one."
    assert schema["$defs"]["_Derived"]["properties"]["own"]["description"] == "Its own."


def test_a_class_without_source_has_no_descriptions() -> None:
    """A model that was made by a program, or typed into an interpreter, works all the same."""
    made: dict[str, Any] = {}
    exec(
        "class Made(Described, BaseModel):\n    a: int = 0\n    'Nobody sees it.'\n", {**globals(), "__name__": "made"}, made
    )
    assert _descriptions(made["Made"]) == {"a": None}
