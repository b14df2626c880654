"""What the tests here ask for, the routes that they break, and what is shown in the end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import ArtifactSort

from prefect_together import BatchResult, ImageRequest, VideoRequest, generate_batch
from prefect_together._internal import event_loop as runtime

IMAGES = "POST /v1/images/generations"
VIDEOS = "POST /v2/videos"
POLL = "GET /v2/videos"
FILE = "GET file"


def picture(prompt: str = "a fox in the snow", **fields: Any) -> ImageRequest:
    """Ask for a small picture of $0.03."""
    small: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro", "width": 256, "height": 256}
    asked: dict[str, Any] = {**small, "prompt": prompt, **fields}
    return ImageRequest(**asked)


def clip(prompt: str = "slow push in", **fields: Any) -> VideoRequest:
    """Ask for a tiny clip by a model that only the sandbox has: quickly drawn, its price is known to nobody."""
    tiny: dict[str, Any] = {"model": "sandbox/tiny", "width": 64, "height": 48, "seconds": 1, "fps": 15}
    asked: dict[str, Any] = {**tiny, "prompt": prompt, **fields}
    return VideoRequest(**asked)


def dear_clip(prompt: str = "slow push in", **fields: Any) -> VideoRequest:
    """Ask for a clip of $0.56."""
    dear: dict[str, Any] = {"model": "minimax/hailuo-02", "seconds": 6}
    asked: dict[str, Any] = {**dear, "prompt": prompt, **fields}
    return VideoRequest(**asked)


def shown(key: str) -> list[Any]:
    """Return the artifacts whose key begins so, the latest first."""

    async def asking() -> list[Any]:
        async with get_client() as client:
            return [
                found
                for found in await client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
                if (found.key or "").startswith(key)
            ]

    runtime.flush()
    return asyncio.run(asking())


def pictures(count: int, **fields: Any) -> list[ImageRequest]:
    """Ask for so many small pictures, each with a seed of its own."""
    return [picture(f"picture {number}", seed=number, **{"width": 64, "height": 64, **fields}) for number in range(count)]


@flow
def run_batch(requests: Any, **options: Any) -> BatchResult:
    """Run a batch in a flow."""
    return cast("Any", generate_batch)(requests, **options)
