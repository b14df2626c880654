"""What it really cost: the bill beside the ledger, nothing forced to match, nothing unknown taken for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest

from prefect_together import (
    generate_image,
    generate_video,
)
from prefect_together.engine import billing
from prefect_together.engine.bill import Granularity, last_billed_month
from prefect_together.engine.products import Products
from prefect_together.errors import ServerError, UnknownOutcome
from prefect_together.sandbox import Sandbox, serve

from .asking import VIDEOS, clip, dear_clip, picture
from .spending import FLUX, LLAMA, billed, spend

USAGE = "GET /v1/billing/usage"


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_what_was_spent_is_beside_what_was_billed(granularity: Granularity, together_sandbox: Sandbox) -> None:
    """Exact costs are reported, list prices estimated; several lines of a model's bill are one, and all sums are exact."""
    spend()
    found = billed(granularity)
    lines = {line.model: line for line in found.lines}
    assert {FLUX, LLAMA} == set(lines)
    charged = {charge.model: charge.usd for charge in together_sandbox.charges()}
    assert (charged[LLAMA], Decimal(0), charged[LLAMA], Decimal(0)) == (
        lines[LLAMA].reported, lines[LLAMA].estimated, lines[LLAMA].billed, lines[LLAMA].difference,
    )  # fmt: skip
    assert (Decimal(0), Decimal("0.03"), charged[FLUX]) == (lines[FLUX].reported, lines[FLUX].estimated, lines[FLUX].billed)
    assert sum(charge.usd or 0 for charge in together_sandbox.charges()) == found.billed
    assert found.billed - found.reported - found.estimated == found.difference
    assert () == found.unmatched


