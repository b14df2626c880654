"""What would be sent and paid is said before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_together import Plan, VideoRequest, agenerate_batch, aplan, generate_batch, generate_image, plan
from prefect_together.errors import ConfigurationError
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, clip, picture, shown


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


def test_a_plan_names_what_would_be_sent(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """In order, a line each with model, price and words, then the total; the same is a table among the run's artifacts."""
    (tmp_path / "a boat.png").write_bytes(generate_image(picture("a boat", seed=1)).read_bytes())
    requests = [
        *(picture(f"number {seed}", seed=seed) for seed in range(52)),
        clip("waves", frame_images=tmp_path / "a boat.png"),
    ]
    found = _plan([*requests[:2], requests[-1]])
    assert [
        "FLUX.2-pro  about $0.03    seed 0  number 0",
        "FLUX.2-pro  about $0.03    seed 1  number 1",
        "tiny        price unknown          waves · a boat",
    ] == found.text().splitlines()[:3]
    assert str(found) == found.text().splitlines()[3]
    assert "| FLUX.2-pro | about \\$0.03 | seed 1 | number 1 |" in shown("plan")[0].data
    many = plan(requests)
    assert [*range(1, 51)] == [planned.row for planned in many.to_send]
    assert "… and 3 more." == many.text().splitlines()[50]


def test_what_a_plan_says_is_what_happens(together_sandbox: Sandbox) -> None:
    """After a plan of three to send and one reused, three are charged and one is reused."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(4)]
    generate_batch(requests[:1])
    found, result = _plan(requests), generate_batch(requests)
    assert (found.send, found.reused) == (result.kept, result.reused) == (3, 1)
    assert found.cost == result.estimated_cost


async def test_a_plan_needs_no_key(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is found without a key too, by both twins; a batch still needs one."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(3)]
    await agenerate_batch(requests[:1])
    monkeypatch.delenv("TOGETHER_API_KEY")
    for found in (plan(requests), await aplan(requests)):
        assert (2, 1) == (found.send, found.reused)
    with pytest.raises(ConfigurationError, match="no API key"):
        await agenerate_batch(requests)
