"""What the catalogue speaks of (models, prices, sources, findings): plain values that know nothing of files or rules.

Every fact about a model is optional. `None`, an empty tuple or an absent key means *unknown*, never "no".
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Unit = Literal["image", "megapixel", "video", "second", "five_seconds", "million_characters", "million_tokens", "minute"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was read, and when that text was current."""

    key: str
    """The name by which the data files cite it."""
    title: str
    url: str | None
    """None for a measurement that has no page of its own."""
    date: datetime.date
    note: str


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of a unit under conditions."""

    when: Mapping[str, Any] = field(hash=False)
    """What a request field has to be: a value, one of a list, None for not set, and for media True for given. `resolution`
    is also that of `width` and `height`; `video_input` is any clip that is sent in, `pixels` the most that a picture has."""
    usd: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs in US dollars, as published or measured; the invoice may differ."""

    usd: Decimal
    """The usual price; of tokens, that of what is sent in."""
    most: Decimal
    """The most that a unit is known to cost, where the page states a range; else the usual price."""
    per: Unit
    rates: tuple[Rate, ...]
    """Prices by what is asked: the first that fits holds, and where none fits the price is not known. Without any, the
    usual price always holds."""
    added: Mapping[str, Decimal] = field(hash=False)
    """USD for each item in a request field, such as an input image."""
    note: str
    source: str
    as_of: datetime.date
    output: Decimal | None = None
    """USD for a million tokens that come out; None for what is not sold in tokens."""
    cached: Decimal | None = None
    """USD for a million tokens sent in that the server still knew; None where it is not stated: then as the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What is known of how a model thinks before it answers; the tokens of that are paid for as output."""

    default: bool | None
    """Whether it thinks unless told otherwise."""
    off: Literal["honoured", "hidden", "ignored"] | None
    """What becomes of `reasoning={'enabled': False}`; hidden: it thinks on, unseen and paid for."""
    efforts: tuple[str, ...]
    """Words of `reasoning_effort` that it takes."""
    other_efforts: Literal["refused", "ignored"] | None
    """What becomes of any other word: a 400, or the default."""
    trace: Literal["reasoning", "reasoning_content"] | None
    """The key of the answer's message under which the thoughts are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known about one model; field names are those of the request."""

    id: str
    kind: str
    """What it makes, in Together's word: "image", "video", "chat", "speech", "transcription"; the catalogue passes it on."""
    provider: str
    listed: bool
    """In Together's own list of `catalog.as_of()`."""
    removed: str
    """For a model that is not listed: since when, in words."""
    successor: str | None
    """For a model that is not listed: a listed model for the same work, where one suggests itself."""
    note: str
    price: Price | None
    default_steps: int | None
    default_seconds: int | None
    default_resolution: str | None

    takes: Mapping[str, bool] = field(hash=False)
    """Documented support per request field; absent means unknown."""
    instead: Mapping[str, str] = field(hash=False)
    """For a field it does not take: what to use instead."""
    refuses: tuple[str, ...]
    """Fields that the documentation rules out in so many words, beyond a tick missing in a table."""
    requires: tuple[str, ...]
    """Fields without which the documentation says it does not work."""
    expects: tuple[str, ...]
    """Fields of which it usually needs at least one, such as the image of an image-to-video model."""
    conflicts: tuple[tuple[str, str], ...]
    """Pairs of fields that cannot be used together."""
    fails: Mapping[str, tuple[Any, ...]] = field(hash=False)
    """Values of a field at which the server was seen to fail, every time: it may charge, and never answers."""
    excludes: tuple[tuple[str, str], ...]
    """Pairs of fields of which the documentation rules out in so many words that they are used together."""
    prompt: Literal["required", "optional"]

    sizes: tuple[str, ...]
    """Accepted sizes, written "1366x768"."""
    area: tuple[int, int] | None
    """Smallest and largest number of pixels."""
    max_proportion: int | None
    """4 means between 1:4 and 4:1."""
    aspect_ratios: tuple[str, ...]
    resolutions: tuple[str, ...]
    ratios: tuple[str, ...]
    seconds: tuple[int, ...]
    fps: tuple[int, ...]
    keyframes: tuple[str, ...] | None
    """Which frames `frame_images` may pin: ("first", "last"); () means none; None means unknown."""
    max_keyframes: int | None
    max_items: Mapping[str, int] = field(hash=False)
    """How many items a list field (reference_images, audio_inputs) may hold."""
    prompt_length: tuple[int, int] | None
    negative_prompt_length: int | None

    formats: tuple[str, ...]
    """Values of `response_format` that a model of speech takes."""
    encodings: tuple[str, ...]
    """Values of `response_encoding` that it honours."""
    sample_rates: tuple[int, ...]
    """Values of `sample_rate`, Hz, that it honours."""

    context: int | None
    """Tokens that go in and come out together, at most."""
    max_output: int | None
    """Tokens that come out, at most."""
    reasoning: Reasoning | None
    batch_discount: Decimal | None
    """By which share an answer is cheaper in the provider's batch API: 0.5 is half off."""

    sources: tuple[str, ...]
    """Keys of `catalog.sources()` on which this entry rests."""
    dates: Mapping[str, datetime.date] = field(hash=False)
    """How fresh each fact is, by the name of the fact or request field."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a request; what to do about it is the caller's business."""

    severity: Literal["error", "warning"]
    """An error is a documented rule; a warning is a documented limit that may have changed since."""
    field: str
    """The request field it is about; "model" for the model itself."""
    message: str
    """One sentence that names the model, the field, the given value and what the model would take instead."""
