"""Refusals: what Together refuses is refused, in its words, and never charged."""

from __future__ import annotations

import base64
import io
import random
import socket
import threading
from typing import Any

import httpx
import pytest
from PIL import Image

from prefect_together import sandbox

from .asking import HAILUO, IMAGES, KLING, OWN, SCHNELL, VIDEOS, finished, image_body, message, pictures, video_body

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'


def drawn(kind: str) -> bytes:
    """Return a real picture in a format."""
    file = io.BytesIO()
    Image.effect_noise((60, 40), 60).convert("RGB").save(file, kind)
    return file.getvalue()


MENU = "google/flash-image-3.1-lite"
WAN_IMAGE = "Wan-AI/Wan2.6-image"

IMAGE_REFUSALS = [
    pytest.param({"prompt": None}, 400, "Missing required parameter: 'prompt'", id="no-prompt"),
    pytest.param({"prompt": ""}, 400, "Missing required parameter: 'prompt'", id="empty-prompt"),
    pytest.param({"prompt": 3}, 400, "Expected a string", id="prompt-is-a-number"),
    pytest.param({"prompt": "something unsafe"}, 422, "image may contain NSFW content", id="nsfw"),
    pytest.param({"model": None}, 400, "'model'", id="no-model"),
    pytest.param({"model": "nobody/nothing"}, 404, "Unable to access model nobody/nothing. Please visit", id="unknown"),
    pytest.param({"model": "black-forest-labs/flux.2-PRO"}, 404, "Unable to access model", id="wrong-case"),
    pytest.param({"model": HAILUO}, 400, "Unable to access non-serverless model", id="a-video-model"),
    pytest.param({"n": 0}, 400, "n must be between 1 and 4", id="n-0"),
    pytest.param({"n": 5}, 400, "n must be between 1 and 4", id="n-5"),
    pytest.param({"n": "2"}, 400, "Expected an integer", id="n-text"),
    pytest.param({"n": True}, 400, "Expected an integer", id="n-bool"),
    pytest.param({"model": OWN, "steps": 51}, 400, "steps must be between 1 and 50", id="steps-51"),
    pytest.param({"model": SCHNELL, "steps": 13}, 400, "steps must be between 1 and 12", id="schnell-steps"),
    pytest.param({"seed": -1}, 400, "Seed must be an integer value between 0 and 2147483647", id="seed-low"),
    pytest.param({"seed": 2**31}, 400, "Seed must be an integer value between 0 and 2147483647", id="seed-high"),
    pytest.param({"width": 250}, 400, "multiple of 8", id="not-a-multiple-of-8"),
    pytest.param({"width": 0}, 400, "width must be between", id="no-width"),
    pytest.param({"width": 256.5}, 400, "Expected an integer", id="half-a-pixel"),
    pytest.param({"model": MENU}, 400, "Supported values are: '1024x1024'", id="off-the-menu"),
    pytest.param({"model": WAN_IMAGE}, 400, "The total area (width \u00d7 height) must be within", id="area"),
    pytest.param({"negative_prompt": "x"}, 400, "\"'negative_prompt'\" is not recognized", id="not-for-this-model"),
    pytest.param({"colour": "red"}, 400, "\"'colour'\" is not recognized or supported", id="unknown-field"),
    pytest.param(
        {"model": "google/flash-image-2.5", "image_url": "https://example.com/a.png"},
        400,
        "Unsupported use of 'image_url' parameter",
        id="picture-in-the-wrong-field",
    ),
    pytest.param({"response_format": "b64_json"}, 400, "'url', 'base64'", id="response-format"),
    pytest.param({"output_format": "webp"}, 400, "'jpeg', 'png'", id="output-format"),
    pytest.param({"image_url": "not a picture"}, 400, "neither an address nor base64", id="not-base64"),
    pytest.param({"image_url": base64.b64encode(b"text").decode()}, 400, "not an image", id="not-an-image"),
    pytest.param({"image_url": base64.b64encode(SVG).decode()}, 400, "not an image", id="svg"),
    pytest.param({"image_url": base64.b64encode(drawn("JPEG")[:400]).decode()}, 400, "a damaged image", id="half-a-jpeg"),
    pytest.param({"reference_images": "x"}, 400, "array of strings", id="not-a-list"),
    pytest.param({"reference_images": [1]}, 400, "array of strings", id="list-of-numbers"),
    pytest.param({"model": OWN, "guidance_scale": "3"}, 400, "Expected a number", id="guidance-text"),
    pytest.param({"disable_safety_checker": "no"}, 400, "Expected a boolean", id="text-for-boolean"),
    pytest.param(
        {"model": "black-forest-labs/FLUX.1-kontext-pro", "width": None, "height": None, "aspect_ratio": "7:1"},
        400,
        "aspect_ratio",
        id="ratio",
    ),
]