def test_pages_of_a_bill_are_followed(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bill is asked for until no page is left, and each page is counted once."""
    pages = [_page(f"2026-10-{day:02d}", FLUX, "0.5", cursor=str(day) if day < 4 else None) for day in (1, 2, 3, 4)]
    asked = list[str]()

    async def get(self: Any, path: str, parse: Any) -> Any:
        asked.append(path)
        return parse(pages[len(asked) - 1])

    monkeypatch.setattr("prefect_together.http.client.TogetherClient.get", get)
    found = billed("day", "2026-10")
    assert Decimal(2) == found.billed
    assert ["", "after=1", "after=2", "after=3"] == [path.partition("limit=1000")[2].lstrip("&") for path in asked]
    pages[:] = [{"data": list[Any](), "next_cursor": "same"}] * 9
    with pytest.raises(ServerError, match="does not end"):
        billed("day", "2026-10")


def test_the_pages_of_the_server_are_followed(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with real cursors: hours of one each make the same bill as all at once."""
    spend()
    whole = billed()
    monkeypatch.setattr(billing, "_PAGE", 1)
    assert whole.billed == billed().billed
    assert whole.billed > 0


def test_what_others_spent_is_listed_and_matched_with_nothing(together_sandbox: Sandbox) -> None:
    """Another key's pictures are on the bill, in the difference and in a sentence; no request of ours is made to fit them."""
    spend()
    other = {"model": "black-forest-labs/FLUX.1-schnell", "prompt": "a moon", "width": 64, "height": 64}
    key = {"Authorization": "Bearer other"}
    httpx.post(f"{together_sandbox.url}/v1/images/generations", json=other, headers=key).raise_for_status()
    found = billed()
    assert ["black-forest-labs/FLUX.1-schnell image"] == [line.product for line in found.unmatched]
    assert {FLUX, LLAMA} == {line.model for line in found.lines}
    assert found.unmatched[0].billed + sum(line.difference or 0 for line in found.lines) == found.difference
    assert "The bill is the whole organisation's" in found.text()
    assert "name no model which the ledger has" in found.text()


def test_what_nobody_knows_is_said_and_in_no_sum(together_sandbox: Sandbox) -> None:
    """A clip of no known price is counted, one that may have been paid for is uncertain; neither is taken for nothing."""
    generate_video(clip(seed=1))
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=2))
    found = billed()
    assert (1, Decimal("0.30")) == (sum(line.unknown for line in found.lines), found.lines[0].uncertain)
    assert 0 == found.estimated
    text = found.text()
    assert "In no sum: 1 request of unknown cost." in text
    assert "$0.30 may have been spent" in text


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox that bills an hour when it is over, as Together does."""
    with serve(render_seconds=0, bill_unfinished=False) as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", running.api_key)
        yield running


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_what_is_not_billed_yet_is_said_and_is_no_difference(granularity: Granularity, late: Sandbox) -> None:
    """The running hour or day stands in the table without a bill, and its money in a sentence."""
    generate_image(picture(seed=1))
    found = billed(granularity)
    assert (0, 0, 0) == (found.billed, found.estimated, found.difference)
    assert (None, None) == (found.lines[0].billed, found.lines[0].difference)
    assert "not yet" in found.text()
    assert "is not billed yet, and in no sum ($0.03 by the ledger)" in found.text()
    later = billed(granularity, now=datetime.now(timezone.utc) + timedelta(days=2))
    assert Decimal("-0.03") == later.difference  # it is over, and the bill has nothing


def test_a_month_is_one_month(together_sandbox: Sandbox) -> None:
    """What was spent in another month is on neither side."""
    spend()
    found = billed(month="2026-01")
    assert ((), (), 0) == (found.lines, found.unmatched, found.difference)


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (datetime(2026, 11, 27, tzinfo=timezone.utc), "2026-11"),
        (datetime(2026, 11, 1, 23, tzinfo=timezone.utc), "2026-10"),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), "2025-12"),
        (datetime(2026, 12, 1, 23, tzinfo=timezone(timedelta(hours=-5))), "2026-12"),
    ],
)
def test_the_month_is_that_of_the_last_billed_day(now: datetime, month: str) -> None:
    """On the first of a month nothing of it is billed, and the one before is whole; months are UTC."""
    assert month == last_billed_month(now)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("zai-org/GLM-5 output tokens", "zai-org/GLM-5"),
        ("GLM 5 - Output", "zai-org/GLM-5"),
        ("zai-org/GLM-5.3-Flash output tokens", None),  # another model, which the ledger has not
        ("Serverless Inference | Qwen 3.5 9B", "Qwen/Qwen3.5-9B"),
        ("tokens | qwen/qwen3.5-9b", "Qwen/Qwen3.5-9B"),
        ("one/fox", "one/fox"),
        ("The fox", None),  # of two
        ("GPU hours", None),
        ("", None),
    ],
)
def test_products_are_matched_loosely_and_not_by_force(text: str, model: str | None) -> None:
    """In any spelling, by the longest name; what is ambiguous, or of a model that is not ours, is left alone."""
    ours = ("zai-org/GLM-5", "Qwen/Qwen3.5-9B", "one/fox", "other/fox")
    assert model == Products(ours, ["zai-org/GLM-5.3-Flash"]).model_of(text)


def _page(day: str, product: str, cost: Any, *, cursor: str | None = None, **more: Any) -> dict[str, Any]:
    item = {"product_name": product, "quantity": "1", "unit_price": cost, "cost": cost}
    window = {"date": day, "start_time": f"{day}T00:00:00Z", "end_time": f"{day}T01:00:00Z", "line_items": [item]}
    return {"object": "list", "currency": "USD", "next_cursor": cursor, "data": [window], **more}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_page("2026-11-01", FLUX, "much"), "cost"),
        (_page("2026-11-01", FLUX, "1", currency="EUR"), "the bill is in EUR"),
        ({"data": None}, "data"),
        ([], "the bill"),
    ],
)
def test_a_bill_that_is_none_is_one_sentence(
    answer: Any, said: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read is said with its place, and nothing about money that was not spent."""
    read = billing._page  # pyright: ignore[reportPrivateUsage]

    def instead(_: Any) -> Any:
        return read(answer)

    monkeypatch.setattr(billing, "_page", instead)
    with pytest.raises(ServerError, match=said) as raised:
        billed()
    assert raised.value.paid is None
    assert 1 == len(str(raised.value).splitlines())


def test_credits_are_taken_off() -> None:
    """A line may be less than nothing."""
    assert Decimal("-0.5") == billing._page(_page("2026-11-01", "credit", "-0.5")).data[0].line_items[0].cost  # pyright: ignore[reportPrivateUsage]
