"""How an amount of money is shown to people, everywhere. What is stored or sent is exact, and not made here."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_LEAST = Decimal("0.0001")


def dollars(amount: Decimal) -> str:
    """Return an amount in USD for people: in cents, and to four places where it is less than one cent.

    Args:
        amount: USD; what is more than nothing is never shown as nothing.
    """
    size = abs(amount)
    if 0 < size < _LEAST / 2:
        return "less than $0.0001"
    places = _CENT if size == 0 or size.quantize(_LEAST, ROUND_HALF_UP) >= _CENT else _LEAST
    return f"{'-' if amount < 0 else ''}${size.quantize(places, ROUND_HALF_UP):,f}"


def unit_price(amount: Decimal) -> str:
    """Return the price of one unit in USD for people: exact, for a thousand of them would show what was rounded away."""
    plain = amount.normalize()
    return f"${plain if plain != amount.quantize(_CENT) else amount.quantize(_CENT):,f}"
