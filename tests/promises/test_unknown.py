"""A paid request that was sent and never answered is not sent again, but where one accident is cheap enough."""

from __future__ import annotations

import pickle
from decimal import Decimal

import pytest
from prefect import flow

from prefect_together import TogetherCredentials, generate_batch, generate_image, generate_video, reconcile
from prefect_together.errors import TogetherError, UnknownOutcome
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, VIDEOS, dear_clip, picture

LOST_ANSWERS = [
    pytest.param("accept_then_close", {}, id="closed"),
    pytest.param("accept_then_close", {"reset": True}, id="reset"),
    pytest.param("html", {}, id="html"),
    pytest.param("invalid_json", {}, id="invalid-json"),
    pytest.param("500", {"charged": True}, id="500"),
    pytest.param("502", {"charged": True}, id="502"),
    pytest.param("504", {"charged": True}, id="504"),
]


@pytest.mark.parametrize(("fault", "options"), LOST_ANSWERS)
def test_a_cheap_picture_is_sent_again_once_with_a_warning(
    fault: str, options: dict[str, bool], together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A $0.03 picture whose answer was lost is sent again: two charges at most, and the log says so."""
    together_sandbox.fault(IMAGES, fault, **options)  # pyright: ignore[reportArgumentType]
    generate_image(picture(seed=1))
    assert 2 == len(together_sandbox.charges())
    assert "It may have been paid for once already (about $0.03" in caplog.text


def test_a_second_accident_in_a_row_is_not_forgiven(together_sandbox: Sandbox) -> None:
    """Where every answer is lost, two charges is the most, however often the flow runs."""
    together_sandbox.fault(IMAGES, "accept_then_close", times=99)

    @flow(retries=2)
    def stubborn() -> None:
        generate_image(picture(seed=1))

    for _ in range(2):
        with pytest.raises(UnknownOutcome):
            stubborn()
    assert 2 == len(together_sandbox.charges())


@pytest.mark.parametrize("seed", [pytest.param(7, id="seeded"), pytest.param(None, marks=pytest.mark.slow, id="unseeded")])
@pytest.mark.parametrize(("fault", "options"), LOST_ANSWERS)
def test_a_dear_clip_is_not_sent_again(
    fault: str, options: dict[str, bool], seed: int | None, together_sandbox: Sandbox
) -> None:
    """A $0.30 clip whose answer was lost is one charge, in this run, its retries, and later runs."""
    together_sandbox.fault(VIDEOS, fault, **options)  # pyright: ignore[reportArgumentType]

    @flow(retries=1)
    def clips() -> None:
        generate_video(dear_clip(seed=seed))

    with pytest.raises(UnknownOutcome):
        clips()
    with pytest.raises(UnknownOutcome) as caught:
        clips()
    assert 1 == len(together_sandbox.charges())
    error = caught.value
    assert Decimal("0.30") == error.at_risk
    assert not error.retryable
    for said in ("pixverse-v5", "$0.30", "may have been charged", 'on_unknown="resubmit"', str(error.key)):
        assert said in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_resubmit_sends_a_dear_clip_again(together_sandbox: Sandbox) -> None:
    """`on_unknown="resubmit"` is how a person decides: the next run sends it, once."""
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=7))
    assert generate_video(dear_clip(seed=7), on_unknown="resubmit").verify()
    assert 2 == len(together_sandbox.charges())


def test_fail_sends_nothing_again(together_sandbox: Sandbox) -> None:
    """`on_unknown="fail"` forgives nothing, however cheap."""
    together_sandbox.fault(IMAGES, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_image(picture(seed=7), on_unknown="fail")
    assert 1 == len(together_sandbox.charges())


def test_an_unknown_price_is_not_cheap(together_sandbox: Sandbox) -> None:
    """A model without a known price is not sent again, and the error does not say $0."""
    together_sandbox.fault(IMAGES, "accept_then_close")
    with pytest.raises(UnknownOutcome, match="its price is not known") as caught:
        generate_image(picture(model="sandbox/new", seed=7))
    assert caught.value.at_risk is None


def test_an_answer_that_takes_too_long_is_unknown(together_sandbox: Sandbox) -> None:
    """A read timeout never leads to another POST of something dear: what the official SDK does three times."""
    together_sandbox.fault(VIDEOS, "accept_then_delay", seconds=3)
    impatient = TogetherCredentials(timeout=0.5)
    with pytest.raises(UnknownOutcome, match="no answer came in time"):
        generate_video(dear_clip(seed=7), credentials=impatient)
    assert (1, 1) == (together_sandbox.count("/v2/videos"), len(together_sandbox.charges()))


def test_a_connection_that_breaks_on_reuse_is_unknown_too(together_sandbox: Sandbox) -> None:
    """A kept-alive connection that is closed on the second request is no proof that nothing was sent."""
    generate_video(dear_clip(seed=1))
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=2))
    assert 2 == len(together_sandbox.charges())


@pytest.mark.parametrize(
    ("route", "make"), [pytest.param(IMAGES, "image", id="image"), pytest.param(VIDEOS, "video", id="video")]
)
def test_a_request_that_was_not_taken_is_found_out_by_nobody(route: str, make: str, together_sandbox: Sandbox) -> None:
    """A server that hangs up before accepting looks the same from here: unknown as well, for we cannot tell."""
    together_sandbox.fault(route, "close_before_accepting")
    if make == "image":
        assert generate_image(picture(seed=1)).verify()
        return
    with pytest.raises(TogetherError, match="may have been charged"):
        generate_video(dear_clip(seed=1))
    assert 0 == len(together_sandbox.charges())


def test_what_a_budget_refuses_stays_undecided(together_sandbox: Sandbox) -> None:
    """An unknown outcome is let go when its request is sent again, and not before: a limit that has no room sends nothing."""
    together_sandbox.fault(IMAGES, "accept_then_close", times=1)
    request = picture(seed=1)
    with pytest.raises(UnknownOutcome):
        generate_image(request, on_unknown="fail")
    posts = together_sandbox.count("/v1/images")
    refused = generate_batch([request], on_unknown="resubmit", max_cost="0.01", fail_on="never")
    assert (0, 0) == (refused.kept, refused.reused)
    assert 1 == len(reconcile().undecided)
    with pytest.raises(UnknownOutcome):
        generate_image(request, on_unknown="fail")
    assert posts == together_sandbox.count("/v1/images")
    assert generate_image(request, on_unknown="resubmit").verify()
    assert [] == reconcile().undecided
