"""What a task was called with, checked before anything is claimed or sent: one sentence says what is allowed."""

from __future__ import annotations

import inspect
import math
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, TypeVar, get_args

from prefect_together._internal.text import with_article
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.errors import InvalidRequest

Money: TypeAlias = "Decimal | float | str"
"""An amount in USD."""

_T = TypeVar("_T")


def account(credentials: TogetherCredentials | object | None) -> TogetherCredentials:
    """Return the credentials of a task, or the default ones. What was given instead is never shown: it may be a key.

    Raises:
        InvalidRequest: It is something else.
    """
    if credentials is None:
        return TogetherCredentials()
    if not isinstance(credentials, TogetherCredentials):
        raise InvalidRequest(
            f"credentials is {with_article(type(credentials).__name__)}: give a TogetherCredentials block, or leave it "
            "out and set TOGETHER_API_KEY."
        )
    return credentials


def one_of(name: str, value: object, allowed: Any) -> None:
    """Refuse a value that is none of a ``Literal``."""
    if value not in (choices := get_args(allowed)):
        raise InvalidRequest(f"{name} is {value!r}: allowed is {', '.join(map(repr, choices))}.")


def seconds(name: str, value: object) -> None:
    """Refuse what is no number of seconds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise InvalidRequest(f"{name} is {value!r}: give a number of seconds, at least 0.")


def whole(name: str, value: object) -> None:
    """Refuse what is no whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequest(f"{name} is {value!r}: give a whole number, at least 1.")


def text(name: str, value: object) -> None:
    """Refuse what is no text, or empty."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name} is {value!r}: give some text, or leave it out.")


def spend_limit(value: object) -> None:
    """Refuse what is no shared limit; None leaves it out."""
    if value is None:
        return
    from prefect_together.ledger.spend_limit import SpendLimit  # few calls have one

    if not isinstance(value, SpendLimit):
        raise InvalidRequest(f'limit is {value!r}: give a SpendLimit(name="...", usd=...); max_cost takes an amount.')


def usd(name: str, amount: Money | object) -> Decimal:
    """Return an amount of money.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        found = Decimal("NaN") if isinstance(amount, bool) else Decimal(str(amount))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise InvalidRequest(f"{name} is {amount!r}: give an amount in USD, e.g. 12.50.")
    return found


def expect(value: Any, kind: type[_T], task: str) -> _T:
    """Return what a task is about.

    Raises:
        InvalidRequest: It is something else.
    """
    if isinstance(value, kind):
        return value
    from prefect_together.batch.request_table import RequestTable, TableRow  # is slow to import, and few flows have tables

    hint = ""
    if inspect.isawaitable(value):
        hint = ": await it, and give what comes of it"
    elif callable(getattr(value, "result", None)):  # a future, of Prefect or of Python
        hint = ": call .result() on it, and give what comes of it"
    elif isinstance(value, RequestTable):
        hint = ": generate_batch makes all its rows"
    elif isinstance(value, TableRow):
        hint = ": give its .request, or the whole table to generate_batch"
    given = with_article(type(value).__name__)
    raise InvalidRequest(f"{task} takes {with_article(kind.__name__)}, and was given {given}{hint}.")
