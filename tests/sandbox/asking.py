"""Short ways to ask for pictures and clips and to look at them; asserts nothing by itself."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import av
import httpx
from PIL import Image, ImageChops, ImageStat

# PyAV's stubs speak of numpy, which is not needed here and may not be installed.
reader: Any = av

IMAGES = "/v1/images/generations"
VIDEOS = "/v2/videos"
FLUX = "black-forest-labs/FLUX.2-pro"
SCHNELL = "black-forest-labs/FLUX.1-schnell"
HAILUO = "minimax/hailuo-02"
SEEDANCE = "ByteDance/Seedance-1.0-pro"
KLING = "kwaivgI/kling-2.1-standard"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
OWN = "sandbox/anything"


def image_body(**fields: Any) -> dict[str, Any]:
    """Return a small valid image request, changed as told; None removes a field."""
    body = {"model": FLUX, "prompt": "a red fox", "width": 256, "height": 256, **fields}
    return {name: value for name, value in body.items() if value is not None}


def video_body(**fields: Any) -> dict[str, Any]:
    """Return a small valid video request, changed as told; None removes a field."""
    body = {"model": OWN, "prompt": "a boat", "width": 320, "height": 180, "seconds": "1", **fields}
    return {name: value for name, value in body.items() if value is not None}


def pictures(client: httpx.Client, **fields: Any) -> list[bytes]:
    """Generate images and return their bytes."""
    # Written as ASCII, so that half a surrogate pair can be sent too.
    content = json.dumps(image_body(response_format="base64", **fields))
    answer = client.post(IMAGES, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(item["b64_json"]) for item in answer.json()["data"]]


def picture(content: bytes) -> Image.Image:
    """Decode an image."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def finished(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Create a job that is done at once and return how a poll sees it."""
    created = client.post(VIDEOS, json=video_body(**fields))
    assert created.status_code == 200, created.text
    job: dict[str, Any] = client.get(f"{VIDEOS}/{created.json()['id']}").json()
    return job


def clip(client: httpx.Client, **fields: Any) -> bytes:
    """Generate a clip and return its bytes."""
    job = finished(client, **fields)
    assert job["status"] == "completed", job
    return client.get(job["outputs"]["video_url"]).content


def frames(content: bytes) -> list[Image.Image]:
    """Decode every frame of a clip."""
    with reader.open(io.BytesIO(content)) as source:
        return [frame.to_image() for frame in source.decode(video=0)]


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean absolute difference of two pictures, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB"))).mean) / 3


def message(answer: httpx.Response) -> str:
    """Return the words of a refusal, checking that it has Together's shape."""
    body = answer.json()
    assert set(body) == {"id", "error"}, body
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    return str(body["error"]["message"])


def batch_line(custom_id: str, **fields: Any) -> dict[str, Any]:
    """Return one line of a batch of chat requests, its body changed as told."""
    messages = [{"role": "user", "content": f"Say {custom_id}"}]
    return {"custom_id": custom_id, "body": {"model": LLAMA, "messages": messages, "max_tokens": 16, **fields}}


def jsonl(lines: list[Any]) -> bytes:
    """Write JSON lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def upload(client: httpx.Client, content: bytes, name: str = "batch.jsonl") -> dict[str, Any]:
    """Upload a file for a batch and return what the API says of it."""
    answer = client.post("/v1/files/upload", data={"purpose": "batch-api"}, files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    file: dict[str, Any] = answer.json()
    return file


def data_url(media_type: str, content: bytes) -> str:
    """Write a file as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
