"""What the catalogue and an answer of `GET /v1/models` say differently; asks nobody, and believes neither.

The sentences in which Together describes its example prices are written by people: they are shown, never read. A model
that is listed there is not always offered, and one that is offered is not always listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from prefect_together.catalog.loader import find, models
from prefect_together.catalog.types import Model

_AMOUNTS = ("example_price", "price_per_megapixel", "price_per_minute")
"""Under these names stands the one number of a price, in whichever way it is priced."""


def differences(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what is different, a sentence each: models that are new or gone, then prices.

    Args:
        rows: The answer of `GET /v1/models`.
    """
    known = {row.get("type") for row in rows if find(str(row.get("id")))}
    listed = {str(row.get("id")): row for row in rows if row.get("type") in known}  # others are none of the catalogue's
    return (*_new(listed), *_gone(listed), *_prices(listed))


def _new(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, row in listed.items():
        price = _example(row)
        # A row without a price is of a model that only runs on an endpoint of one's own.
        if price is not None and find(name) is None:
            yield f"{name} ({row['type']}) is listed at {_shown(price, row)} and not in the catalogue."


def _gone(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for model in models():
        if model.listed and model.id not in listed:
            yield f"{model.id} ({model.kind}) is offered by the catalogue and not listed any more."


def _prices(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, row in listed.items():
        model, price = find(name), _example(row)
        if model is None or price is None or not model.listed:
            continue
        if model.price is None:
            yield f"{name} is listed at {_shown(price, row)} and has no price in the catalogue."
        elif price not in _known(model):
            usual = f"${model.price.usd} per {model.price.per.replace('_', ' ')}"
            yield f"{name} is {usual} in the catalogue and listed at {_shown(price, row)}."


def _known(model: Model) -> set[Decimal]:
    """Return all amounts that the catalogue has for a unit of a model."""
    price = model.price
    return (
        set() if price is None else {price.usd, price.most, *(usd for rate in price.rates for usd in (rate.usd, rate.most))}
    )


def _example(row: Mapping[str, Any]) -> Decimal | None:
    """Return the one number by which a row is priced: its example, or what it costs for a million of what is sent in."""
    pricing = _mapping(row.get("pricing"))
    examples = [_mapping(entry).get(name) for entry in pricing.values() for name in _AMOUNTS]
    amount = next((one for one in examples if one is not None), None if pricing.get("output") else pricing.get("input"))
    try:
        number = Decimal(str(amount))
    except InvalidOperation:
        return None
    # Its floats carry noise, such as 0.030000000000000002.
    return Decimal(f"{number:.6f}").normalize() if number.is_finite() and number > 0 else None


def _shown(price: Decimal, row: Mapping[str, Any]) -> str:
    entries = _mapping(row.get("pricing")).values()
    said = next((text for entry in entries if (text := _mapping(entry).get("example_description"))), None)
    return f"${price:f}" + (f" ({' '.join(str(said).split())})" if said else "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
