"""Warn about values outside the lists and bounds documented for a model; every finding here is a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from prefect_together.catalog.messages import choice, count, dated, given, items
from prefect_together.catalog.sizes import nearest_size, whole
from prefect_together.catalog.types import Finding, Model


def exceeded(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for each value that the documented lists do not contain."""
    yield from _size(model, fields)
    for name, allowed in (
        ("aspect_ratio", model.aspect_ratios),
        ("ratio", model.ratios),
        ("resolution", model.resolutions),
        ("seconds", model.seconds),
        ("fps", model.fps),
        ("response_format", model.formats),
        ("response_encoding", model.encodings),
        ("sample_rate", model.sample_rates),
    ):
        yield from _listed(model, fields, name=name, allowed=allowed)
    yield from _keyframes(model, fields)
    yield from _items(model, fields)
    yield from _lengths(model, fields)


def _size(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    width, height = whole(fields.get("width")), whole(fields.get("height"))
    # One side alone leaves the other to the server's default, which differs by model.
    if not width or not height or width < 0 or height < 0 or model.takes.get("width") is False:
        return
    size = f"{width}x{height}"
    if model.sizes and size not in model.sizes:
        yield Finding(
            "warning",
            "width",
            f"{model.id} does not list width={width}, height={height} {dated(model.dates.get('sizes'))}: it takes "
            f"{choice(model.sizes)}, nearest is {nearest_size(width, height, model.sizes)}.",
        )
    if model.area is not None and not model.area[0] <= width * height <= model.area[1]:
        yield Finding(
            "warning",
            "width",
            f"{model.id} takes {model.area[0]:,} to {model.area[1]:,} pixels {dated(model.dates.get('area'))}, and "
            f"width={width}, height={height} makes {width * height:,}.",
        )
    if model.max_proportion is not None and max(width, height) > model.max_proportion * min(width, height):
        limit = model.max_proportion
        yield Finding(
            "warning",
            "width",
            f"{model.id} takes shapes between 1:{limit} and {limit}:1 {dated(model.dates.get('max_proportion'))}, "
            f"not width={width}, height={height}.",
        )


def _listed(
    model: Model, fields: Mapping[str, Any], *, name: str, allowed: Sequence[str] | Sequence[int]
) -> Iterator[Finding]:
    if name not in fields or not allowed or model.takes.get(name) is False:
        return
    value = fields[name]
    # The API wants seconds as a string of digits, so "5" and 5 are the same value here.
    compared = whole(value) if isinstance(allowed[0], int) else value
    if compared in allowed:
        return
    when = dated(model.dates.get(_FACTS.get(name, name)))
    for known in allowed:
        if isinstance(known, str) and isinstance(value, str) and known.casefold() == value.casefold():
            # Seen in August 2026: the job is accepted and fails seconds later.
            yield Finding("warning", name, f"{model.id} spells {name} {known!r}, not {value!r} {when}.")
            return
    yield Finding("warning", name, f"{model.id} does not list {given(name, value)} {when}: it takes {choice(allowed)}.")


# Where the fact has another name than the request field.
_FACTS = {
    "aspect_ratio": "aspect_ratios",
    "ratio": "ratios",
    "resolution": "resolutions",
    "response_format": "formats",
    "response_encoding": "encodings",
    "sample_rate": "sample_rates",
}


def _keyframes(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    frames = items(fields.get("frame_images"))
    if frames is None or model.takes.get("frame_images") is False:
        return
    when = dated(model.dates.get("keyframes"))
    if model.max_keyframes is not None and len(frames) > model.max_keyframes:
        what = "1 keyframe" if model.max_keyframes == 1 else f"{model.max_keyframes} keyframes"
        yield Finding(
            "warning",
            "frame_images",
            f"{model.id} takes at most {what} {when}, and frame_images has {count(frames)}.",
        )
    if not model.keyframes:
        return
    for frame in frames:
        position = _position(frame)
        if isinstance(position, str) and position not in model.keyframes:
            yield Finding(
                "warning",
                "frame_images",
                f"{model.id} does not list {given('frame', position)} in frame_images {when}: it takes the "
                f"{choice(model.keyframes)} frame.",
            )


def _position(frame: Any) -> Any:
    """Read "first" or "last" from a mapping or from an object, whichever the caller uses."""
    if isinstance(frame, Mapping):
        return cast("Mapping[str, Any]", frame).get("frame")
    return getattr(frame, "frame", None)


def _items(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    for name, most in model.max_items.items():
        listed = items(fields.get(name))
        if listed is not None and len(listed) > most:
            when = dated(model.dates.get(name))
            yield Finding(
                "warning",
                name,
                f"{model.id} takes at most {most} {name} {when}, and {count(listed)} were given.",
            )


def _lengths(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    prompt = fields.get("prompt")
    if model.prompt_length is not None and isinstance(prompt, str) and prompt.strip():
        least, most = model.prompt_length
        if not least <= len(prompt) <= most:
            yield Finding(
                "warning",
                "prompt",
                f"{model.id} takes a prompt of {least} to {most:,} characters "
                f"{dated(model.dates.get('prompt_length'))}, and this one has {len(prompt):,}.",
            )
    negative = fields.get("negative_prompt")
    most = model.negative_prompt_length
    if most is not None and isinstance(negative, str) and len(negative) > most:
        yield Finding(
            "warning",
            "negative_prompt",
            f"{model.id} takes a negative_prompt of at most {most} characters "
            f"{dated(model.dates.get('negative_prompt_length'))}, and this one has {len(negative):,}.",
        )
