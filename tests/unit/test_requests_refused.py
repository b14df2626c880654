"""What cannot be sent never becomes a request, and one sentence says which field, which value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.video import VideoRequest

from .making import image, video

LONG = "x" * 5000


def refused(make: Any, **fields: Any) -> str:
    """Return the message of the refusal."""
    with pytest.raises(InvalidRequest) as caught:
        make(**fields)
    return str(caught.value)


def one_clear_sentence(message: str) -> bool:
    """Tell whether a message is short, on one line and without pydantic's own wording."""
    noise = ("validation error", "errors.pydantic.dev", "[type=", "Value error")
    return (
        "\n" not in message and message.endswith((".", "?")) and len(message) < 300 and not any(n in message for n in noise)
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"widht": 5}, ["'widht'", "5", "'width'"], id="typo"),
        pytest.param({"sizzle": 5}, ["'sizzle'", "5", "extra"], id="unknown"),
        pytest.param({"n": 5}, ["ImageRequest.n", "5", "1 to 4"], id="n-5"),
        pytest.param({"n": 0}, ["ImageRequest.n", "0", "1 to 4"], id="n-0"),
        pytest.param({"n": 1.5}, ["ImageRequest.n", "1.5"], id="n-broken"),
        pytest.param({"steps": 51}, ["ImageRequest.steps", "51", "1 to 50"], id="steps-51"),
        pytest.param({"steps": 0}, ["ImageRequest.steps", "0", "1 to 50"], id="steps-0"),
        pytest.param({"seed": -1}, ["ImageRequest.seed", "-1", "0 to 2147483647"], id="seed-negative"),
        pytest.param({"seed": 2**31}, ["ImageRequest.seed", "2147483648", "0 to 2147483647"], id="seed-2**31"),
        pytest.param({"prompt": ""}, ["ImageRequest.prompt", "empty"], id="prompt-empty"),
        pytest.param({"prompt": "  "}, ["ImageRequest.prompt", "'  '", "empty"], id="prompt-blank"),
        pytest.param({"prompt": "\n\t"}, ["ImageRequest.prompt", "empty"], id="prompt-newline"),
        pytest.param({"prompt": None}, ["ImageRequest.prompt", "None"], id="prompt-none"),
        pytest.param({"prompt": "\ud800"}, ["ImageRequest.prompt"], id="prompt-half-a-surrogate"),
        pytest.param({"model": ""}, ["ImageRequest.model", "empty"], id="model-empty"),
        pytest.param({"width": 0}, ["ImageRequest.width", "0", "1 or more"], id="width-0"),
        pytest.param({"width": "wide"}, ["ImageRequest.width", "'wide'"], id="width-word"),
        pytest.param({"height": -8}, ["ImageRequest.height", "-8", "1 or more"], id="height-negative"),
        pytest.param({"aspect_ratio": "16x9"}, ["ImageRequest.aspect_ratio", "'16x9'", "16:9"], id="aspect_ratio"),
        pytest.param({"output_format": "gif"}, ["ImageRequest.output_format", "'gif'", "'jpeg'", "'png'"], id="format"),
        pytest.param(
            {"response_format": "b64_json"}, ["ImageRequest.response_format", "'b64_json'", "'base64'"], id="answer"
        ),
        pytest.param({"guidance_scale": -1}, ["ImageRequest.guidance_scale", "-1", "0 or more"], id="guidance"),
        pytest.param({"guidance_scale": float("nan")}, ["ImageRequest.guidance_scale", "nan"], id="guidance-nan"),
        pytest.param({"image_url": "ftp://host/key.png"}, ["ImageRequest.image_url", "ftp://host/key.png"], id="ftp"),
        pytest.param(
            {"image_url": "data:image/png;base64,AAAA"}, ["ImageRequest.image_url", "data:", "path"], id="data-url"
        ),
        pytest.param({"image_url": 5}, ["ImageRequest.image_url", "5", "URL"], id="image-number"),
        pytest.param({"image_url": ""}, ["ImageRequest.image_url", "''", "empty"], id="image-empty"),
        pytest.param({"image_url": b"\x89PNG"}, ["ImageRequest.image_url", "PNG", "path"], id="image-bytes"),
        pytest.param({"reference_images": ["a.png", 5]}, ["ImageRequest.reference_images[1]", "5"], id="second-of-a-list"),
        pytest.param({"extra": {"width": 5}}, ["ImageRequest.extra", "'width'"], id="extra-known"),
        pytest.param({"extra": {"prompt": 5}}, ["ImageRequest.extra", "'prompt'"], id="extra-prompt"),
        pytest.param({"extra": {"new": {1, 2}}}, ["ImageRequest.extra", "JSON", "set"], id="extra-not-json"),
        pytest.param({"extra": 5}, ["ImageRequest.extra", "5"], id="extra-number"),
        pytest.param({"take": -1}, ["ImageRequest.take", "-1", "0 or more"], id="take"),
        pytest.param({"output_format": LONG}, ["ImageRequest.output_format", "'xxxx", "…"], id="long-value"),
    ],
)
def test_an_image_request_says_what_is_wrong(fields: dict[str, Any], said: list[str]) -> None:
    """One sentence, on one line, names the field, the value and what is allowed."""
    message = refused(image, **fields)
    assert one_clear_sentence(message), message
    assert [] == [part for part in said if part not in message], message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"prompt": None}, ["VideoRequest", "prompt", "media"], id="nothing-to-say"),
        pytest.param({"prompt": None, "frame_images": []}, ["VideoRequest", "prompt", "media"], id="empty-media"),
        pytest.param({"prompt": " "}, ["VideoRequest.prompt", "' '", "empty"], id="prompt-blank"),
        pytest.param({"prompt": "x" * 32001}, ["VideoRequest.prompt", "32000"], id="prompt-long"),
        pytest.param({"seconds": 0}, ["VideoRequest.seconds", "0", "whole number"], id="seconds-0"),
        pytest.param({"seconds": -4}, ["VideoRequest.seconds", "-4", "whole number"], id="seconds-negative"),
        pytest.param({"seconds": 6.5}, ["VideoRequest.seconds", "6.5", "whole number"], id="seconds-broken"),
        pytest.param({"seconds": "6.5"}, ["VideoRequest.seconds", "'6.5'", "whole number"], id="seconds-broken-text"),
        pytest.param({"seconds": "abc"}, ["VideoRequest.seconds", "'abc'", "whole number"], id="seconds-word"),
        pytest.param({"seconds": "٣"}, ["VideoRequest.seconds", "٣", "whole number"], id="seconds-other-digits"),
        pytest.param({"seconds": True}, ["VideoRequest.seconds", "True", "number"], id="seconds-true"),
        pytest.param({"seconds": float("inf")}, ["VideoRequest.seconds", "inf", "whole number"], id="seconds-inf"),
        pytest.param({"fps": 0}, ["VideoRequest.fps", "0", "1 or more"], id="fps-0"),
        pytest.param({"steps": 51}, ["VideoRequest.steps", "51", "1 to 50"], id="steps-51"),
        pytest.param({"seed": 2**31}, ["VideoRequest.seed", "2147483648", "0 to 2147483647"], id="seed-2**31"),
        pytest.param({"ratio": "wide"}, ["VideoRequest.ratio", "'wide'", "16:9"], id="ratio"),
        pytest.param({"output_format": "mp4"}, ["VideoRequest.output_format", "'mp4'", "'MP4'"], id="format"),
        pytest.param(
            {"frame_images": [{"input_image": "a.png", "frame": "middle"}]},
            ["VideoRequest.frame_images[0]", "'middle'", "'first'", "'last'"],
            id="frame-middle",
        ),
        pytest.param({"frame_images": ["a.png", 5]}, ["VideoRequest.frame_images[1]", "5"], id="frame-number"),
        pytest.param(
            {"frame_images": [{"frame": "first"}]}, ["VideoRequest", "frame_images", "input_image"], id="frame-no-image"
        ),
        pytest.param({"source_video": "rtsp://cam/1"}, ["VideoRequest.source_video", "rtsp://cam/1"], id="rtsp"),
        pytest.param(
            {"frame_videos": ["a.mp4"], "media_layout": "top_level"},
            ["VideoRequest.frame_videos", "top_level", "media"],
            id="top-level-frame_videos",
        ),
        pytest.param(
            {"source_video": "a.mp4", "media_layout": "top_level"},
            ["VideoRequest.source_video", "top_level", "media"],
            id="top-level-source_video",
        ),
        pytest.param({"media_layout": "flat"}, ["VideoRequest.media_layout", "'flat'", "'top_level'"], id="layout"),
        pytest.param({"durration": 5}, ["'durration'", "5"], id="unknown"),
    ],
)
def test_a_video_request_says_what_is_wrong(fields: dict[str, Any], said: list[str]) -> None:
    """One sentence, on one line, names the field, the value and what is allowed."""
    message = refused(video, **fields)
    assert one_clear_sentence(message), message
    assert [] == [part for part in said if part not in message], message


