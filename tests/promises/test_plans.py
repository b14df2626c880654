"""What would be sent and paid is said before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from prefect import flow

from prefect_together import Plan, VideoRequest, agenerate_batch, aplan, generate_batch, plan
from prefect_together.errors import ConfigurationError
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, clip, picture


@flow
def _plan(requests: Any, **options: Any) -> Plan:
    return plan(requests, **options)


def test_a_plan_counts_prices_and_sends_nothing(together_sandbox: Sandbox) -> None:
    """Reused, refused, unknown and new requests are told apart; unknown prices are no zeros; nothing is sent."""
    together_sandbox.fault(IMAGES, "accept_then_close", match="lost")
    generate_batch([picture("kept", seed=1), picture("lost", seed=2)], on_unknown="fail")
    before = len(together_sandbox.requests())
    requests = [
        picture("kept", seed=1),
        picture("lost", seed=2),
        picture("new", seed=3),
        picture("new", seed=3),
        picture("newer", seed=4),
        clip(seed=5),
        VideoRequest(prompt="x", model="kwaivgI/kling-2.1-pro"),
    ]
    found = _plan(requests, max_cost="0.04")
    assert (3, 2, 1, 1) == (found.send, found.reused, found.unknown, found.refused)
    assert (Decimal("0.06"), 1, Decimal("5.06")) == (found.cost, found.unknown_prices, found.most)
    assert Decimal("0.03") == found.at_risk
    assert 2 == found.over
    assert "Row 7" in found.problems[0]
    assert before == len(together_sandbox.requests())


def test_what_a_plan_says_is_what_happens(together_sandbox: Sandbox) -> None:
    """After a plan of three to send and one reused, three are charged and one is reused."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(4)]
    generate_batch(requests[:1])
    found, result = _plan(requests), generate_batch(requests)
    assert (found.send, found.reused) == (result.kept, result.reused) == (3, 1)
    assert found.cost == result.estimated_cost


def test_a_plan_shows_both_ends_of_a_price(together_sandbox: Sandbox) -> None:
    """Where sound or quality is left open, the list price and the most are both said, and the most counts for max_cost."""
    requests = [
        VideoRequest(prompt="x", model="google/veo-3.1", seconds=4, seed=1),
        VideoRequest(prompt="x", model="google/veo-3.1", seconds=4, seed=1, generate_audio=False),
    ]
    found = _plan(requests, max_cost="1.00")
    assert (Decimal("0.64"), Decimal("2.72"), Decimal("2.72")) == (found.cost, found.cost_at_most, found.most)
    assert "about $0.64" in str(found)
    assert "at most $2.72" in str(found)
    assert 1 == found.over
    assert (2 * found.cost, 2 * found.most) == ((found + found).cost, (found + found).most)
    assert "at most" not in str(_plan([picture("a fox", seed=1)]))


async def test_a_plan_needs_no_key(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is found without a key too, by both twins; a batch still needs one."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(3)]
    await agenerate_batch(requests[:1])
    monkeypatch.delenv("TOGETHER_API_KEY")
    for found in (plan(requests), await aplan(requests)):
        assert (2, 1) == (found.send, found.reused)
    with pytest.raises(ConfigurationError, match="no API key"):
        await agenerate_batch(requests)
