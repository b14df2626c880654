"""`GET /v1/billing/usage`: what the sandbox charged in a month, by hour or day and product, in pages.

At Together a window is shown when it is over: the hour, or the day. Here the one that runs is shown too, so that nobody
has to wait for it, unless the sandbox was started with `bill_unfinished=False`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox import bill, error_messages
from prefect_together.sandbox.api import ORGANIZATION, Api, Endpoint, account, success
from prefect_together.sandbox.fault_injection import apply_fault

USAGE = "GET /v1/billing/usage"
MAX_WINDOWS = 1_000
DEFAULT_WINDOWS = 100


async def usage(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/billing/usage`; the words of the refusals are ours."""
    account(request)
    asked, now = request.query_params, dt.datetime.now(dt.timezone.utc)
    if asked.get("organization_id", ORGANIZATION) != ORGANIZATION:
        raise error_messages.Refusal(403, "The API key does not belong to this organization.", code="forbidden")
    month = _month(asked.get("month") or f"{now:%Y-%m}")
    granularity = asked.get("granularity") or "day"
    if granularity not in bill.LENGTHS:
        raise error_messages.wrong_type("granularity", "one of 'day', 'hour'")
    limit = _limit(asked.get("limit"))
    after = _after(asked.get("after"), f"{month} {granularity} ")

    async def answer() -> Response:
        charges = [charge for charge in list(api.store.charges) if f"{charge.at:%Y-%m}" == month]
        found = bill.windows(charges, granularity=granularity, until=None if api.bill_unfinished else now)
        rest = [window for window in found if window["start_time"] > after]
        page = rest[:limit]
        cursor = _cursor(f"{month} {granularity} {page[-1]['start_time']}") if len(rest) > limit else None
        report = {
            "object": "list", "billing_period": month, "currency": "USD", "organization_id": ORGANIZATION,
            "earliest_window_start": found[0]["start_time"] if found else None,
            "latest_window_end": found[-1]["end_time"] if found else None, "next_cursor": cursor, "data": page,
        }  # fmt: skip
        return success(report)

    return await apply_fault(api.switchboard.take(USAGE, f"{month} {granularity}"), None, answer)


def _month(text: str) -> str:
    with contextlib.suppress(ValueError):  # it is refused below, as what is of another length: Python reads `2026-1` too
        if len(text) == len("2026-11"):
            return f"{dt.datetime.strptime(text, '%Y-%m').replace(tzinfo=dt.timezone.utc):%Y-%m}"
    raise error_messages.wrong_type("month", "a month such as '2026-11'")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_WINDOWS
    if not text.isdecimal() or not 1 <= int(text) <= MAX_WINDOWS:
        raise error_messages.out_of_range("limit", 1, MAX_WINDOWS)
    return int(text)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _after(cursor: str | None, begins: str) -> str:
    """Return the start of the last window that was shown; a cursor is good for its own month and granularity only."""
    if not cursor:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(begins):
        raise error_messages.wrong_type("after", "the next_cursor of an answer for this month and granularity")
    return text.removeprefix(begins)


ENDPOINTS = (Endpoint(route=USAGE, handle=usage),)
