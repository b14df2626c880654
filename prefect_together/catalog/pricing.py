"""Estimate what one request will cost, in US dollars; never ask the server, and never say 0 for "unknown".

The rules are Together's: models it serves itself bill by megapixel of output, and more steps than the default cost
proportionally more; everything else is the provider's own charge per image, per video or per second. See
https://docs.together.ai/docs/serverless/overview#how-image-models-bill Tokens are priced exactly, and not rounded to what
a person reads: an answer costs less than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from prefect_together.catalog.loader import find
from prefect_together.catalog.sizes import one_megapixel, whole
from prefect_together.catalog.tokens import bound
from prefect_together.catalog.types import Model, Price, Unit

_CENT = Decimal("0.01")
_FINEST = Decimal("0.000001")
_MILLION = Decimal(1_000_000)
_VIDEO_INPUTS = ("source_video", "reference_videos", "frame_videos")
_PIXELS = {
    "360p": 640 * 360,
    "480p": 854 * 480,
    "720p": 1280 * 720,
    "1080p": 1920 * 1080,
    "2k": 2560 * 1440,
    "4k": 3840 * 2160,
}
"""What resolutions have; clips of other shapes have about as many."""


def estimate(model_id: str, fields: Mapping[str, Any]) -> Decimal | None:
    """Estimate one request in US dollars, all `n` images together; None where the price is unknown.

    Args:
        model_id: Together's id of the model, in upper or lower case.
        fields: The request fields that the user set, `seconds` for the length of a sound that is sent in, and for text
            `input_tokens` and `max_output_tokens`, which are the most of either.
    """
    found = _priced(model_id, fields)
    return found and found[0]


def estimate_at_most(model_id: str, fields: Mapping[str, Any]) -> Decimal | None:
    """Estimate the most that one request costs, where its price is known as a range or depends on what it leaves open.

    A budget reserves this much.

    Args:
        model_id: Together's id of the model, in upper or lower case.
        fields: What is asked, as for `estimate`; the result is never below that one's, and None where that is None and no
            `longest` among the fields bounds the length of a sound.
    """
    found = _priced(model_id, fields)
    if found is None and (longest := fields.get("longest")) is not None:
        found = _priced(model_id, {**fields, "seconds": longest})
    return found and found[1]


def _priced(model_id: str, fields: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Return the usual price of a request and the highest, or None where that is not known."""
    model = find(model_id)
    if model is None or model.price is None:
        return None
    if model.price.per == "million_tokens":
        tokens = bound(model, fields)
        return None if tokens is None else (tokens, tokens)
    rate = _rate(model, model.price, fields)
    amount = _AMOUNTS.get(model.price.per, _pieces)(model, fields)
    if rate is None or amount is None:
        return None
    added = sum((usd * _count(fields.get(name)) for name, usd in model.price.added.items()), Decimal(0))
    usual, most = _readable(rate[0] * amount + added), _readable(rate[1] * amount + added)
    return None if usual is None or most is None else (usual, most)


def _count(value: Any) -> int:
    """Count the items of a field that takes one or several."""
    if value is None:
        return 0
    return len(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else 1


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


def _five_seconds(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    """Count lengths of five seconds, in which some providers' examples are priced; a shorter clip counts as one."""
    seconds = _number(_get(fields, "seconds", model.default_seconds or 5))
    return None if seconds is None else max(Decimal(1), seconds / 5)


def _minutes(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    seconds = _seconds(model, fields)
    return None if seconds is None else seconds / 60


def _million_characters(_: Model, fields: Mapping[str, Any]) -> Decimal | None:
    text = _get(fields, "input", None)
    return Decimal(len(text)) / _MILLION if isinstance(text, str) else None


_AMOUNTS: Mapping[Unit, Callable[[Model, Mapping[str, Any]], Decimal | None]] = {
    "megapixel": _megapixels,
    "second": _seconds,
    "five_seconds": _five_seconds,
    "minute": _minutes,
    "million_characters": _million_characters,
}
"""How many units of a price a request asks for; None where that is not known."""


def _rate(model: Model, price: Price, fields: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Return the usual and the highest price of one unit, for what the request asks for."""
    if not price.rates:
        return price.usd, price.most
    fitting = (rate for rate in price.rates if all(_fits(model, fields, *one) for one in rate.when.items()))
    return next(((rate.usd, rate.most) for rate in fitting), None)


def _fits(model: Model, fields: Mapping[str, Any], name: str, wanted: Any) -> bool:
    """Tell whether a request is as a condition of a rate says."""
    if name == "pixels":
        width, height = _image_size(fields)
        return width * height <= wanted
    if name == "video_input":
        return any(fields.get(media) for media in _VIDEO_INPUTS) == wanted
    found = _resolution(model, fields) if name == "resolution" else fields.get(name)
    allowed = cast("Sequence[Any]", wanted) if isinstance(wanted, list) else [wanted]
    return any(_same(found, one) for one in allowed)


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    if isinstance(wanted, bool) and not isinstance(found, bool):
        return wanted is True and bool(found)  # media: given at all
    return found is None if wanted is None else found == wanted


def _resolution(model: Model, fields: Mapping[str, Any]) -> Any:
    """Return the resolution that a clip is asked for in, by name or by its size; else the model's own."""
    if (named := fields.get("resolution")) is not None:
        return named
    width, height = whole(fields.get("width")), whole(fields.get("height"))
    if not width or not height or width < 0 or height < 0:
        return model.default_resolution
    return min(_PIXELS, key=lambda name: abs(math.log(_PIXELS[name] / (width * height))))


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