@pytest.mark.parametrize("make", [ImageRequest, VideoRequest])
@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_what_is_missing_is_named(make: Any, missing: str) -> None:
    """A request without a model, or without anything to say, names what it needs."""
    fields = {"model": "m", "prompt": "p"}
    del fields[missing]
    message = refused(make, **fields)
    assert one_clear_sentence(message)
    assert make.__name__ in message
    assert missing in message


def test_all_mistakes_are_named_at_once() -> None:
    """Who made three mistakes corrects them in one go."""
    message = refused(image, n=5, steps=0, widht=3)
    assert one_clear_sentence(message)
    assert [] == [name for name in ("ImageRequest.n ", "ImageRequest.steps", "'widht'") if name not in message]


def test_a_refusal_is_ours_and_a_value_error() -> None:
    """It is caught as `TogetherError` and as `ValueError`, and trying again does not help."""
    with pytest.raises(InvalidRequest) as caught:
        image(n=5)
    assert isinstance(caught.value, TogetherError)
    assert isinstance(caught.value, ValueError)
    assert (False, "nothing") == (caught.value.retryable, caught.value.paid)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"seed": 0}, id="seed-0"),
        pytest.param({"seed": 2**31 - 1}, id="seed-largest"),
        pytest.param({"n": 1}, id="n-1"),
        pytest.param({"n": 4}, id="n-4"),
        pytest.param({"steps": 50}, id="steps-50"),
        pytest.param({"width": 6336, "height": 1}, id="any-size"),
        pytest.param({"model": "somebody/newer-than-us"}, id="unknown-model"),
        pytest.param({"image_url": "provider/asset.png"}, id="relative-path"),
        pytest.param({"extra": {"guidance": 3}}, id="extra"),
    ],
)
def test_the_bounds_themselves_are_allowed(fields: dict[str, Any]) -> None:
    """What a model takes within the bounds of the API is the catalogue's business."""
    made = image(**fields)
    assert fields == {name: getattr(made, name) for name in fields}
