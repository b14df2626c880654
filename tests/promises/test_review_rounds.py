"""Pictures are reviewed and made again until nobody wants them otherwise: each once, in their places, paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from prefect import flow

from prefect_together import (
    GeneratedImage,
    KeptFile,
    Review,
    aapproved_images,
    approved_images,
    generate_image,
)
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox
from prefect_together.ui.review_form import Decision

from .asking import picture


class Reviewer:
    """Somebody who answers each round as written down, such as ``["approve", "redo: brighter", "drop"]``."""

    def __init__(self, *rounds: list[str]) -> None:
        self.rounds = list(rounds)
        self.keys: list[str] = []

    def __call__(self, images: Sequence[KeptFile], **how: Any) -> Review:
        self.keys.append(how["key"])
        said = [word.partition(": ") for word in (self.rounds.pop(0) if images else [])]
        return Review(tuple(Decision(image, word[0], word[2]) for image, word in zip(images, said, strict=True)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def later(self, images: Sequence[KeptFile], **how: Any) -> Review:
        """Answer an async flow."""
        return self(images, **how)


def _asked(monkeypatch: pytest.MonkeyPatch, reviewer: Reviewer) -> None:
    monkeypatch.setattr("prefect_together.tasks.review.review_images", reviewer)
    monkeypatch.setattr("prefect_together.tasks.review.areview_images", reviewer.later)


def test_what_is_wanted_otherwise_is_made_again_and_asked_about(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the note behind its prompt, in its place; what was dropped is None, and is not asked about again."""
    reviewer = Reviewer(["approve", "redo: brighter", "drop"], ["approve", "redo: still brighter"], ["approve", "approve"])
    _asked(monkeypatch, reviewer)
    made = [generate_image(picture(f"fox {number}", seed=7)) for number in range(3)]
    left = flow(lambda: approved_images(made))()
    assert [made[0], None] == [left[0], left[2]]
    assert left[1] is not None
    assert ("fox 1. brighter. still brighter", 2) == (left[1].request.prompt, left[1].request.take)
    assert (["review-1", "review-2", "review-3"], 5) == (reviewer.keys, len(together_sandbox.charges()))


def test_equal_pictures_are_decided_upon_each(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two that are the same is dropped, and the other stays."""
    _asked(monkeypatch, Reviewer(["drop", "approve"]))
    made = generate_image(picture(seed=7))
    assert [None, made] == flow(lambda: approved_images([made, made]))()


@pytest.mark.parametrize(("rounds", "asked"), [(1, 1), (2, 2)])
def test_rounds_are_bounded(rounds: int, asked: int, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made again in the last round is not asked about."""
    reviewer = Reviewer(*[["redo"]] * 2)
    _asked(monkeypatch, reviewer)
    made = [generate_image(picture(seed=7))]
    (left,) = flow(lambda: approved_images(made, rounds=rounds))()
    assert (asked, 1 + asked) == (len(reviewer.keys), len(together_sandbox.charges()))
    assert isinstance(left, GeneratedImage)
    with pytest.raises(InvalidRequest, match="rounds is 0"):
        approved_images(made, rounds=0)


def test_async_flows_ask_too(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin does the same; where all are dropped nobody is asked again."""
    reviewer = Reviewer(["drop"])
    _asked(monkeypatch, reviewer)

    @flow
    async def work() -> Any:
        return await aapproved_images([generate_image(picture(seed=7))])

    assert [None] == asyncio.run(work())
    assert ["review-1"] == reviewer.keys
