"""Money that is spent at the sandbox, and the bill for it."""

from __future__ import annotations

from datetime import datetime, timezone

from prefect_together import ChatRequest, MediaLibrary, TogetherCredentials, generate_image, generate_text
from prefect_together._internal.event_loop import run
from prefect_together.engine import billing
from prefect_together.engine.bill import Bill, Granularity

from .asking import picture

LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
FLUX = "black-forest-labs/FLUX.2-pro"


def this_month() -> str:
    """Return it as a bill names it."""
    return f"{datetime.now(timezone.utc):%Y-%m}"


def billed(granularity: Granularity = "hour", month: str = "", now: datetime | None = None) -> Bill:
    """Return the bill of a month, by default this one, beside the ledger."""
    client = TogetherCredentials().get_client()
    work = billing.bill(MediaLibrary().storage(), client, month or this_month(), granularity=granularity, now=now)
    return run(work)


def spend() -> None:
    """Pay for a picture and an answer."""
    generate_image(picture(seed=1))
    generate_text(ChatRequest(prompt="Name a fox.", model=LLAMA, max_tokens=50, seed=1))
