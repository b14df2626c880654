"""What tokens cost: the exact price of an answer whose tokens are counted, and the bound of one that is not there yet."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from prefect_together.catalog.loader import find
from prefect_together.catalog.types import Model, Price

_MILLION = 6  # its zeros


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a million tokens of one model cost in US dollars; 0 is free of charge, and never unknown."""

    input: Decimal
    cached: Decimal
    """Of input that the server still knew; the price of other input where no other one is stated."""
    output: Decimal
    as_of: datetime.date

    def cost(self, *, input_tokens: int, cached_tokens: int = 0, output_tokens: int) -> Decimal:
        """Return what an answer costs in US dollars, exactly: nothing is rounded.

        Args:
            input_tokens: All that went in, those that were cached among them.
            cached_tokens: How many of those the server still knew; never counted as more than went in.
            output_tokens: All that came out, thoughts among them.
        """
        cached = min(max(cached_tokens, 0), input_tokens)
        amount = (input_tokens - cached) * self.input + cached * self.cached + output_tokens * self.output
        return amount.scaleb(-_MILLION)


def token_price(model_id: str) -> TokenPrice | None:
    """Return what a model's tokens cost; None where it is not sold in tokens, or the price is not known.

    Args:
        model_id: Together's id of the model, in upper or lower case.
    """
    model = find(model_id)
    return None if model is None or model.price is None else _of(model.price)


def batch_discount(model_id: str) -> Decimal:
    """Return the part of the list price that is taken off for what goes into a provider's batch; 0 where none is known.

    Args:
        model_id: Together's id of the model, in upper or lower case.
    """
    model = find(model_id)
    return Decimal(0) if model is None or model.batch_discount is None else model.batch_discount


def bound(model: Model, fields: Mapping[str, Any]) -> Decimal | None:
    """Return what a request costs at most, in US dollars and not rounded; None where it bounds no output.

    Args:
        model: A model that is sold in tokens.
        fields: `input_tokens`, already an upper estimate, and `max_output_tokens`, of all its answers together.
    """
    price = None if model.price is None else _of(model.price)
    sent, most = (_count(fields.get(name)) for name in ("input_tokens", "max_output_tokens"))
    if price is None or sent is None or most is None:
        return None
    return price.cost(input_tokens=sent, output_tokens=most)


def _of(price: Price) -> TokenPrice | None:
    if price.per != "million_tokens" or price.output is None:
        return None
    cached = price.usd if price.cached is None else price.cached
    return TokenPrice(input=price.usd, cached=cached, output=price.output, as_of=price.as_of)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
