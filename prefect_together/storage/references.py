"""How a library names its own files in its own objects: by key, so that it can be renamed, mounted elsewhere or copied.

Whoever reads gets full addresses, of where the library is now, and the name of the block by which it was opened. Releases up
to 0.1 wrote full addresses down; those are read as what they were below the library's root of that day.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from prefect_together.storage.storage import Storage

_SCHEME = "library:"
_NESTED = frozenset({dict, list, tuple})
_MARK = b'"sha256"'
"""What every reference has in it, however it is written."""
_OWN = re.compile(r"^(?P<root>.+)/(?P<key>derived/[^/]+|[^/]+/\d{4}-\d{2}-\d{2}/[^/]+)$")
"""The address of a file that a library keeps, whatever the library's root."""


def key_within(address: str) -> str | None:
    """Return the key at the end of an address that a library may have given to a file, whatever the library's root."""
    found = _OWN.match(address)
    return found["key"] if found else None


def to_keys(value: Any, storage: Storage) -> Any:
    """Return JSON whose references to files of a library name them by key; everything else stays as it is."""

    def relative(reference: dict[str, Any]) -> None:
        key = storage.key(reference["uri"]) if "://" in reference["uri"] else None
        if key is not None:
            reference["uri"] = _SCHEME + quote_from_bytes(os.fsencode(key))
            reference.pop("block", None)  # whoever reads it has opened the library, by that block or by another name

    return _with_addresses(value, relative)


def written(value: Any, storage: Storage, write: Callable[[Any], bytes]) -> bytes:
    """Return JSON as it is written in a library: with references by key. What holds none is not gone through for them.

    Args:
        value: The JSON.
        storage: The library.
        write: Makes bytes of it.
    """
    data = write(value)
    return write(to_keys(value, storage)) if _MARK in data else data


def to_addresses(value: Any, storage: Storage) -> Any:
    """Return JSON that was read from a library with the full addresses of its files, where the library is now."""
    if not _any_reference(value):  # as in most of what is said in words
        return value
    root = _former_root(value, storage)

    def absolute(reference: dict[str, Any]) -> None:
        uri = reference["uri"]
        if uri.startswith(_SCHEME):
            key = _key(uri.removeprefix(_SCHEME))
        elif root and uri.startswith(f"{root}/"):
            key = _key(uri[len(root) + 1 :])
        else:
            return
        reference["uri"] = storage.uri(key)
        if storage.block:
            reference["block"] = storage.block

    return _with_addresses(value, absolute)


def _key(quoted: str) -> str:
    return os.fsdecode(unquote_to_bytes(quoted))


def _with_addresses(value: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        changed = fields.copy()
        for name, field in fields.items():
            if type(field) in _NESTED and field:
                changed[name] = _with_addresses(field, change)
        if _is_reference(fields):
            change(changed)
        return changed
    if isinstance(value, (list, tuple)):
        return [_with_addresses(entry, change) for entry in cast("list[Any]", value)]
    return value


def _any_reference(value: Any) -> bool:
    rest: list[Any] = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            fields = cast("dict[str, Any]", one)
            if _is_reference(fields):
                return True
            rest.extend(fields.values())
        elif isinstance(one, (list, tuple)):
            rest.extend(cast("list[Any]", one))
    return False


def _is_reference(fields: dict[str, Any]) -> bool:
    return isinstance(fields.get("uri"), str) and "sha256" in fields


def _former_root(value: Any, storage: Storage) -> str | None:
    """Return the library's root of the day when these addresses were written down, where it has another one now."""
    if isinstance(value, (list, tuple)):
        found = (_former_root(entry, storage) for entry in cast("list[Any]", value))
        return next((root for root in found if root), None)
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    # What was generated or derived is kept by the library whose objects say so; mere references may be to other libraries.
    if _is_reference(fields) and ("fingerprint" in fields or "operation" in fields):
        named = _OWN.match(fields["uri"])
        return named["root"] if named and storage.key(fields["uri"]) is None else None
    return _former_root(list(fields.values()), storage)
