"""The official SDK works against the sandbox as it stands: a second opinion on what Together answers."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import FLUX, HAILUO, frames, picture

try:
    sdk: Any = importlib.import_module("together")
except ImportError:
    sdk = None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sdk is None, reason="the official SDK `together` is not installed"),
    # Python 3.14 warns about what the SDK itself imports.
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]


@pytest.fixture
def official(together: sandbox.Sandbox) -> Iterator[Any]:
    """Give the SDK's client, pointed at the sandbox."""
    with sdk.Together(api_key=together.api_key, base_url=together.url, max_retries=0) as ready:
        yield ready


def test_images_as_urls(official: Any) -> None:
    """`response_format="url"` gives links to pictures."""
    answer = official.images.generate(model=FLUX, prompt="a fox", width=256, height=256, n=2, response_format="url")
    for item in answer.data:
        content = httpx.get(item.url, follow_redirects=True, timeout=60).content
        assert (256, 256) == picture(content).size


def test_images_as_base64(official: Any) -> None:
    """`response_format="base64"` gives the bytes."""
    answer = official.images.generate(model=FLUX, prompt="a fox", width=256, height=128, response_format="base64")
    assert (256, 128) == picture(base64.b64decode(answer.data[0].b64_json)).size


@pytest.mark.slow
def test_a_video_from_creation_to_file(official: Any, together: sandbox.Sandbox) -> None:
    """Create, retrieve until it is complete, download."""
    job = official.videos.create(model=HAILUO, prompt="a boat", seconds="6", width=1366, height=768)
    until("the clip is there", lambda: official.videos.retrieve(job.id).status == "completed")
    job = official.videos.retrieve(job.id)
    assert 0.56 == job.outputs.cost
    shown = frames(httpx.get(job.outputs.video_url, follow_redirects=True, timeout=60).content)
    assert (150, (1366, 768)) == (len(shown), shown[0].size)
    assert 1 == together.count("/v2/videos")


def test_the_identity_behind_the_key(official: Any) -> None:
    """The SDK reads `GET /v3/whoami`."""
    assert "project_api_key" == official.whoami().type


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"n": 9}, "BadRequestError"),
        ({"prompt": "unsafe"}, "UnprocessableEntityError"),
        ({"model": "x/y"}, "NotFoundError"),
    ],
)
def test_refusals_become_the_sdk_s_errors(official: Any, fields: dict[str, Any], error: str) -> None:
    """Statuses map as at Together."""
    with pytest.raises(getattr(sdk, error)):
        official.images.generate(**{"model": FLUX, "prompt": "a fox", **fields})


def test_the_sdk_s_own_retries_cost_money(together: sandbox.Sandbox) -> None:
    """An answer that is cut after acceptance makes the SDK pay again: the sandbox shows it."""
    together.fault("POST /v1/images/generations", "accept_then_close", times=2)
    with sdk.Together(api_key=together.api_key, base_url=together.url) as official:
        official.images.generate(model=FLUX, prompt="a fox", width=64, height=64)
    assert 3 == len(together.charges())
