"""Estimate what one request will cost, in US dollars; never ask the server, and never say 0 for "unknown".

The rules are Together's: models it serves itself bill by megapixel of output, and more steps than the default cost
proportionally more; everything else is the provider's own charge per image, per video or per second. See
https://docs.together.ai/docs/serverless/overview#how-image-models-bill
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from prefect_together.catalog.loader import find
from prefect_together.catalog.sizes import one_megapixel, whole
from prefect_together.catalog.types import Model, Price, Unit

_CENT = Decimal("0.01")
_FINEST = Decimal("0.000001")
_MILLION = Decimal(1_000_000)
_VIDEO_INPUTS = ("source_video", "reference_videos", "frame_videos")


def estimate(model_id: str, fields: Mapping[str, Any]) -> Decimal | None:
    """Estimate one request in US dollars, all `n` images together; None where the price is unknown.

    Args:
        model_id: Together's id of the model, in upper or lower case.
        fields: The request fields that the user set, and `seconds` for the length of a sound that is sent in.
    """
    model = find(model_id)
    if model is None or model.price is None:
        return None
    rate = _rate(model, model.price, fields)
    amount = _AMOUNTS.get(model.price.per, _pieces)(model, fields)
    if rate is None or amount is None:
        return None
    return _readable(rate * amount)


def _pieces(_: Model, fields: Mapping[str, Any]) -> Decimal | None:
    """Count what is sold by the piece, an image or a video: `n` of them."""
    return _number(_get(fields, "n", 1))


def _megapixels(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    """Count megapixels of output, more of them for more steps than the default, none fewer for fewer steps."""
    images = _pieces(model, fields)
    steps = _number(_get(fields, "steps", model.default_steps or 1))
    if images is None or steps is None:
        return None
    width, height = _image_size(fields)
    factor = max(Decimal(1), steps / model.default_steps) if model.default_steps else Decimal(1)
    return images * factor * width * height / _MILLION


def _seconds(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    return _number(_get(fields, "seconds", model.default_seconds))


def _minutes(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    seconds = _seconds(model, fields)
    return None if seconds is None else seconds / 60


def _million_characters(_: Model, fields: Mapping[str, Any]) -> Decimal | None:
    text = _get(fields, "input", None)
    return Decimal(len(text)) / _MILLION if isinstance(text, str) else None


_AMOUNTS: Mapping[Unit, Callable[[Model, Mapping[str, Any]], Decimal | None]] = {
    "megapixel": _megapixels,
    "second": _seconds,
    "minute": _minutes,
    "million_characters": _million_characters,
}
"""How many units of a price a request asks for; None where that is not known."""


def _rate(model: Model, price: Price, fields: Mapping[str, Any]) -> Decimal | None:
    """Return the price of one unit in US dollars, at the resolution that the request asks for."""
    if not price.by_resolution:
        return price.usd
    if price.up_to_pixels:
        width, height = _image_size(fields)
        fitting = (
            usd for name, usd in price.by_resolution.items() if width * height <= price.up_to_pixels.get(name, math.inf)
        )
        return next(fitting, None)
    resolution = _get(fields, "resolution", model.default_resolution)
    if any(fields.get(name) for name in _VIDEO_INPUTS):
        # Seedance 2.0 with a video to start from costs more; the plain price would be too low. Where no such price is
        # published, a model that has one at another resolution is left unknown.
        special = {name: usd for name, usd in price.by_resolution.items() if name.endswith(", video input")}
        if special:
            return special.get(f"{resolution}, video input".casefold())
    if resolution is None:
        return price.usd
    by_name = {name.casefold(): usd for name, usd in price.by_resolution.items()}
    return by_name.get(str(resolution).casefold())


def _image_size(fields: Mapping[str, Any]) -> tuple[int, int]:
    """Read the size asked for, else about one megapixel: the API's default is 1024x1024."""
    width, height = whole(fields.get("width")), whole(fields.get("height"))
    if width is None and height is None:
        return one_megapixel(str(fields.get("aspect_ratio"))) or (1024, 1024)
    return width or 1024, height or 1024


def _get(fields: Mapping[str, Any], name: str, default: Any) -> Any:
    value = fields.get(name)
    return default if value is None else value


def _number(value: Any) -> Decimal | None:
    """Read a positive number; anything else makes the estimate unknown, not wrong."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None


def _readable(usd: Decimal) -> Decimal | None:
    """Round to what a person reads: whole cents where they are exact, else up to six places."""
    rounded = usd.quantize(_FINEST)
    if rounded <= 0:
        return None
    cents = rounded.quantize(_CENT)
    return cents if cents == rounded else rounded.normalize()
