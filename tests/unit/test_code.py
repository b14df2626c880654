"""A request as Python: it runs as pasted, has its imports, and is read without scrolling sideways."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from prefect_together import ImageLora, Keyframe, MediaReference, VideoRequest
from prefect_together.generations.code import as_code
from prefect_together.generations.request import Request

from .making import image, video

LONG = "a very long sentence about waves that break on a shore, " * 20
REMOTE = MediaReference(
    uri="s3://films/a.png",
    sha256="a" * 64,
    size=3,
    media_type="image/png",
    created_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
)
LOCAL = REMOTE.model_copy(update={"uri": "file:///library/a%20fox.png"})


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(image(), id="plain"),
        pytest.param(image(n=2, take=1, guidance_scale=3.5, disable_safety_checker=True), id="numbers"),
        pytest.param(image(prompt=LONG), id="long"),
        pytest.param(image(prompt='He said "no" \\ and\n\tleft \u2028 é 狐 {x} $y \x00'), id="odd-characters"),
        pytest.param(image(extra={"a": "half of a pair \ud83d"}), id="half-a-character"),
        pytest.param(image(prompt="x" * 300), id="no-spaces"),
        pytest.param(image(prompt="  two   spaces " * 20), id="many-spaces"),
        pytest.param(image(image_loras=[ImageLora(path="p", scale=0.5)]), id="nested"),
        pytest.param(image(extra={"a": {"b": [1, None, True, "x"]}}), id="extra"),
        pytest.param(video(frame_images=[Keyframe(input_image="a.png", frame="first"), REMOTE]), id="keyframes"),
        pytest.param(video(frame_images=[Keyframe(input_image="a.png", frame=12)], seconds=6), id="frame-number"),
    ],
)
def test_it_runs_as_pasted(request_: Request) -> None:
    """It builds an equal request, and no line is longer than an editor shows unless a word is."""
    code, pasted = as_code(request_), dict[str, Any]()
    exec(code, pasted)
    assert request_ == pasted["request"]
    assert all(len(line) <= 110 for line in code.splitlines() if "x" * 100 not in line)


def test_a_kept_file_is_its_path() -> None:
    """What lies in a folder is written as anybody would write it; nothing has to be imported for it."""
    code = as_code(VideoRequest(prompt="push in", model="m/m", frame_images=[LOCAL]))
    assert 'Keyframe(input_image="/library/a fox.png")' in code
    assert code.startswith("from prefect_together import Keyframe, VideoRequest\n\nrequest = VideoRequest(\n")
