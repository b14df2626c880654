"""A request as Python that makes it again: with its imports, in lines that a person can read. No I/O here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel

from prefect_together.generations.request import MediaReference, Request

_WIDTH = 100
_INDENT = "    "


def as_code(request: Request) -> str:
    """Return Python that runs as pasted, and has the request in ``request``.

    Only what was asked is in it. A file in a folder is its path; one in an object store is the whole reference, which says
    what the file is without anybody fetching it.
    """
    written = _model(request, "")
    classes = {type(one) for one in _models(request)}
    homes: dict[str, set[str]] = {}
    for one in classes:
        # What is ours is imported from the face; a type that somebody registered, from where it is.
        home = "prefect_together" if one.__module__.startswith("prefect_together.") else one.__module__
        homes.setdefault(home, set()).add(one.__name__)
    imports = [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
    return "\n".join([*imports, "", f"request = {written}"])


def _models(value: Any) -> Iterator[BaseModel]:
    """Yield the models that have to be imported."""
    if isinstance(value, BaseModel) and _path(value) is None:
        yield value
        for name in _asked(value):
            yield from _models(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for one in cast("list[Any]", value):
            yield from _models(one)


def _asked(value: BaseModel) -> list[str]:
    """Return the fields that were set to something other than what they are by themselves."""
    fields = type(value).model_fields
    given = [name for name in fields if name in value.model_fields_set]
    return [name for name in given if getattr(value, name) != fields[name].get_default(call_default_factory=True)]


def _path(value: object) -> str | None:
    """Return how a file of a folder is written: by its path, which a request takes as well as the reference."""
    from prefect_together.storage.addresses import where

    if isinstance(value, MediaReference) and value.uri.startswith("file:"):
        return where(value.uri)
    return None


def _written(value: Any, indent: str) -> str:
    if (path := _path(value)) is not None:
        return _text(path, indent)
    if isinstance(value, BaseModel):
        return _model(value, indent)
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, (list, tuple)):
        return _several([_written(one, indent + _INDENT) for one in cast("list[Any]", value)], "[]", indent)
    if isinstance(value, dict):
        entries = [f"{_text(str(name), '')}: {_written(one, indent + _INDENT)}" for name, one in cast("Any", value).items()]
        return _several(entries, "{}", indent)
    return repr(value) if value is None or isinstance(value, (bool, int, float)) else _text(str(value), indent)


def _model(value: BaseModel, indent: str) -> str:
    fields = [f"{name}={_written(getattr(value, name), indent + _INDENT)}" for name in _asked(value)]
    return type(value).__name__ + _several(fields, "()", indent, whole=not indent)


def _several(parts: list[str], brackets: str, indent: str, *, whole: bool = False) -> str:
    """Return parts in one line where they fit into it, else a line each."""
    line = ", ".join(parts)
    if not whole and "\n" not in line and len(indent) + len(line) + 2 <= _WIDTH:
        return f"{brackets[0]}{line}{brackets[1]}"
    inner = indent + _INDENT
    return f"{brackets[0]}\n" + "".join(f"{inner}{part},\n" for part in parts) + f"{indent}{brackets[1]}"


def _text(text: str, indent: str) -> str:
    """Return a text in double quotes; a long one in several, which Python puts together again."""
    quoted = _quoted(text)
    if len(indent) + len(quoted) <= _WIDTH or not indent:
        return quoted
    lines, line, width = list[str](), "", 0
    for word in re.findall(r"\s*\S+|\s+$", text):
        wide = len(_quoted(word)) - 2
        if line and len(indent) + width + wide + 2 > _WIDTH - len(_INDENT):
            lines.append(line)
            line, width = "", 0
        line += word
        width += wide
    if not lines:  # a path has no place to break it
        return quoted
    inner = indent + _INDENT
    return "(\n" + "".join(f"{inner}{_quoted(one)}\n" for one in [*lines, line]) + f"{indent})"


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates: only escaped it can be pasted
        return repr(text)
    return json.dumps(text, ensure_ascii=False)
