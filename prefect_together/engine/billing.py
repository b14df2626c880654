"""Holds a month's bill beside the ledger: asks Together what it billed, adds up what the library knows. Pays nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, ValidationError

from prefect_together import catalog
from prefect_together.engine.bill import LENGTHS, Bill, BillLine, Granularity, Unmatched
from prefect_together.engine.products import Products
from prefect_together.engine.spending import FREE, Spent
from prefect_together.errors import ServerError, TogetherError
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.queries import stream_attempts
from prefect_together.storage.storage import Storage

USAGE = "/v1/billing/usage"
_PAGE = 1000
"""Hours or days that Together gives at once, at most."""
_Place = tuple[datetime, str]


async def bill(
    storage: Storage, client: TogetherClient, month: str, *, granularity: Granularity = "day", now: datetime | None = None
) -> Bill:
    """Return a month's bill beside the ledger.

    A request counts in the hour or day in which it was asked, by the clock of the machine that asked.

    Args:
        storage: The library.
        client: An account of the organisation that is billed.
        month: Such as ``2026-11``; UTC.
        granularity: What a line is of.
        now: The time; None is that of this machine.

    Raises:
        TogetherError: The bill cannot be had, or the ledger not be read.
    """
    moment = now or datetime.now(timezone.utc)
    windows = await _usage(client, month, granularity)
    known = await _ledger(storage, client.environment, month, granularity)
    billed, unmatched = dict[_Place, Decimal](), dict[_Place, Decimal]()
    products = Products({model for _, model in known}, {model.id for model in catalog.models()})
    for window in windows:
        start = _begin(window.start_time, granularity)
        for item in window.line_items:
            model = products.model_of(item.text())
            into, place = (unmatched, (start, item.product_name)) if model is None else (billed, (start, model))
            into[place] = into.get(place, Decimal(0)) + item.cost
    over = _begin(moment, granularity)
    return Bill(
        month=month,
        granularity=granularity,
        asked_at=moment,
        until=max([over, *(window.end_time for window in windows)]),
        lines=tuple(
            BillLine(start=place[0], model=place[1], billed=billed.get(place), **vars(known.get(place, Spent())))
            for place in sorted({*known, *billed})
        ),
        unmatched=tuple(
            Unmatched(start=start, product=name, billed=usd) for (start, name), usd in sorted(unmatched.items())
        ),
    )


async def _ledger(storage: Storage, environment: str, month: str, granularity: Granularity) -> dict[_Place, Spent]:
    """Return what the ledger knows; its rows pass by, and only sums are kept."""
    found = dict[_Place, Spent]()
    async for row in stream_attempts(storage):
        start = _begin(row.asked_at, granularity)
        if f"{start:%Y-%m}" == month and row.state not in FREE and row.environment in {None, environment}:
            found.setdefault((start, row.model), Spent()).add(row)
    return found


class _Item(BaseModel):
    product_name: str = ""
    cost: Decimal
    pricing_dimensions: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None

    def text(self) -> str:
        """Return all that it says of its product: which key would name the model is not documented."""
        return " | ".join([self.product_name, *_texts(self.pricing_dimensions), *_texts(self.attributes)])


class _Window(BaseModel):
    start_time: AwareDatetime
    end_time: AwareDatetime
    line_items: list[_Item] = []


class _Page(BaseModel):
    data: list[_Window]
    currency: str = "USD"
    next_cursor: str | None = None


async def _usage(client: TogetherClient, month: str, granularity: Granularity) -> list[_Window]:
    """Return all that was billed in a month, page by page."""
    found, seen, after = list[_Window](), set[str](), ""
    while True:
        asked = {"month": month, "granularity": granularity, "limit": _PAGE, **({"after": after} if after else {})}
        try:
            page = await client.get(f"{USAGE}?{urlencode(asked)}", _page)
        except TogetherError as error:
            error.paid = None  # a bill is free to look at
            raise
        found += page.data
        after = page.next_cursor or ""
        if not after:
            return found
        if after in seen:
            raise ServerError("Together's bill does not end: a page leads to itself.", advice="Ask again later.")
        seen.add(after)


def _page(answer: Any) -> _Page:
    try:
        page = _Page.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the bill'}: {first['msg']}") from None
    if page.currency != "USD":
        raise ValueError(f"the bill is in {page.currency}, and what the ledger knows is in USD")
    return page


def _texts(found: dict[str, Any] | None) -> Iterator[str]:
    return (str(value) for value in (found or {}).values() if isinstance(value, str))


def _begin(moment: datetime, granularity: Granularity) -> datetime:
    """Return the beginning of the hour or day that a moment is in (UTC)."""
    length, epoch = LENGTHS[granularity], datetime(1970, 1, 1, tzinfo=timezone.utc)
    return epoch + (moment - epoch) // length * length
