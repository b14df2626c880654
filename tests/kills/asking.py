"""What the workers are told to ask for."""

from __future__ import annotations

from typing import Any

from prefect_together.sandbox import Sandbox

IMAGES = "POST /v1/images/generations"
VIDEOS = "POST /v2/videos"
POLL = "GET /v2/videos"
FILE = "GET file"

PICTURE: dict[str, Any] = {
    "kind": "image",
    "model": "black-forest-labs/FLUX.2-pro",
    "prompt": "a fox",
    "width": 256,
    "height": 256,
}
"""A picture of $0.03."""
INLINE: dict[str, Any] = {**PICTURE, "response_format": "base64"}
"""The same, inside the answer."""
DEAR: dict[str, Any] = {
    "kind": "video", "model": "pixverse/pixverse-v5", "prompt": "slow push in", "width": 270, "height": 360, "seconds": 5, "fps": 16,
}  # fmt: skip
"""A clip of $0.30 that comes in several chunks."""
TINY: dict[str, Any] = {
    "kind": "video", "model": "sandbox/tiny", "prompt": "slow push in", "width": 64, "height": 48, "seconds": 1, "fps": 15,
}  # fmt: skip
"""A clip whose price is known to nobody."""

REQUESTS: dict[str, dict[str, Any]] = {"image": PICTURE, "inline": INLINE, "video": DEAR}


def job(together: Sandbox, library: object, *requests: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a worker's job."""
    where = {"base_url": together.url, "api_key": together.api_key, "library": str(library)}
    return {**where, "requests": list(requests), **more}
