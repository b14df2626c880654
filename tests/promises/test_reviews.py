"""A review that nobody answers, and one that cannot be asked; those that a person answers are in tests/ui."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from prefect import flow

from prefect_together import GeneratedImage, areview_images, generate_image, review_images
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import picture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("policy", "approved"), [pytest.param("keep", 2, id="keep"), pytest.param("drop", 0, id="drop")])
def test_nobody_answers(policy: Any, approved: int, together_sandbox: Sandbox) -> None:
    """When the time is up the policy decides, the run goes on, and the report says what dropping saved."""

    @flow
    def work() -> Any:
        made = [generate_image(picture(seed=seed)) for seed in (1, 2)]
        done = review_images(made, price=Decimal("0.56"), timeout=1, on_timeout=policy, poll_interval=1)
        return len(done.approved), done.timed_out, done.saved, str(done)

    count, timed_out, saved, said = work()
    assert (approved, True, Decimal("0.56") * (2 - approved)) == (count, timed_out, saved)
    assert ("saved about $1.12" in said) == (policy == "drop")


def test_nobody_answers_an_async_flow(together_sandbox: Sandbox) -> None:
    """The async twin does the same."""

    @flow
    async def work(made: list[GeneratedImage]) -> Any:
        done = await areview_images(made, timeout=1, on_timeout="keep", poll_interval=1)
        return len(done.approved)

    assert 1 == asyncio.run(work([generate_image(picture(seed=1))]))


def test_a_review_says_what_it_cannot_do(together_sandbox: Sandbox) -> None:
    """Outside of a flow, with too many pictures, or with a policy that needs a process: one sentence."""
    made = generate_image(picture(seed=1))
    with pytest.raises(ConfigurationError, match="call it in a flow"):
        review_images([made])

    @flow
    def too_many() -> None:
        review_images([made] * 41)

    @flow
    def suspended() -> None:
        review_images([made], how="suspend", on_timeout="keep")

    for wrong in (too_many, suspended):
        with pytest.raises(InvalidRequest):
            wrong()