VIDEO_REFUSALS = [
    pytest.param({"prompt": None}, 400, "Missing required parameter: 'prompt'", id="no-prompt"),
    pytest.param({"prompt": "unsafe at any speed"}, 422, "NSFW", id="nsfw"),
    pytest.param({"model": "nobody/nothing"}, 404, "Unable to access model nobody/nothing", id="unknown"),
    pytest.param(
        {"model": KLING, "prompt": None, "width": 1920, "height": 1080}, 400, "'frame_images'", id="kling-needs-a-frame"
    ),
    pytest.param({"model": HAILUO}, 400, "Supported values are: '1366x768'", id="off-the-menu"),
    pytest.param({"width": 321}, 400, "even numbers", id="odd"),
    pytest.param({"seconds": "0"}, 400, "seconds must be between", id="no-seconds"),
    pytest.param({"seconds": "five"}, 400, "seconds", id="seconds-in-words"),
    pytest.param({"seconds": 1.5}, 400, "seconds", id="half-a-second"),
    pytest.param({"fps": 14}, 400, "fps must be between 15 and 60", id="fps"),
    pytest.param({"steps": 9}, 400, "steps must be between 10 and 50", id="steps"),
    pytest.param({"seed": 2**31}, 400, "Seed must be an integer", id="seed"),
    pytest.param({"output_format": "mp4"}, 400, "'MP4', 'WEBM'", id="format"),
    pytest.param({"colour": "red"}, 400, "\"'colour'\" is not recognized", id="unknown-field"),
    pytest.param({"media": {"frames": []}}, 400, "\"'media.frames'\" is not recognized", id="unknown-media"),
    pytest.param({"media": []}, 400, "an object", id="media-is-a-list"),
    pytest.param({"media": {"frame_images": ["x"]}}, 400, "frame_images", id="frames-are-texts"),
    pytest.param({"frame_images": [{"input_image": "x", "frame": "middle"}]}, 400, "frame_images", id="frame-name"),
    pytest.param({"resolution": "big", "width": None, "height": None}, 400, "resolution", id="resolution"),
    pytest.param({"ratio": "wide", "width": None, "height": None}, 400, "ratio", id="ratio"),
]

FRAME = {"input_image": "https://example.com/a.png"}
LATE_FAILURES = [
    pytest.param(
        {"model": HAILUO, "width": None, "height": None, "seconds": None, "negative_prompt": "x"},
        "unsupportedParameter",
        "Unsupported use of 'negativePrompt' parameter",
        id="negative-prompt",
    ),
    pytest.param(
        {"model": HAILUO, "width": None, "height": None, "seconds": "7"}, "invalidDuration", "6, 10", id="duration"
    ),
    pytest.param(
        {"model": "Wan-AI/wan2.7-t2v", "width": None, "height": None, "seconds": "2", "resolution": "720p"},
        "InvalidParameter",
        "'720P'",
        id="resolution-in-the-wrong-case",
    ),
    pytest.param(
        {
            "model": HAILUO, "width": None, "height": None, "seconds": "6",
            "media": {"frame_images": [{**FRAME, "frame": "last"}]},
        },
        "unsupportedParameter",
        "frameImages",
        id="no-last-frame-here",
    ),
    pytest.param({"frame_images": [{"input_image": "?"}]}, "invalidInputImage", "could not be read", id="no-picture"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "words"), IMAGE_REFUSALS)
def test_an_image_request_is_refused_for_nothing(
    together: sandbox.Sandbox, client: httpx.Client, fields: dict[str, Any], status: int, words: str
) -> None:
    """The status and the words are Together's, and a refusal costs nothing."""
    answer = client.post(IMAGES, json=image_body(**fields))
    assert status == answer.status_code, answer.text
    assert words in message(answer)
    assert [] == together.charges()


@pytest.mark.parametrize(("fields", "status", "words"), VIDEO_REFUSALS)
def test_a_video_request_is_refused_for_nothing(
    together: sandbox.Sandbox, client: httpx.Client, fields: dict[str, Any], status: int, words: str
) -> None:
    """The status and the words are Together's, and no job is made."""
    answer = client.post(VIDEOS, json=video_body(**fields))
    assert status == answer.status_code, answer.text
    assert words in message(answer)
    assert ([], []) == (together.charges(), together.jobs())


