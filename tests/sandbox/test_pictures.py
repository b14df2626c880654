"""Pictures: real files of the size, format and look that was asked for."""

from __future__ import annotations

import base64
import hashlib

import httpx
import pytest
from PIL import Image

from prefect_together import sandbox

from .asking import FLUX, IMAGES, OWN, difference, image_body, picture, pictures

KONTEXT = "black-forest-labs/FLUX.1-kontext-pro"


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        pytest.param({"width": 256, "height": 512}, (256, 512), id="as-asked"),
        pytest.param({"width": 64, "height": 64}, (64, 64), id="too-small-for-a-caption"),
        pytest.param({"width": 8, "height": 8}, (8, 8), id="tiny"),
        pytest.param({"width": 1600, "height": 96}, (1600, 96), id="a-strip"),
        pytest.param({"width": None, "height": None}, (1024, 1024), id="default"),
        pytest.param({"model": KONTEXT, "width": None, "height": None, "aspect_ratio": "16:9"}, (1344, 768), id="ratio"),
        pytest.param({"model": "google/flash-image-3.1-lite", "width": 1264, "height": 848}, (1264, 848), id="on-the-menu"),
        pytest.param({"model": "Wan-AI/Wan2.6-image", "width": None, "height": None}, (1352, 1352), id="area-window"),
    ],
)
def test_a_picture_has_exactly_the_size_asked_for(
    client: httpx.Client, asked: dict[str, object], size: tuple[int, int]
) -> None:
    """Width and height are those of the request, of its ratio, or of the model."""
    assert size == picture(pictures(client, **asked)[0]).size


@pytest.mark.parametrize(("asked", "magic"), [(None, b"\xff\xd8\xff"), ("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG")])
def test_the_bytes_are_of_the_format_asked_for(client: httpx.Client, asked: str | None, magic: bytes) -> None:
    """JPEG unless PNG was asked for."""
    assert pictures(client, output_format=asked)[0].startswith(magic)


def test_the_same_seed_gives_the_same_bytes(client: httpx.Client) -> None:
    """Seed, prompt and model decide every byte."""
    assert pictures(client, seed=7) == pictures(client, seed=7)


@pytest.mark.parametrize("change", [{"seed": 8}, {"prompt": "a blue fox"}, {"model": OWN}])
def test_another_seed_prompt_or_model_gives_other_bytes(client: httpx.Client, change: dict[str, object]) -> None:
    """Nothing that matters is left out of the picture."""
    assert pictures(client, seed=7) != pictures(client, **{"seed": 7, **change})


def test_without_a_seed_every_picture_is_new(client: httpx.Client) -> None:
    """No seed means a random one."""
    assert pictures(client) != pictures(client)


def test_n_pictures_differ(client: httpx.Client) -> None:
    """Four pictures are four different ones, and one request is one charge."""
    drawn = pictures(client, n=4, seed=1)
    assert 4 == len({hashlib.sha256(content).digest() for content in drawn})


@pytest.mark.parametrize(
    "prompt", ["Лиса в лесу", "雪の中の狐", "ثعلب أحمر", "🦊🌲❄️", "e\u0301 \u0000 \ud83d", "x" * 5_000, "\n\n", "a\u202eb"]
)
def test_any_script_can_be_drawn(client: httpx.Client, prompt: str) -> None:
    """A caption never fails, whatever the alphabet."""
    assert (256, 256) == picture(pictures(client, prompt=prompt)[0]).size


def test_a_url_leads_over_a_redirect_to_the_file_on_another_origin(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """As at Together, the link is short, needs no key, and redirects to the file."""
    answer = client.post(IMAGES, json=image_body(seed=3))
    url = answer.json()["data"][0]["url"]
    assert url.startswith(f"{together.files_url}/shrt/")
    assert together.files_url != together.url
    assert 302 == httpx.get(url).status_code
    whole = httpx.get(url, follow_redirects=True)
    assert "image/jpeg" == whole.headers["content-type"]
    assert len(whole.content) == int(whole.headers["content-length"])
    assert pictures(client, seed=3)[0] == whole.content


@pytest.mark.parametrize("form", ["url", "data", "base64"])
def test_an_edit_builds_on_its_reference(client: httpx.Client, form: str) -> None:
    """An edited picture resembles what it was made from, more than it resembles a new one, in any form of reference."""
    original = client.post(IMAGES, json=image_body(prompt="aurora at night", seed=1)).json()["data"][0]["url"]
    content = client.get(original).content
    encoded = base64.b64encode(content).decode()
    reference = {"url": original, "data": f"data:image/jpeg;base64,{encoded}", "base64": encoded}[form]
    edited = picture(pictures(client, prompt="make it a desert", seed=2, image_url=reference)[0])
    fresh = picture(pictures(client, prompt="make it a desert", seed=2)[0])
    assert difference(picture(content), edited) < difference(fresh, edited)


def test_another_reference_gives_another_picture(client: httpx.Client) -> None:
    """`reference_images` is looked at, not only counted."""
    first, second = (base64.b64encode(pictures(client, seed=seed)[0]).decode() for seed in (1, 2))
    assert pictures(client, seed=3, reference_images=[first]) != pictures(client, seed=3, reference_images=[second])


def test_a_public_address_is_stood_in_for(client: httpx.Client) -> None:
    """The sandbox never leaves this machine: a picture drawn from the address takes its place."""
    asked = {"seed": 1, "image_url": "https://example.com/cat.png"}
    assert pictures(client, **asked) == pictures(client, **asked)


def test_an_edit_of_an_edit_works(client: httpx.Client) -> None:
    """A chain of edits can be as long as one likes."""
    url = client.post(IMAGES, json=image_body(seed=1)).json()["data"][0]["url"]
    for step in range(3):
        url = client.post(IMAGES, json=image_body(prompt=f"step {step}", image_url=url)).json()["data"][0]["url"]
    assert (256, 256) == picture(client.get(url).content).size


def test_the_answer_has_the_documented_shape(client: httpx.Client) -> None:
    """Keys as in the OpenAPI schema `ImageResponse`, and the request id in a header."""
    answer = client.post(IMAGES, json=image_body(n=2))
    body = answer.json()
    assert {"id", "model", "object", "data"} == set(body)
    assert ("list", FLUX, [0, 1]) == (body["object"], body["model"], [item["index"] for item in body["data"]])
    assert body["id"] == answer.headers["x-request-id"]


def test_a_picture_is_not_blank(client: httpx.Client) -> None:
    """Somebody who looks at it sees something."""
    colours = Image.Image.getcolors(picture(pictures(client)[0]), maxcolors=1_000_000)
    assert colours is not None
    assert len(colours) > 200
