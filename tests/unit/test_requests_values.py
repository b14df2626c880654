"""A request is a value: frozen, equal when it asks for the same, and the same again after JSON or a pickle."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from prefect_together.generations.image import ImageRequest
from prefect_together.generations.keyframes import Keyframe
from prefect_together.generations.request import MediaReference, Request, is_remote
from prefect_together.generations.video import VideoRequest

from .making import full_image, full_video, generated_image, image, reference, shown, video

RICH = [
    pytest.param(image(), id="image"),
    pytest.param(full_image(), id="full-image"),
    pytest.param(image(image_url=generated_image(), reference_images=[reference(), "a.png"]), id="image-of-image"),
    pytest.param(video(), id="video"),
    pytest.param(full_video(), id="full-video"),
    pytest.param(video(frame_images=[generated_image(), Keyframe(input_image="b.png", frame=9)]), id="video-of-image"),
    pytest.param(video(prompt=None, frame_images=reference(), media_layout="top_level"), id="top-level"),
]


@pytest.mark.parametrize("request_", RICH)
def test_json_keeps_a_request(request_: Request) -> None:
    """What goes through a Prefect parameter or a result comes out equal, and sends the same body."""
    again = type(request_).model_validate_json(request_.model_dump_json())
    assert request_ == again
    assert request_.body(shown) == again.body(shown)
    assert again == type(request_).model_validate(json.loads(request_.model_dump_json(exclude_unset=True)))


@pytest.mark.parametrize("request_", RICH)
def test_a_pickle_keeps_a_request(request_: Request) -> None:
    """Task runners of other processes get the same request."""
    again = pickle.loads(pickle.dumps(request_))
    assert request_ == again
    assert request_.model_fields_set == again.model_fields_set
    assert request_.body(shown) == again.body(shown)


TEXT = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40)
VISIBLE = TEXT.filter(lambda text: bool(text.strip()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MEDIA = st.sampled_from(["https://example.com/a b.png", "a.png", "/tmp/ü.png", "file:///x.png"]) | st.builds(
    reference, st.binary()
)
IMAGES = st.fixed_dictionaries(
    {"prompt": VISIBLE, "model": VISIBLE},
    optional={
        "width": st.none() | st.integers(1, 10_000),
        "height": st.integers(1, 10_000),
        "aspect_ratio": st.from_regex(r"\A[0-9]{1,2}:[0-9]{1,2}\Z"),
        "n": st.integers(1, 4),
        "steps": st.integers(1, 50),
        "seed": st.integers(0, 2**31 - 1),
        "negative_prompt": st.none() | st.text(alphabet=st.characters(codec="utf-8"), max_size=20),
        "guidance_scale": st.floats(0, 50),
        "image_url": MEDIA,
        "reference_images": st.lists(MEDIA, max_size=3),
        "output_format": st.sampled_from(["jpeg", "png", None]),
        "response_format": st.sampled_from(["url", "base64"]),
        "disable_safety_checker": st.none() | st.booleans(),
        "extra": st.dictionaries(TEXT.map("x_".__add__), JSON, max_size=3),
        "take": st.none() | st.integers(0, 5),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(IMAGES)
def test_any_image_request_survives_json(fields: dict[str, Any]) -> None:
    """Whatever can be asked comes back equal from JSON, and its body is JSON that says the same."""
    request = ImageRequest(**fields)
    assert request == ImageRequest.model_validate_json(request.model_dump_json())
    sent = request.body(lambda _, form, __=None, /: form)
    assert sent == json.loads(json.dumps(sent, allow_nan=False))
    assert [] == [name for name, value in sent.items() if value is None and name not in request.extra]


@pytest.mark.parametrize("model", [ImageRequest, VideoRequest, Keyframe, MediaReference])
def test_the_schema_can_be_drawn(model: type[Request]) -> None:
    """Prefect draws a form from it: every field of a request has its words there."""
    schema = model.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert [] == [name for name, field in schema["properties"].items() if "description" not in field]


@pytest.mark.parametrize("request_", [image(), video()], ids=["image", "video"])
def test_a_request_is_frozen(request_: Request) -> None:
    """Nobody changes a request after it was judged."""
    with pytest.raises(ValidationError, match="frozen"):
        request_.model = "another"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(image(n=1), image(), id="the-default-n"),
        pytest.param(image(reference_images="a.png"), image(reference_images=["a.png"]), id="one-or-a-list"),
        pytest.param(video(seconds=6), video(seconds="6"), id="seconds"),
        pytest.param(video(frame_images="a.png"), video(frame_images=[Keyframe(input_image="a.png")]), id="keyframe"),
        pytest.param(image(image_url=generated_image()), image(image_url=reference()), id="generated-or-reference"),
    ],
)
def test_two_ways_to_ask_for_the_same_are_equal(one: Request, other: Request) -> None:
    """Equal requests are one request, however they were written."""
    assert one == other


def test_a_generated_image_is_kept_as_its_reference() -> None:
    """What made an input is not dragged along: references stay small however long the chain."""
    kept = image(image_url=generated_image()).image_url
    assert MediaReference is type(kept)
    assert reference() == kept


@pytest.mark.parametrize(
    ("request_", "seeded", "count", "title", "kind"),
    [
        pytest.param(image(), False, 1, "a fox in the snow", "image", id="image"),
        pytest.param(image(seed=0, n=4), True, 4, "a fox in the snow", "image", id="seeded"),
        pytest.param(video(seed=1), True, 1, "slow push in", "video", id="video"),
        pytest.param(video(prompt=None, frame_images="a fox.png"), False, 1, "a fox", "video", id="no-prompt"),
    ],
)
def test_what_a_request_says_about_itself(request_: Request, seeded: bool, count: int, title: str, kind: str) -> None:
    """Whether it is reproducible, how many files it makes, and what a person would call it."""
    assert (seeded, count, title, kind) == (request_.seeded, request_.count, request_.title(), request_.kind)


KEPT = "file:///library/images/2026-11-22/a-lighthouse-at-dusk-7f3a9c12-4be1aa.jpg"


@pytest.mark.parametrize(
    ("request_", "title", "label"),
    [
        pytest.param(image(), "a fox in the snow", "a fox in the snow", id="words-alone"),
        pytest.param(image(image_url=KEPT), "a fox in the snow", "a fox in the snow · a lighthouse at dusk", id="edit"),
        pytest.param(video(frame_images=KEPT), "slow push in", "slow push in · a lighthouse at dusk", id="clip"),
        pytest.param(video(prompt=None, frame_images=KEPT), "a lighthouse at dusk", "a lighthouse at dusk", id="no-prompt"),
        pytest.param(
            video(prompt=None, frame_images=[KEPT, "films/dawn_2.png", "c.png"]),
            "a lighthouse at dusk + dawn 2",
            "a lighthouse at dusk + dawn 2",
            id="the-first-two",
        ),
        pytest.param(
            video(prompt=None, source_video="https://example.com/a%20b/my%20clip.mp4?token=s"),
            "my clip",
            "my clip",
            id="link",
        ),
        pytest.param(
            video(frame_images="file:///library/derived/last-frame-0123456789ab.png"),
            "slow push in",
            "slow push in · last frame 0123",
            id="made-here",
        ),
        pytest.param(video(prompt=None, frame_images="https://example.com/"), "example.com", "example.com", id="no-name"),
    ],
)
def test_a_request_is_named_by_what_it_is_made_of(request_: Request, title: str, label: str) -> None:
    """Without a prompt by its first inputs, and where several have one prompt, they are told apart by them."""
    assert (title, label) == (request_.title(), request_.label())


def test_given_names_what_was_set() -> None:
    """The catalogue judges what was asked, not what was left open."""
    assert {"prompt": "a fox in the snow", "width": 512} == image(width=512, height=None, take=1, extra={"a": 1}).given()


@pytest.mark.parametrize(
    ("value", "remote"),
    [
        pytest.param("https://example.com/a.png", True, id="https"),
        pytest.param("http://example.com/a.png", True, id="http"),
        pytest.param("0191e3a8-4c5e-7abc-8def-0123456789ab", True, id="asset-id"),
        pytest.param("a.png", False, id="path"),
        pytest.param("file:///a.png", False, id="file"),
        pytest.param("0191e3a8-4c5e-7abc-8def-0123456789ab.png", False, id="path-like-an-id"),
    ],
)
def test_what_is_passed_on_as_it_is(value: str, remote: bool) -> None:
    """URLs and providers' asset ids are Together's business, everything else is a file of ours."""
    assert remote == is_remote(value)