@pytest.mark.parametrize(("fields", "code", "words"), LATE_FAILURES)
def test_what_only_the_provider_knows_fails_late(
    client: httpx.Client, fields: dict[str, Any], code: str, words: str
) -> None:
    """The job is accepted, and then `failed` with the provider's code and no outputs."""
    job = finished(client, **fields)
    assert ("failed", code, None) == (job["status"], job["error"]["code"], job["outputs"])
    assert words in job["error"]["message"]


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        pytest.param(None, 401, "Invalid API key", id="no-key"),
        pytest.param("Bearer bad-key", 401, "Invalid API key", id="bad-key"),
        pytest.param("Bearer", 401, "Invalid API key", id="empty-key"),
        pytest.param("Basic abc", 401, "Invalid API key", id="other-scheme"),
        pytest.param("Bearer broke-key", 402, "Credit limit exceeded", id="no-money"),
        pytest.param("Bearer nosharing-key", 403, "Third-party data sharing", id="no-sharing"),
    ],
)
@pytest.mark.parametrize(("path", "body"), [(IMAGES, image_body()), (VIDEOS, video_body())], ids=["image", "video"])
def test_keys_are_checked(
    together: sandbox.Sandbox, key: str | None, status: int, words: str, path: str, body: dict[str, Any]
) -> None:
    """Three kinds of keys do not work, and no key does not either."""
    headers = {} if key is None else {"Authorization": key}
    answer = httpx.post(f"{together.url}{path}", json=body, headers=headers)
    assert status == answer.status_code
    assert words in message(answer)
    assert [] == together.charges()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM"])
def test_a_damaged_picture_is_taken_or_refused(together: sandbox.Sandbox, client: httpx.Client, kind: str) -> None:
    """Whatever a decoder makes of it: it is drawn and charged, or refused with a 400 and free; never a crash."""
    chance = random.Random(kind)
    for _ in range(25):
        content = bytearray(drawn(kind))
        for _ in range(6):
            content[chance.randrange(2, len(content))] = chance.randrange(256)
        before = len(together.charges())
        answer = client.post(IMAGES, json=image_body(image_url=base64.b64encode(bytes(content)).decode()))
        assert answer.status_code in {200, 400}, answer.text
        assert (answer.status_code == 200) == (len(together.charges()) == before + 1)


def test_an_address_that_answers_nonsense_is_refused(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """What listens on this machine may be anything: a 400 says that it could not be read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"no HTTP at all\r\n\r\n"), daemon=True).start()
        answer = client.post(IMAGES, json=image_body(image_url=f"http://127.0.0.1:{server.getsockname()[1]}/a.png"))
    assert 400 == answer.status_code
    assert "could not be read" in message(answer)
    assert [] == together.charges()


def test_the_code_of_a_refusal_tells_what_to_do(client: httpx.Client) -> None:
    """An unknown model and blocked sharing can be told apart by their codes."""
    unknown = client.post(IMAGES, json=image_body(model="nobody/nothing"))
    assert "model_not_available" == unknown.json()["error"]["code"]
    blocked = client.post(IMAGES, json=image_body(), headers={"Authorization": "Bearer nosharing-key"})
    assert "third_party_data_sharing_blocked" == blocked.json()["error"]["code"]


def test_a_client_without_a_name_is_turned_away(client: httpx.Client) -> None:
    """The edge answers a blank User-Agent with plain text."""
    answer = client.post(IMAGES, json=image_body(), headers={"User-Agent": ""})
    assert (403, "error code: 1010") == (answer.status_code, answer.text)


@pytest.mark.parametrize("content", [b"{", b"[]", b"", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client: httpx.Client, content: bytes) -> None:
    """Broken JSON is a 400, not a crash."""
    assert 400 == client.post(IMAGES, content=content).status_code


@pytest.mark.parametrize("path", ["/v1/videos", "/v2/images/generations", "/v1/v1/images/generations", "/"])
def test_another_path_is_not_found(client: httpx.Client, path: str) -> None:
    """A doubled or wrong version in the path is a 404 in Together's shape."""
    answer = client.post(path, json=image_body())
    assert 404 == answer.status_code
    assert message(answer)


def test_a_job_is_only_found_by_the_account_that_made_it(client: httpx.Client) -> None:
    """An unknown id is a 404, and somebody else's id too."""
    job = finished(client)
    assert 404 == client.get(f"{VIDEOS}/no-such-job").status_code
    other = client.get(f"{VIDEOS}/{job['id']}", headers={"Authorization": "Bearer other"})
    assert 404 == other.status_code


def test_width_and_height_are_not_refused_for_kontext(client: httpx.Client) -> None:
    """The matrix has no tick for them, but the documentation's own examples send them."""
    assert pictures(client, model="black-forest-labs/FLUX.1-kontext-pro")


def test_a_model_of_the_sandbox_takes_every_documented_field(client: httpx.Client) -> None:
    """Ids that begin with `sandbox/` have no catalogue entry to obey."""
    fields = {"negative_prompt": "x", "steps": 4, "guidance_scale": 3.5, "guidance": 3, "prompt_upsampling": True}
    assert pictures(client, model=OWN, **fields)
