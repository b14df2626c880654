"""A wish becomes prompts, and these pictures: once, however often it is asked, and wherever it was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from prefect_together import DerivedMedia, GeneratedImage, GeneratedText, InvalidOutput, Plan
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

CHAT, IMAGES = "POST /v1/chat/completions", "POST /v1/images/generations"
WISH = "a calm morning by the sea"


def _kinds(together: Sandbox) -> dict[str, int]:
    return dict(Counter(charge.kind for charge in together.charges()))


def test_a_wish_becomes_pictures_once(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """As many prompts as were asked for, a picture of each, and a sheet; a rerun pays nothing, and a plan knows that."""
    flow = load("expand").expand
    before = flow(WISH, count=3, plan=True)
    assert isinstance(before, Plan)
    assert 1 == before.send
    assert "Then 3 pictures by black-forest-labs/FLUX.2-pro, about $0.03 each at one megapixel" in before.text()
    assert [] == together_sandbox.charges()
    made = flow(WISH, count=3)
    assert [GeneratedText, *[GeneratedImage] * 3, DerivedMedia] == list(map(type, made))
    prompts = made[0].data["prompts"]
    assert prompts == [one.request.prompt for one in made[1:4]]
    assert 3 == len(set(prompts))
    assert {"chat": 1, "image": 3} == _kinds(together_sandbox)
    after = flow(WISH, count=3, plan=True)
    assert (0, 4) == (after.send, after.reused), after.text()
    again = flow(WISH, count=3)
    assert [one.sha256 for one in made[1:]] == [one.sha256 for one in again[1:]]
    assert {"chat": 1, "image": 3} == _kinds(together_sandbox)


@pytest.mark.parametrize("model", ["black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.1-kontext-pro"])
def test_the_shape_is_in_the_field_that_a_model_takes(
    model: str, load: Callable[[str], Any], together_sandbox: Sandbox
) -> None:
    """An aspect ratio, or width and height of that proportion: the pictures are wide."""
    made = load("expand").expand(WISH, count=1, aspect_ratio="16:9", model=model)
    assert made[1].width > 1.6 * made[1].height


def test_an_expansion_that_is_none(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """It ends the flow before a picture is paid for, and says what it cost; a rerun asks nobody again."""
    together_sandbox.fault(CHAT, "json_wrong", times=2)
    for _ in range(2):
        with pytest.raises((InvalidOutput, InvalidRequest), match="answered what was not asked for"):
            load("expand").expand(WISH)
        assert {"chat": 2} == _kinds(together_sandbox)


def test_a_picture_that_is_refused(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """The others are made and shown."""
    together_sandbox.fault(IMAGES, "422")
    made = load("expand").expand(WISH, count=3)
    assert 2 == sum(isinstance(one, GeneratedImage) for one in made)


@pytest.mark.parametrize(("at", "after"), [(IMAGES, 1), (IMAGES, 3)], ids=["written", "drawing"])
def test_killed_and_started_again(
    at: str, after: int, environment: dict[str, str], command: Command, killed: Killed, together_sandbox: Sandbox
) -> None:
    """Killed when the prompts are written, or some pictures drawn: the next run pays for the others, by the same prompts."""
    environment["PREFECT_INTEGRATIONS_TOGETHER_MAX_CONNECTIONS"] = "2"  # not all at once, before it could be killed
    killed("expand.py", "--wish", WISH, "--count", "20", at=at, after=after)
    assert after <= len(together_sandbox.charges()) < 21
    done = command("expand.py", "--wish", WISH, "--count", "20")
    assert 0 == done.returncode, done.stderr
    assert {"chat": 1, "image": 20} == _kinds(together_sandbox)
    again = command("expand.py", "--wish", WISH, "--count", "20")
    assert "Paid in this run: nothing, all 21 reused." in again.stdout
    assert 21 == len(together_sandbox.charges())
