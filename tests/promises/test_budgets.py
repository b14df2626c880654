"""What batches may spend: by themselves and from a limit that they share; never more, and what is not spent is given back."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from prefect_together import ImageRequest, SpendLimit
from prefect_together.ledger.allowance import Purse
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, POLL, VIDEOS, clip, pictures, run_batch

pytestmark = pytest.mark.slow


def test_max_cost_is_never_exceeded(together_sandbox: Sandbox) -> None:
    """Ten pictures of $0.03 with $0.10: three are sent, seven refused as such; the next run does them."""
    first = run_batch(pictures(10), max_cost="0.10")
    assert (3, 7) == (first.kept, first.refused)
    assert {"BudgetExceeded"} == {item.error_type for item in first.problems}
    assert 3 == len(together_sandbox.charges())
    second = run_batch(pictures(10))
    assert (7, 3) == (second.kept, second.reused)


def test_an_unknown_price_counts_as_the_worst_case(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips that nobody has a price of count as `worst_case`, never as nothing; a reported cost takes its place."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_WORST_CASE", "2")
    clips = [clip(seed=number) for number in range(4)]
    result = run_batch(clips, max_cost=5, concurrency=1)
    priced = [item.media[0].cost for item in result.items if item.media]
    expected = 2 if any(cost is None for cost in priced) else 4
    assert expected == result.kept
    assert expected == len(together_sandbox.charges())


def test_the_upper_end_of_a_price_is_reserved(together_sandbox: Sandbox) -> None:
    """Of two pictures of $0.053 that may cost $0.165 each, only one goes where $0.30 may be spent."""
    asked = [ImageRequest(prompt=f"fox {seed}", model="openai/gpt-image-2", seed=seed) for seed in (1, 2)]
    result = run_batch(asked, max_cost="0.30", concurrency=1)
    assert (1, 1) == (result.kept, result.refused)
    assert "about $0.17" in str(result.problems[0].error)


def test_a_refused_request_gives_its_money_back(together_sandbox: Sandbox) -> None:
    """What Together refuses costs nothing, so another request may have it."""
    together_sandbox.fault(IMAGES, "400", match="picture 0")
    result = run_batch(pictures(3), max_cost="0.06", concurrency=1)
    assert ["failed", "kept", "kept"] == [item.outcome for item in result.items]


def test_a_shared_limit_holds_over_runs(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Two runs spend from one limit; a raised one lets the rest go; its entries are readable."""
    limit = SpendLimit(name="autumn", usd=Decimal("0.15"))
    assert 4 == run_batch(pictures(4), limit=limit).kept
    second = run_batch(pictures(8), limit=limit)
    assert (1, 4, 3) == (second.kept, second.reused, second.refused)
    assert 3 == run_batch(pictures(8), limit=SpendLimit(name="autumn", usd=Decimal(10))).kept
    assert 8 == len(together_sandbox.charges())
    entries = sorted((tmp_path / "library" / f"{limit.folder}-loopback").iterdir())
    assert "0.24" == json.loads(entries[-1].read_text())["committed"]


def test_a_clip_that_another_run_fetches_counts_at_its_cost(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A run that stops waiting leaves the worst case reserved; the run that gets the clip puts the reported cost there."""
    limit = SpendLimit(name="clips", usd=Decimal(8))
    together_sandbox.fault(VIDEOS, "cost", value=0.25)
    together_sandbox.fault(POLL, "queued_forever", times=30)
    first = run_batch([clip(seed=1)], limit=limit, timeout=0.3, fail_on="never")
    assert ["GenerationTimeout"] == [item.error_type for item in first.items]

    def committed() -> Decimal:
        entries = sorted((tmp_path / "library" / f"{limit.folder}-loopback").iterdir())
        return Decimal(json.loads(entries[-1].read_text())["committed"])

    assert Decimal(5) == committed()
    assert 1 == run_batch([clip(seed=1)], limit=limit).reused
    assert Decimal("0.25") == committed()
    assert 1 == len(together_sandbox.charges())


def test_a_request_that_is_claimed_too_late_is_claimed_again(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its money may be somebody else's by then: nothing is sent for that claim, and one charge for the request."""
    late, real = iter([True] * 3), Purse.covers

    def covers(self: Purse, key: str) -> bool:
        return real(self, key) and not (self.mark(key) and next(late, False))

    monkeypatch.setattr(Purse, "covers", covers)
    limit = SpendLimit(name="autumn", usd=Decimal(3))
    result = run_batch(pictures(50), limit=limit)
    assert (50, 50) == (result.kept, len(together_sandbox.charges()))
    assert next(late, None) is None


def test_money_that_a_process_has_in_hand_comes_back_at_its_end(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A batch that is long enough to take money for many requests at once leaves in the limit what it has spent."""
    limit = SpendLimit(name="autumn", usd=Decimal(30))
    assert 60 == run_batch(pictures(60), limit=limit).kept
    entries = sorted((tmp_path / "library" / f"{limit.folder}-loopback").iterdir())
    last = json.loads(entries[-1].read_text())
    assert (60, 60 * Decimal("0.03"), {}) == (len(together_sandbox.charges()), Decimal(last["committed"]), last["holders"])
    assert len(entries) < 60
