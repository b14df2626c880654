"""Which sound a clip is to have: its own, as the request or its model says, and what was sent in to be heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prefect_together.sandbox import checks, error_messages

LISTS = ("audio_inputs", "reference_audios")
ALWAYS = frozenset({"ByteDance/Seedance-2.5", "google/veo-3.0-audio", "google/veo-3.0-fast-audio"})
"""Models that make sound whatever is asked, as the catalogue's notes say."""
UNLESS = frozenset({"ByteDance/Seedance-2.0"})
"""A model that makes sound unless `settings` has `"audio": false`."""


def makes_sound(body: checks.Body, media: Mapping[str, Any]) -> bool:
    """Tell whether the model makes sound of its own; sound that drives the clip (`audio_inputs`) takes its place."""
    model, asked = body.get("model"), body.get("generate_audio")
    settings: Any = body.get("settings")
    silent = isinstance(settings, dict) and cast("dict[str, Any]", settings).get("audio") is False
    if model in ALWAYS:
        return True
    return not media.get("audio_inputs") and (asked is True or (model in UNLESS and asked is None and not silent))


def addresses(media: Mapping[str, Any]) -> list[str]:
    """Return what was sent in to be heard, in the order of the fields: strings, or `{"audio": string}`."""
    found = list[str]()
    for name in LISTS:
        value: Any = media.get(name)
        for item in cast("list[Any]", value if isinstance(value, list) else [] if value is None else [value]):
            address: Any = cast("dict[str, Any]", item).get("audio") if isinstance(item, dict) else item
            if not isinstance(address, str):
                raise error_messages.wrong_type(name, 'an array of strings or {"audio": string}')
            found.append(address)
    return found
