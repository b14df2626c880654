"""Put values, lists and dates into the one sentence of a finding; decide nothing."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, cast

MEDIA = frozenset(
    {
        "image_url",
        "images",
        "reference_images",
        "image_loras",
        "frame_images",
        "frame_videos",
        "reference_videos",
        "reference_audios",
        "source_video",
        "audio_inputs",
    }
)
"""Fields whose values are never printed: they may hold a whole file, or a signed address."""

_LONGEST_VALUE = 60
_LONGEST_LIST = 6
_SHORTEST_RANGE = 3


def given(field: str, value: Any) -> str:
    """Say what the user set: `steps=30`, or `reference_images (3 items)` for media."""
    if field in MEDIA:
        listed = items(value)
        return field if listed is None else f"{field} ({count(listed)})"
    text = repr(value)
    if len(text) > _LONGEST_VALUE:
        text = text[: _LONGEST_VALUE - 3] + "..."
    return f"{field}={text}"


def items(value: Any) -> Sequence[Any] | None:
    """Take a list or tuple as it is; None for anything else, which cannot be counted."""
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else None


def count(values: Sequence[Any]) -> str:
    """Count in words: "1 item", "3 items"."""
    return f"{len(values)} item" if len(values) == 1 else f"{len(values)} items"


def choice(values: Sequence[Any]) -> str:
    """List what is allowed, shortened: "5 or 10", "4 to 15", "480p, 720p or 1080p"."""
    if len(values) >= _SHORTEST_RANGE and all(isinstance(value, int) for value in values):
        ordered = sorted(values)
        if ordered == list(range(ordered[0], ordered[-1] + 1)):
            return f"{ordered[0]} to {ordered[-1]}"
    texts = [str(value) for value in values]
    if len(texts) == 1:
        return texts[0]
    if len(texts) > _LONGEST_LIST:
        rest = len(texts) - (_LONGEST_LIST - 1)
        return f"{', '.join(texts[: _LONGEST_LIST - 1])} or {rest} more"
    return f"{', '.join(texts[:-1])} or {texts[-1]}"


def dated(date: datetime.date | None) -> str:
    """Say how fresh the knowledge is."""
    return "(undated)" if date is None else f"(as of {date.isoformat()})"
