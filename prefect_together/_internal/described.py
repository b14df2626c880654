"""Models whose fields are described by the strings below them. No source is read before somebody asks for a schema."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class Described:
    """Left of ``BaseModel``: has the descriptions of fields looked up when a JSON schema is made, for a form or for a model.

    Pydantic's ``use_attribute_docstrings`` reads them when a class is made, and goes through all modules of the process for
    that: it was a third of what importing this package took.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        schema = handler(core_schema)
        fields: dict[str, dict[str, Any]] = handler.resolve_ref_schema(schema).get("properties", {})
        for name, field in fields.items():
            said = next((known[name] for known in map(_strings_below, cls.__mro__) if name in known), None)
            if said is not None:
                field.setdefault("description", said)
        return schema


@lru_cache(maxsize=1024)
def _strings_below(model: type) -> dict[str, str | None]:
    """Return the fields that a class itself has by name, with the string below each, or None; of no source, none."""
    if model is BaseModel or not issubclass(model, BaseModel):
        return {}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):
        return {}
    found: dict[str, str | None] = {}
    body: list[ast.stmt] = getattr(tree.body[0], "body", [])
    for field, below in zip(body, [*body[1:], None], strict=True):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = inspect.cleandoc(said)
            case ast.AnnAssign(target=ast.Name(id=name)), _:
                found[name] = None
            case _:
                pass  # a method, or a string of its own
    return found
