"""What image and video requests are checked for alike, one constraint at a time as Together does; answers nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from prefect_together import catalog
from prefect_together.sandbox import error_messages
from prefect_together.sandbox.records import whole

MAX_SEED = 2_147_483_647
MAX_SIDE = 8_192
"""Pixels. Not Together's: keeps one absurd request from eating the machine."""
OWN_MODELS = "sandbox/"
"""Ids that begin so are accepted with any documented field."""

Body = Mapping[str, Any]


def known_model(body: Body, kind: str) -> catalog.Model | None:
    """Return what the catalogue knows of the model, None for a model of the sandbox's own."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise error_messages.missing("model")
    if name.startswith(OWN_MODELS):
        return None
    model = catalog.find(name)
    # The catalogue forgives upper and lower case, Together does not.
    if model is None or model.id != name:
        raise error_messages.unknown_model(name)
    if model.kind != kind:
        raise error_messages.no_model(name)
    return model


def dedicated_model(body: Body, dedicated: frozenset[str]) -> str:
    """Return a model that is served on an endpoint of one's own; refuse any other, as no other does this kind of work."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise error_messages.missing("model")
    if name in dedicated:
        return name
    model = catalog.find(name)
    raise error_messages.unknown_model(name) if model is None or model.id != name else error_messages.no_model(name)


def known_fields(body: Body, fields: frozenset[str]) -> None:
    """Refuse the first field that the endpoint does not have."""
    for name in body:
        if name not in fields:
            raise error_messages.unknown_parameter(name)


def prompt(body: Body, model: catalog.Model | None) -> str:
    """Return the prompt; refuse one that is missing, too long for the model, or unsafe."""
    text = body.get("prompt")
    if text is None and model is not None and model.prompt == "optional":
        return ""
    if text is None or text == "":
        raise error_messages.missing("prompt")
    if not isinstance(text, str):
        raise error_messages.wrong_type("prompt", "a string")
    if model is not None and model.prompt_length is not None:
        low, high = model.prompt_length
        if not low <= len(text) <= high:
            raise error_messages.out_of_range("The length of prompt", low, high)
    if "unsafe" in text.lower():
        raise error_messages.nsfw()
    return whole(text)


def seed(body: Body) -> int:
    """Return the seed asked for, or a random one."""
    value = body.get("seed")
    if value is None:
        return secrets.randbelow(MAX_SEED + 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEED:
        raise error_messages.bad_seed()
    return value


def integer(body: Body, name: str, low: int, high: int) -> int | None:
    """Return a whole number within bounds, or None if the field is not set."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise error_messages.wrong_type(name, "an integer")
    if not low <= value <= high:
        raise error_messages.out_of_range(name, low, high)
    return value


def one_of(body: Body, name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return one word out of a closed set."""
    value = body.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise error_messages.wrong_type(name, "one of " + ", ".join(f"'{word}'" for word in allowed))
    return str(value)


def numbers(body: Body, names: tuple[str, ...]) -> None:
    """Refuse anything but numbers in these fields."""
    for name in names:
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise error_messages.wrong_type(name, "a number")


def booleans(body: Body, names: tuple[str, ...]) -> None:
    """Refuse anything but true and false in these fields."""
    for name in names:
        if not isinstance(body.get(name), bool | None):
            raise error_messages.wrong_type(name, "a boolean")


def strings(body: Body, name: str) -> tuple[str, ...]:
    """Return a list of strings, empty if the field is not set."""
    value: Any = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):  # pyright: ignore[reportUnknownVariableType]
        raise error_messages.wrong_type(name, "an array of strings")
    return tuple(str(item) for item in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def pixels(size: str) -> tuple[int, int]:
    """Turn "1366x768" into numbers."""
    width, height = size.split("x")
    return int(width), int(height)
