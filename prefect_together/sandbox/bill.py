"""What was charged, as a bill shows it: by hour or day and product, for the whole organisation; answers nothing.

The sandbox has one organisation, so that the bill shows what every key spent. Charges whose price nobody knows are not on
it. The names of products are invented: nobody has published Together's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from prefect_together import catalog
from prefect_together.sandbox.records import Charge, Tokens

_MILLION = Decimal(1_000_000)
_PLACES = 12
"""Digits after the point: a second is no whole part of a minute."""
_UNITS = {"million_characters": ("characters", 1_000_000), "minute": ("minutes", 1)}
_HOUR = dt.timedelta(hours=1)
LENGTHS = {"hour": _HOUR, "day": 24 * _HOUR}


def windows(charges: Iterable[Charge], *, granularity: str, until: dt.datetime | None) -> list[dict[str, Any]]:
    """Return the windows in which something was charged, the earliest first.

    Args:
        charges: Those of the month.
        granularity: One of `LENGTHS`.
        until: Windows that end later are left out; None for all.
    """
    length = LENGTHS[granularity]
    lines: dict[dt.datetime, dict[tuple[str, Decimal], Decimal]] = {}
    for charge in charges:
        start = charge.at.replace(minute=0, second=0, microsecond=0)
        start = start if granularity == "hour" else start.replace(hour=0)
        if until is not None and start + length > until:
            continue
        for product, quantity, price in _lines(charge):
            window = lines.setdefault(start, {})
            window[product, price] = window.get((product, price), Decimal(0)) + quantity
    return [_window(start, length, lines[start]) for start in sorted(lines)]


def written(moment: dt.datetime) -> str:
    """Return a moment as the bill writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _window(start: dt.datetime, length: dt.timedelta, lines: dict[tuple[str, Decimal], Decimal]) -> dict[str, Any]:
    return {
        "date": f"{start:%Y-%m-%d}", "start_time": written(start), "end_time": written(start + length),
        "line_items": [
            {
                "product_name": product, "quantity": _number(quantity), "unit_price": _number(price),
                "cost": _number(quantity * price), "pricing_dimensions": {}, "attributes": {},
            }
            for (product, price), quantity in sorted(lines.items())
        ],
    }  # fmt: skip


def _lines(charge: Charge) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Yield product, quantity and price of a unit for what a charge is made of; together they are its amount, exactly."""
    if charge.usd is None:
        return
    batch = " (batch)" if charge.batch is not None else ""
    price = catalog.token_price(charge.model)
    if (unit := _unit(charge)) is not None:
        yield f"{charge.model} {unit[0]}{batch}", charge.usd / unit[1], unit[1]
        return
    if charge.tokens is None or price is None:
        yield f"{charge.model} {charge.kind}{batch}", Decimal(1), charge.usd
        return
    # What a batch is cheaper shows in the price of the unit.
    full = price.cost(
        input_tokens=charge.tokens.input, cached_tokens=_cached(charge.tokens), output_tokens=charge.tokens.output
    )
    share = charge.usd / full if full else Decimal(1)
    amounts = (
        ("input tokens", charge.tokens.input - _cached(charge.tokens), price.input),
        ("cached input tokens", _cached(charge.tokens), price.cached),
        ("output tokens", charge.tokens.output, price.output),
    )
    for name, count, usd in amounts:
        if count:
            yield f"{charge.model} {name}{batch}", Decimal(count), usd * share / _MILLION


def _unit(charge: Charge) -> tuple[str, Decimal] | None:
    """Return in what sound is sold, and what one of it costs in US dollars; None for what is no sound."""
    model = catalog.find(charge.model)
    if model is None or model.price is None or model.price.per not in _UNITS:
        return None
    name, count = _UNITS[model.price.per]
    share = 1 - (model.batch_discount or 0) if charge.batch is not None else 1
    return name, model.price.usd * share / count


def _cached(tokens: Tokens) -> int:
    return min(max(tokens.cached, 0), tokens.input)


def _number(amount: Decimal) -> str:
    """Return a decimal without an exponent and without digits that say nothing."""
    return f"{round(amount, _PLACES).normalize():f}"
