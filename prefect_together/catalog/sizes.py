"""Arithmetic on sizes and ratios ("16:9" to 1344x768 and back); knows no model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from prefect_together.catalog.loader import ratio_sizes

_PIXELS = 1024 * 1024
_STEP = 16


def whole(value: Any) -> int | None:
    """Read a whole number from an int or its digits; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return None


def one_megapixel(ratio: str) -> tuple[int, int] | None:
    """Give the width and height of about one megapixel for a ratio; None if it is not a ratio."""
    size = ratio_sizes().get(ratio)
    if size is not None:
        return split(size)
    proportion = _proportion(ratio)
    if proportion is None:
        return None
    width = math.sqrt(_PIXELS * proportion)
    return _rounded(width), _rounded(width / proportion)


def split(size: str) -> tuple[int, int]:
    """Turn "1366x768" into numbers."""
    width, height = size.split("x")
    return int(width), int(height)


def nearest_size(width: int, height: int, sizes: Iterable[str]) -> str:
    """Pick the size most alike in shape and, among equals, in area."""

    def distance(size: str) -> tuple[float, float]:
        other_width, other_height = split(size)
        shape = abs(math.log((width / height) / (other_width / other_height)))
        area = abs(math.log((width * height) / (other_width * other_height)))
        return round(shape, 2), area

    return min(sizes, key=distance)


def nearest_ratio(width: int, height: int, ratios: Iterable[str]) -> str:
    """Pick the ratio most alike in shape."""
    return min(ratios, key=lambda ratio: abs(math.log((width / height) / (_proportion(ratio) or 1))))


def _proportion(ratio: str) -> float | None:
    width, _, height = ratio.partition(":")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        return None
    return int(width) / int(height)


def _rounded(pixels: float) -> int:
    return max(_STEP, round(pixels / _STEP) * _STEP)
