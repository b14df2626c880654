"""What the catalogue and an answer of `GET /v1/models` say differently; asks nobody, and believes neither.

The sentences in which Together describes its example prices are written by people: they are shown, never read. A model
that is listed there is not always offered, and one that is offered is not always listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from prefect_together.catalog.loader import find, models
from prefect_together.catalog.types import Model, Price

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
        shown = _listed_price(row)
        # A row without a price is of a model that only runs on an endpoint of one's own.
        if shown is not None and find(name) is None:
            yield f"{name} ({row['type']}) is listed at {shown} and not in the catalogue."


def _gone(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for model in models():
        if model.listed and model.id not in listed:
            yield f"{model.id} ({model.kind}) is offered by the catalogue and not listed any more."


def _prices(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, row in listed.items():
        model, price = find(name), _example(row)
        if model is not None and model.listed and (model.price and model.price.per == "million_tokens"):
            yield from _tokens(model, model.price, row)
            continue
        if model is None or price is None or not model.listed:
            continue
        if model.price is None:
            yield f"{name} is listed at {_shown(price, row)} and has no price in the catalogue."
        elif price not in _known(model):
            usual = f"${model.price.usd} per {model.price.per.replace('_', ' ')}"
            yield f"{name} is {usual} in the catalogue and listed at {_shown(price, row)}."


def _tokens(model: Model, price: Price, row: Mapping[str, Any]) -> Iterator[str]:
    """Compare what a model's tokens cost; where the list states nothing at all, it says nothing about the price."""
    listed = tuple(_token_amounts(row))
    known = (price.usd, price.cached, price.output)
    if any(listed) and listed != tuple(usd or None for usd in known):
        yield (f"{model.id} is {_shown_tokens(*known)} in the catalogue and listed at {_shown_tokens(*listed)}.")


def _token_amounts(row: Mapping[str, Any]) -> Iterator[Decimal | None]:
    pricing = _mapping(row.get("pricing"))
    return (_amount(pricing.get(name)) for name in ("input", "cached_input", "output"))


def _shown_tokens(usd: Decimal | None, cached: Decimal | None, output: Decimal | None) -> str:
    """Say what a million tokens cost; what is not stated of cached ones is left out."""
    known = f", ${cached:f} cached" if cached else ""
    return f"${usd or Decimal(0):f} in{known} and ${output or Decimal(0):f} out per million tokens"


def _listed_price(row: Mapping[str, Any]) -> str | None:
    """Return the price of a row in words, None for a row without one."""
    if (usd := _example(row)) is not None:
        return _shown(usd, row)
    amounts = tuple(_token_amounts(row))
    return _shown_tokens(*amounts) if amounts[2] else None


def _known(model: Model) -> set[Decimal]:
    """Return all amounts that the catalogue has for a unit of a model."""
    price = model.price
    return (
        set() if price is None else {price.usd, price.most, *(usd for rate in price.rates for usd in (rate.usd, rate.most))}
    )


def _example(row: Mapping[str, Any]) -> Decimal | None:
    """Return the one number by which a row is priced: its example, or that of a million characters."""
    pricing = _mapping(row.get("pricing"))
    examples = [_mapping(entry).get(name) for entry in pricing.values() for name in _AMOUNTS]
    amount = next((one for one in examples if one is not None), None if pricing.get("output") else pricing.get("input"))
    return _amount(amount)


def _amount(stated: Any) -> Decimal | None:
    """Read an amount of the list; None where it states none, for which it writes 0."""
    try:
        number = Decimal(str(stated))
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
