"""What a request costs that is made of several: each distinct part once, and what was there before is not paid now."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from prefect_together.generations.generated_audio import GeneratedAudio
from prefect_together.generations.parts import costs_of
from prefect_together.generations.speech import SpeechRequest
from prefect_together.generations.summary import money


def _part(name: str, cost: str | None = "0.01", estimated: str | None = "0.01", *, reused: bool = False) -> GeneratedAudio:
    return GeneratedAudio(
        uri=f"file:///{name}.wav",
        sha256=name * 64,
        size=1,
        media_type="audio/wav",
        created_at=datetime(2026, 11, 27, tzinfo=timezone.utc),
        model="hexgrad/Kokoro-82M",
        cost=None if cost is None else Decimal(cost),
        estimated_cost=None if estimated is None else Decimal(estimated),
        fingerprint=name,
        request=SpeechRequest(input=name, model="hexgrad/Kokoro-82M", voice="af_heart"),
        reused=reused,
    )


@pytest.mark.parametrize(
    ("parts", "cost", "before"),
    [
        ([_part("a"), _part("b")], "0.02", None),
        ([_part("a"), _part("a", reused=True)], "0.01", None),
        ([_part("a", reused=True), _part("a"), _part("b")], "0.02", None),
        ([_part("a", reused=True), _part("b")], "0.02", "0.01"),
        ([_part("a", reused=True), _part("a", reused=True), _part("b")], "0.02", "0.01"),
        ([_part("a", reused=True), _part("b", reused=True)], "0.02", None),
        ([_part("a"), _part("b", None)], None, None),
        ([_part("a", None, reused=True), _part("b")], None, "0.01"),
        ([_part("a", None, None, reused=True), _part("b")], None, None),
    ],
)
def test_each_part_counts_once(parts: list[GeneratedAudio], cost: str | None, before: str | None) -> None:
    """Where the cost of a part is not known, that of the whole is not."""
    found = costs_of(parts)
    assert (cost and Decimal(cost), before and Decimal(before)) == (found["cost"], found["paid_before"])


def test_what_was_there_is_not_paid_in_this_run() -> None:
    """The sum of a run has what its new parts cost, and no more."""
    whole = _part("w", "0.05").model_copy(update={"paid_before": Decimal("0.04")})
    assert "Paid in this run: $0.01 reported." == money([whole])
