"""Every flow says before money what it would send: nothing is sent by the plan, and afterwards it says that all is kept."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from prefect_together import (
    ChatRequest,
    ImageRequest,
    InvalidOutput,
    MediaReference,
    Plan,
    VideoRequest,
    aexpected,
    expected,
    generate_batch,
    generate_image,
    generate_text,
    plan,
)
from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.generations.image import GeneratedImage
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

FLOWS = Path(__file__).parents[2] / "flows"
TINY: dict[str, Any] = {"video_model": "sandbox/tiny"}
STILL = ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro", width=64, height=64, seed=7)


def _clip(frame: MediaReference) -> VideoRequest:
    return VideoRequest(prompt="push in", model="sandbox/tiny", frame_images=[frame], seed=7)


def _flow(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FLOWS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        pytest.param("image_to_video", {**TINY, "width": 64, "height": 64}, 2, id="image-to-video"),
        pytest.param("daily", TINY, 2, id="daily"),
        pytest.param("compare_models", {"prompts": ["a fox"]}, 6, id="compare-models"),
        pytest.param("edit_chain", {"edits": ["at night", "in snow"]}, 3, id="edit-chain"),
        pytest.param("storyboard", {**TINY, "width": 64, "height": 64, "review": False}, 6, id="storyboard"),
        pytest.param(
            "storyboard",
            {**TINY, "width": 64, "height": 64, "review": False, "continuity": "chain"},
            6,
            id="storyboard-chain",
        ),
    ],
)
def test_a_flow_plans_what_it_then_does(name: str, options: dict[str, Any], count: int, together_sandbox: Sandbox) -> None:
    """So many to send; then they are charged, once each; then all of them are reused, the links of a chain too."""
    flow = _flow(name)
    before = flow(**options, plan=True)
    assert isinstance(before, Plan)
    assert (count, 0) == (before.send, before.reused), before.text()
    assert [] == together_sandbox.charges()
    flow(**options)
    assert count == len(together_sandbox.charges())
    after = flow(**options, plan=True)
    assert (0, count) == (after.send, after.reused), after.text()
    assert count == len(together_sandbox.charges())


@pytest.mark.usefixtures("prefect_server")
async def test_what_is_kept_is_expected_as_it_is(together_sandbox: Sandbox) -> None:
    """The file itself once it is there, else a stand-in; without a key, and nothing is sent for it."""
    assert not isinstance(expected(STILL), GeneratedImage)
    assert [] == together_sandbox.requests()
    made = generate_image(STILL)
    found = await aexpected(STILL)
    assert isinstance(found, GeneratedImage)
    assert (made.uri, True) == (found.uri, found.reused)
    assert not isinstance(expected(STILL, reuse="never"), GeneratedImage)


@pytest.mark.parametrize(
    ("repair", "spoilt"), [(0, 0), (1, 1), (1, 2), (3, 2)], ids=["good", "repaired", "invalid", "repaired-twice"]
)
def test_an_answer_is_expected_as_its_task_returns_it(repair: int, spoilt: int, together_sandbox: Sandbox) -> None:
    """None while it is still to be asked for; then the last one that was paid for, by its schema or not. Nothing is sent."""
    asked = ChatRequest(
        prompt="Name a fox.", model="openai/gpt-oss-120b", seed=7, response_format={"type": "object", "required": ["name"]},
        repair=repair,
    )  # fmt: skip
    assert expected(asked) is None
    assert [] == together_sandbox.requests()
    if spoilt:
        together_sandbox.fault("POST /v1/chat/completions", "json_wrong", times=spoilt)
    with suppress(InvalidOutput):
        generate_text(asked)
    sent = len(together_sandbox.requests())
    found = expected(asked)
    assert found is not None
    again = generate_batch([asked], fail_on="never").results
    assert (min(spoilt, repair) + 1, again[-1]) == (len(again), found)
    assert (spoilt > repair) == bool(found.fault())
    assert sent == len(together_sandbox.requests())


def test_what_is_not_known_yet_stands_below_the_sum() -> None:
    """A plan says it in a sentence, and so does the sum of that plan and another one."""
    both = Plan(send=1).noting("What comes then depends on an answer.") + Plan(send=2)
    assert "What comes then depends on an answer." == both.text().splitlines()[-1]
    assert str(both).startswith("3 to send")


def test_a_stand_in_is_not_sent(together_sandbox: Sandbox) -> None:
    """It says what it is, before anything is paid."""
    from prefect_together import generate_video

    with pytest.raises(InvalidRequest, match="stands for it in plans only"):
        generate_video(_clip(expected(STILL)))
    assert [] == together_sandbox.charges()


@pytest.mark.usefixtures("prefect_server")
def test_a_plan_goes_on_where_a_file_is_gone(together_sandbox: Sandbox) -> None:
    """Its row says so, and so does that of the clip which needs it; the rows around them are planned. Nothing is sent for it."""
    from prefect_together import generate_video

    gone, there = STILL, STILL.model_copy(update={"seed": 8})
    made, _ = generate_image(gone), generate_image(there)
    made.path().unlink()
    clips = [_clip(expected(still)).model_copy(update={"seed": 9}) for still in (gone, there)]
    assert not isinstance(expected(gone), GeneratedImage)
    found = plan([gone, there, *clips])
    assert (1, 1, 2) == (found.send, found.reused, found.refused)
    for row, problem in zip((1, 3), found.problems, strict=True):
        assert problem.startswith(f"Row {row}: ")
        assert f"{made.uri}" in problem
        assert "not in the library any more" in problem
    generate_video(clips[1])
    with pytest.raises(MediaError, match="not in the library any more"):
        generate_image(gone)
    assert 3 == len(together_sandbox.charges())


@pytest.mark.usefixtures("prefect_server")
def test_a_clip_that_is_kept_needs_its_picture_no_more(together_sandbox: Sandbox) -> None:
    """The picture that it was made of may be gone: the clip is there, and planned as reused."""
    from prefect_together import generate_video

    made = generate_image(STILL)
    generate_video(_clip(made))
    made.path().unlink()
    assert 1 == plan([_clip(expected(STILL))]).reused


def test_what_a_person_has_to_approve_is_a_range(together_sandbox: Sandbox) -> None:
    """From nothing approved to all of it; what is decided already stays as it is."""
    stills = plan([STILL, STILL.model_copy(update={"seed": 8})])
    clip = VideoRequest(prompt="push in", model="minimax/hailuo-02", frame_images=[expected(STILL)], seed=7)
    both = stills + plan([clip]).if_approved()
    assert (3, 1) == (both.send, both.to_approve)
    assert (stills.cost, plan([clip]).cost) == (both.least, both.to_approve_cost)
    assert both.least < both.cost
    assert f"about ${both.least.normalize():f} to ${both.cost.normalize():f} by list price" in str(both)
    assert "1 of them are sent only if" in str(both)
    assert "only if" not in str(stills)
    assert stills.least == stills.cost


@pytest.mark.parametrize("review", [True, False])
def test_a_storyboard_plans_what_is_not_approved_yet(review: bool, together_sandbox: Sandbox) -> None:
    """Three clips wait for a person, where one is asked."""
    found = _flow("storyboard")(**TINY, width=64, height=64, review=review, plan=True)
    assert (6, 3 if review else 0) == (found.send, found.to_approve)


def test_plans_add_up(together_sandbox: Sandbox) -> None:
    """Pictures first, clips of them afterwards: counts, money, models and problems of both."""
    frame = expected(STILL)
    wrong = VideoRequest(prompt="x", model="kwaivgI/kling-2.1-pro")
    both = plan([STILL]) + plan([_clip(frame), wrong])
    assert (2, 1, 1) == (both.send, both.unknown_prices, both.refused)
    assert {"black-forest-labs/FLUX.2-pro": 1, "sandbox/tiny": 1} == both.models
    assert plan([STILL]).cost == both.cost
    assert both.problems[0] in both.text()
    assert both.most == both.cost + both.worst_case
    assert [] == together_sandbox.requests()
