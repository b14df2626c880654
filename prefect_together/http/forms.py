"""Bodies as ``multipart/form-data``, in the order in which the official SDK writes them. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_together._internal.upload import Upload


def form_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what httpx makes a form of: fields by their names, lists as ``name[]`` repeated, the file last.

    The model stands before the file, so that the edge can route the request before it has all of it; a file is read a piece
    at a time, and from its start each time that it is sent.

    Args:
        body: Its fields; an ``Upload`` among them is a file. Its ``file`` is last also where it is a URL.
    """
    fields: list[tuple[str, Any]] = []
    for name, value in sorted(body.items()):
        if name != "file" and not isinstance(value, Upload):
            fields += (
                [(f"{name}[]", (None, _text(one))) for one in value] if _several(value) else [(name, (None, _text(value)))]
            )
    for name, value in sorted(body.items()):
        if isinstance(value, Upload):
            value.file.flush()  # httpx asks the descriptor how long it is, and what is longer than announced is never sent
            fields.append((name, (value.name, value.file, value.media_type)))
        elif name == "file":
            fields.append((name, (None, _text(value))))
    return {"files": fields}


def _several(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
