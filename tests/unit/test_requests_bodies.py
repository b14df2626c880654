"""What is sent: only what was set, in the forms that Together takes; and which field goes where, decided field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefect_together.generations.image import ImageLora
from prefect_together.generations.keyframes import Keyframe
from prefect_together.generations.request import Request
from prefect_together.generations.video import VideoRequest

from .making import FLUX, HAILUO, full_image, full_video, generated_image, image, reference, shown, video


def body(request: Request) -> dict[str, Any]:
    """Return a body whose media show their form."""
    return request.body(shown)


def test_a_plain_image_sends_little() -> None:
    """Model, prompt and the answer's format: nothing that was not set, because defaults differ from model to model."""
    assert {"model": FLUX, "prompt": "a fox in the snow", "response_format": "url"} == body(image())


def test_a_plain_video_sends_less() -> None:
    """Model and prompt: nothing that was not set."""
    assert {"model": HAILUO, "prompt": "slow push in"} == body(video())


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        pytest.param({"n": 1}, {}, id="n-1-is-not-sent"),
        pytest.param({"n": 2}, {"n": 2}, id="n-2"),
        pytest.param({"seed": 0}, {"seed": 0}, id="zero-is-sent"),
        pytest.param({"seed": None, "width": None}, {}, id="none-is-not-sent"),
        pytest.param({"disable_safety_checker": False}, {"disable_safety_checker": False}, id="false-is-sent"),
        pytest.param({"guidance_scale": 7.0}, {"guidance_scale": 7}, id="integral-float"),
        pytest.param({"guidance_scale": 3.5}, {"guidance_scale": 3.5}, id="float"),
        pytest.param({"take": 3}, {}, id="take-is-not-sent"),
        pytest.param({"image_url": "a.png"}, {"image_url": "data_url:a.png"}, id="image_url"),
        pytest.param({"image_url": Path("a.png")}, {"image_url": "data_url:a.png"}, id="path"),
        pytest.param({"reference_images": "a.png"}, {"reference_images": ["data_url:a.png"]}, id="one-for-a-list"),
        pytest.param(
            {"reference_images": [generated_image(), "https://example.com/b.png"]},
            {"reference_images": ["data_url:file:///library/images/x.png", "data_url:https://example.com/b.png"]},
            id="generated",
        ),
        pytest.param(
            {"image_loras": [ImageLora(path="https://x/l"), {"path": "https://x/m", "scale": 0.5}]},
            {"image_loras": [{"path": "https://x/l", "scale": 1.0}, {"path": "https://x/m", "scale": 0.5}]},
            id="loras",
        ),
        pytest.param({"response_format": "base64"}, {"response_format": "base64"}, id="base64"),
        pytest.param({"extra": {"guidance": 4, "deep": {"a": [1]}}}, {"guidance": 4, "deep": {"a": [1]}}, id="extra"),
    ],
)
def test_an_image_body(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    """What was set is sent, in the form that Together takes."""
    expected = {"model": FLUX, "prompt": "a fox in the snow", "response_format": "url", **sent}
    assert expected == body(image(**fields))
    assert json.dumps(expected, sort_keys=True) == json.dumps(body(image(**fields)), sort_keys=True)  # 7 is not 7.0 here


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        pytest.param({"seconds": 6}, {"seconds": "6"}, id="seconds-int"),
        pytest.param({"seconds": "6"}, {"seconds": "6"}, id="seconds-text"),
        pytest.param({"seconds": 6.0}, {"seconds": "6"}, id="seconds-float"),
        pytest.param({"seconds": " 06 "}, {"seconds": "6"}, id="seconds-untidy"),
        pytest.param({"guidance_scale": 8.0}, {"guidance_scale": 8}, id="integral-float"),
        pytest.param({"generate_audio": False}, {"generate_audio": False}, id="false-is-sent"),
        pytest.param(
            {"frame_images": "a.png"}, {"media": {"frame_images": [{"input_image": "base64:a.png"}]}}, id="one-frame"
        ),
        pytest.param({"frame_images": []}, {}, id="no-frames"),
        pytest.param(
            {
                "frame_images": [
                    Keyframe(input_image="a.png", frame="first"),
                    {"input_image": "b.png", "frame": 12},
                    "c.png",
                    reference(),
                    generated_image(),
                    reference().model_dump(),
                    {"input_image": reference().model_dump(mode="json"), "frame": "last"},
                ]
            },
            {
                "media": {
                    "frame_images": [
                        {"input_image": "base64:a.png", "frame": "first"},
                        {"input_image": "base64:b.png", "frame": 12},
                        {"input_image": "base64:c.png"},
                        {"input_image": "base64:file:///library/images/x.png"},
                        {"input_image": "base64:file:///library/images/x.png"},
                        {"input_image": "base64:file:///library/images/x.png"},
                        {"input_image": "base64:file:///library/images/x.png", "frame": "last"},
                    ]
                }
            },
            id="keyframes",
        ),
        pytest.param(
            {
                "frame_videos": ["a.mp4"],
                "reference_images": ["b.png"],
                "reference_videos": "c.mp4",
                "source_video": "d.mp4",
                "audio_inputs": ["e.wav"],
                "reference_audios": "f.wav",
            },
            {
                "media": {
                    "frame_videos": [{"video": "data_url:a.mp4"}],
                    "reference_images": ["data_url:b.png"],
                    "reference_videos": [{"video": "data_url:c.mp4"}],
                    "source_video": "data_url:d.mp4",
                    "audio_inputs": ["data_url:e.wav"],
                    "reference_audios": ["data_url:f.wav"],
                }
            },
            id="media",
        ),
        pytest.param(
            {"frame_images": "a.png", "reference_images": "b.png", "media_layout": "top_level"},
            {"frame_images": [{"input_image": "base64:a.png"}], "reference_images": ["data_url:b.png"]},
            id="top-level",
        ),
        pytest.param({"media_layout": "top_level"}, {}, id="top-level-without-media"),
        pytest.param(
            {"frame_images": "a.png", "extra": {"media": {"reference_audios": ["x"]}}},
            {"media": {"frame_images": [{"input_image": "base64:a.png"}], "reference_audios": ["x"]}},
            id="extra-one-level-down",
        ),
        pytest.param(
            {"extra": {"media": {"reference_audios": ["x"]}}}, {"media": {"reference_audios": ["x"]}}, id="extra-media"
        ),
        pytest.param({"extra": {"settings": {"audio": False}}}, {"settings": {"audio": False}}, id="extra-settings"),
    ],
)
def test_a_video_body(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    """What was set is sent, in the form that Together takes."""
    expected = {"model": HAILUO, "prompt": "slow push in", **sent}
    assert expected == body(video(**fields))
    assert json.dumps(expected, sort_keys=True) == json.dumps(body(video(**fields)), sort_keys=True)


def test_keyframes_need_no_prompt() -> None:
    """A Kling request may say everything with its frames."""
    sent = body(VideoRequest(model="kwaivgI/kling-2.1-standard", frame_images="a.png"))
    assert {"model": "kwaivgI/kling-2.1-standard", "media": {"frame_images": [{"input_image": "base64:a.png"}]}} == sent


@pytest.mark.parametrize("request_", [full_image(), full_video()], ids=["image", "video"])
def test_writing_a_body_leaves_the_request_as_it_was(request_: Request) -> None:
    """A body can be written twice, and is the same twice."""
    before = request_.model_dump_json()
    assert body(request_) == body(request_)
    assert before == request_.model_dump_json()


def test_media_inputs_are_told_with_their_forms() -> None:
    """Each input is told once for each place, with the form in which a local file would be sent and what it has to be."""
    told = [
        tuple(use)
        for use in video(frame_images=["a.png", "a.png"], reference_images="a.png", audio_inputs="b.wav").media_inputs()
    ]
    frame = ("a.png", "base64", "image")
    assert [frame, frame, ("a.png", "data_url", "image"), ("b.wav", "data_url", "audio")] == told
    assert [] == list(image().media_inputs())


# Every field, and what becomes of it. A new field fails the test below until somebody decides.
BODY = "in the body and in the identity"
TRANSPORT = "says how to send or to answer: in the body at most, never in the identity"
NEVER_SENT = "in the identity, never in the body"
PROVENANCE = "neither in the body nor in the identity"
MERGED = "its content is merged into the body and the identity"
IMAGE_FIELDS = {
    "model": BODY,
    "prompt": BODY,
    "width": BODY,
    "height": BODY,
    "aspect_ratio": BODY,
    "n": BODY,
    "steps": BODY,
    "seed": BODY,
    "negative_prompt": BODY,
    "guidance_scale": BODY,
    "image_url": BODY,
    "reference_images": BODY,
    "image_loras": BODY,
    "prompt_upsampling": BODY,
    "output_format": BODY,
    "response_format": TRANSPORT,
    "disable_safety_checker": BODY,
    "extra": MERGED,
    "take": NEVER_SENT,
    "based_on": PROVENANCE,
}
VIDEO_FIELDS = {
    "model": BODY,
    "prompt": BODY,
    "width": BODY,
    "height": BODY,
    "resolution": BODY,
    "ratio": BODY,
    "seconds": BODY,
    "fps": BODY,
    "steps": BODY,
    "seed": BODY,
    "guidance_scale": BODY,
    "output_format": BODY,
    "output_quality": BODY,
    "negative_prompt": BODY,
    "generate_audio": BODY,
    "frame_images": BODY,
    "frame_videos": BODY,
    "reference_images": BODY,
    "reference_videos": BODY,
    "source_video": BODY,
    "audio_inputs": BODY,
    "reference_audios": BODY,
    "media_layout": TRANSPORT,
    "extra": MERGED,
    "take": NEVER_SENT,
    "based_on": PROVENANCE,
}
BOTH = pytest.mark.parametrize(
    ("request_", "fates"),
    [pytest.param(full_image(), IMAGE_FIELDS, id="image"), pytest.param(full_video(), VIDEO_FIELDS, id="video")],
)


@BOTH
def test_the_fate_of_every_field_is_decided(request_: Request, fates: dict[str, str]) -> None:
    """A new field fails here until somebody says whether it is sent, and whether it makes another picture."""
    assert set(fates) == set(type(request_).model_fields)
    assert set(fates) == {name for name in request_.model_fields_set if getattr(request_, name) is not None}


@BOTH
def test_every_field_goes_where_it_is_decided(request_: Request, fates: dict[str, str]) -> None:
    """The full request has each body field in its body and each identity field in its identity, and nothing else."""
    sent, identity = body(request_), request_.identity(shown)
    flat, known = {**sent, **sent.get("media", {})}, {**identity, **identity.get("media", {})}
    for name, fate in fates.items():
        if fate == BODY:
            assert (True, True) == (name in flat, name in known), name
        elif fate == TRANSPORT:
            assert name not in known, name
        elif fate == NEVER_SENT:
            assert (False, True) == (name in flat, name in known), name
        elif fate == PROVENANCE:
            assert (False, False) == (name in flat, name in known), name
        else:
            assert [] == [inner for inner in request_.extra if inner not in flat or inner not in known]
    in_body = {name for name, fate in fates.items() if fate == BODY} | set(request_.extra) | {"media", "response_format"}
    assert set() == set(flat) - in_body
