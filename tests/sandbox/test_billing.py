"""The bill and the curated catalogue: what was charged, by window and product, and what can be asked for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import FLUX, IMAGES, LLAMA, image_body, message
from .batching import finished

USAGE = "/v1/billing/usage"
CHAT = "/v1/chat/completions"
KEY = {"Authorization": "Bearer k"}
QUESTION = {"model": LLAMA, "messages": [{"role": "user", "content": "Say moon. " * 60}], "max_tokens": 16}


def charge(at: str, usd: str | None = "0.25") -> dict[str, Any]:
    """Return a line of the sandbox's journal: something that was charged."""
    known = {"id": at, "kind": "image", "model": FLUX, "usd": usd, "prompt": "a fox", "at": at, "account": "somebody"}
    return {"entry": "charge", **known}


CHARGES = [
    charge("2026-09-30T23:59:59+00:00"),
    charge("2026-10-01T00:00:00+00:00"),
    charge("2026-10-01T00:59:59+00:00"),
    charge("2026-10-01T01:00:00+00:00", "0.5"),
    charge("2026-10-03T12:00:00+00:00"),
    charge("2026-10-03T13:00:00+00:00", None),
]


@pytest.fixture
def october(tmp_path: Path) -> Iterator[httpx.Client]:
    """Give a client of a sandbox that charged something in autumn."""
    (tmp_path / "journal.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in CHARGES))
    with sandbox.serve(state=tmp_path) as running, httpx.Client(base_url=running.url, headers=KEY) as client:
        yield client


def bill(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Ask for the bill."""
    answer = client.get(USAGE, params=asked)
    assert 200 == answer.status_code, answer.text
    report: dict[str, Any] = answer.json()
    return report


def costs(report: dict[str, Any]) -> list[Decimal]:
    """Return what each window cost."""
    return [sum((Decimal(line["cost"]) for line in window["line_items"]), Decimal(0)) for window in report["data"]]


def test_the_bill_is_what_was_charged(client: httpx.Client, together: sandbox.Sandbox) -> None:
    """Answers by token, batches at their price, pictures by the piece; the sum is that of the charges, exactly."""
    for _ in range(2):
        client.post(CHAT, json=QUESTION)
    client.post(IMAGES, json=image_body())
    finished(client)
    report = bill(client, granularity="hour")
    names = {line["product_name"]: line for window in report["data"] for line in window["line_items"]}
    assert {
        f"{LLAMA} input tokens", f"{LLAMA} cached input tokens", f"{LLAMA} output tokens", f"{FLUX} image",
        f"{LLAMA} input tokens (batch)", f"{LLAMA} output tokens (batch)",
    } == set(names)  # fmt: skip
    assert ["0.00000104", "0.00000052"] == [
        names[f"{LLAMA} output tokens{which}"]["unit_price"] for which in ("", " (batch)")
    ]
    for line in names.values():
        assert Decimal(line["cost"]) == Decimal(line["quantity"]) * Decimal(line["unit_price"])
    assert sum(one.usd or 0 for one in together.charges()) == sum(costs(report))
    assert ("list", "USD", "org_sandbox", None) == tuple(
        report[name] for name in ("object", "currency", "organization_id", "next_cursor")
    )


def test_the_bill_is_the_organisation_s(client: httpx.Client, together: sandbox.Sandbox) -> None:
    """What another key spends is on it, too."""
    httpx.post(f"{together.url}{IMAGES}", json=image_body(), headers={"Authorization": "Bearer other"})
    assert [together.charges()[0].usd] == costs(bill(client))


def test_windows_are_hours_or_days_of_a_month(october: httpx.Client) -> None:
    """Windows without a charge are left out, and so is what has no price."""
    days, hours = (bill(october, month="2026-10", granularity=word) for word in ("day", "hour"))
    assert [("2026-10-01", "1.00"), ("2026-10-03", "0.25")] == [
        (window["date"], f"{cost:.2f}") for window, cost in zip(days["data"], costs(days), strict=True)
    ]
    assert ["2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", "2026-10-03T12:00:00Z"] == [
        window["start_time"] for window in hours["data"]
    ]
    assert ("2026-10-01T00:00:00Z", "2026-10-04T00:00:00Z") == (days["earliest_window_start"], days["latest_window_end"])
    line = hours["data"][0]["line_items"][0]
    assert ("2", "0.25", "0.5", {}, {}) == tuple(
        line[name] for name in ("quantity", "unit_price", "cost", "pricing_dimensions", "attributes")
    )
    assert [Decimal("0.25")] == costs(bill(october, month="2026-09"))
    empty = bill(october, month="2026-08")
    assert ([], None, None) == (empty["data"], empty["earliest_window_start"], empty["latest_window_end"])


def test_the_bill_comes_in_pages(october: httpx.Client) -> None:
    """The cursor leads on, and is good for its own month and granularity only."""
    asked = {"month": "2026-10", "granularity": "hour", "limit": 2}
    first = bill(october, **asked)
    rest = bill(october, **asked, after=first["next_cursor"])
    assert (2, 1, None) == (len(first["data"]), len(rest["data"]), rest["next_cursor"])
    assert bill(october, month="2026-10", granularity="hour")["data"] == [*first["data"], *rest["data"]]
    assert first["latest_window_end"] == rest["latest_window_end"]
    other = october.get(USAGE, params={"month": "2026-10", "granularity": "day", "after": first["next_cursor"]})
    assert (400, True) == (other.status_code, "next_cursor" in message(other))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"month": "2026-13"}, 400),
        ({"month": "2026-1"}, 400),
        ({"granularity": "week"}, 400),
        ({"limit": "0"}, 400),
        ({"limit": "1001"}, 400),
        ({"after": "?"}, 400),
        ({"organization_id": "org_other"}, 403),
    ],
)
def test_what_is_no_bill_is_refused(client: httpx.Client, asked: dict[str, str], status: int) -> None:
    """Each is told in Together's shape."""
    refused = client.get(USAGE, params=asked)
    assert status == refused.status_code
    assert message(refused)


def test_a_window_that_is_not_over_can_be_held_back(tmp_path: Path) -> None:
    """As at Together: the hour that runs and the day that runs are not on the bill yet."""
    now = dt.datetime.now(dt.timezone.utc)
    (tmp_path / "journal.jsonl").write_text(f"{json.dumps(charge((now - dt.timedelta(hours=1)).isoformat()))}\n")
    with (
        sandbox.serve(state=tmp_path, bill_unfinished=False) as running,
        httpx.Client(base_url=running.url, headers=KEY) as client,
    ):
        client.post(IMAGES, json=image_body())
        for word in ("day", "hour"):
            report = bill(client, granularity=word, month=f"{now - dt.timedelta(hours=1):%Y-%m}")
            asked = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
            assert all(window["end_time"] <= asked for window in report["data"])
        assert Decimal("0.25") in costs(report)


def test_the_curated_catalogue(client: httpx.Client) -> None:
    """Rows by input and name, in pages; prices of tokens only, and the context as a string."""
    models = "/v2/supported-models"
    (llama,) = client.get(models, params={"search": "LLAMA-3.3-70b"}).json()["data"]
    assert (LLAMA, LLAMA, "131072", {"input": 1.04, "output": 1.04, "cachedInput": 1.04}) == (
        llama["name"], llama["serverlessEndpoint"], llama["contextLength"], llama["pricing"],
    )  # fmt: skip
    assert llama == client.get(f"{models}/{llama['id']}").json()
    assert 404 == client.get(f"{models}/{LLAMA.partition('/')[0]}").status_code
    seeing = client.get(models, params={"modality": "MODALITY_IMAGE", "limit": 1000}).json()["data"]
    assert "Qwen/Qwen3.5-9B" in {row["name"] for row in seeing}
    assert LLAMA not in {row["name"] for row in seeing}
    whole = client.get(models, params={"limit": 1000}).json()
    assert whole["next_cursor"] is None
    assert all(("pricing" in row) == (row["displayType"] == "chat") for row in whole["data"])
    first = client.get(models, params={"limit": 3}).json()
    rest = client.get(models, params={"limit": 1000, "after": first["next_cursor"]}).json()
    assert whole["data"] == [*first["data"], *rest["data"]]
    assert [] == client.get(models, params={"product": "PRODUCT_DEDICATED"}).json()["data"]
    for wrong in ({"product": "X"}, {"modality": "X"}, {"limit": "x"}, {"after": "x"}):
        assert 400 == client.get(models, params=wrong).status_code
