"""Clips: real MP4 and WEBM files with the size, length, rate and keyframes that were asked for."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import HAILUO, SEEDANCE, VIDEOS, clip, difference, finished, frames, picture, pictures, reader, video_body

CLOSE = 6.0
"""Mean difference (of 255) under which two pictures look the same; lossy coding alone makes 1 to 2."""


def test_an_mp4_has_the_size_seconds_and_rate_asked_for(client: httpx.Client) -> None:
    """What PyAV reads in the file is what the request said, and players can start before the file is whole."""
    content = clip(client, width=640, height=360, seconds="2", fps=25)
    with reader.open(io.BytesIO(content)) as source:
        stream = source.streams.video[0]
        assert (640, 360, 25) == (stream.width, stream.height, stream.average_rate)
        assert "h264" == stream.codec_context.name
        assert 2.0 == (source.duration or 0) / 1_000_000
    assert 50 == len(frames(content))
    assert content.index(b"moov") < content.index(b"mdat")


def test_webm_can_be_asked_for(client: httpx.Client) -> None:
    """`output_format` WEBM gives a WEBM file."""
    job = finished(client, output_format="WEBM")
    answer = client.get(job["outputs"]["video_url"])
    assert "video/webm" == answer.headers["content-type"]
    assert answer.content.startswith(b"\x1a\x45\xdf\xa3")
    assert 24 == len(frames(answer.content))


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        pytest.param({"model": HAILUO, "seconds": None}, "1366x768", id="first-of-the-model"),
        pytest.param({"resolution": "720P", "ratio": "9:16"}, "720x1280", id="resolution-and-ratio"),
        pytest.param({"resolution": "480p", "ratio": "21:9"}, "1120x480", id="worked-out"),
        pytest.param({"model": "Wan-AI/wan2.7-t2v", "resolution": "720P", "ratio": "1:1"}, "960x960", id="wan"),
        pytest.param({"model": "sandbox/tiny"}, "320x180", id="tiny"),
        pytest.param({}, "1366x768", id="default"),
    ],
)
def test_the_size_follows_from_what_is_given(client: httpx.Client, asked: dict[str, Any], size: str) -> None:
    """Width and height, or resolution and ratio, or the model's own."""
    fields = {"width": None, "height": None, "seconds": "2", **asked}
    assert size == client.post(VIDEOS, json=video_body(**fields)).json()["size"]


@pytest.mark.parametrize("seconds", ["3", 3])
def test_seconds_may_be_text_or_number(client: httpx.Client, seconds: object) -> None:
    """Together documents a string; one of its own examples sends a number."""
    assert "3" == finished(client, seconds=seconds)["seconds"]


@pytest.mark.parametrize("legacy", [False, True], ids=["media", "top-level"])
def test_a_clip_begins_on_its_keyframe(client: httpx.Client, *, legacy: bool) -> None:
    """The first decoded frame is the picture that was given, in `media` and in the deprecated place."""
    still = pictures(client, width=320, height=176, seed=1)[0]
    entry = [{"input_image": base64.b64encode(still).decode()}]
    given = {"frame_images": entry} if legacy else {"media": {"frame_images": entry}}
    shown = frames(clip(client, height=176, **given))
    assert difference(picture(still), shown[0]) < CLOSE
    assert difference(picture(still), shown[12]) > difference(picture(still), shown[0])


def test_a_clip_ends_on_its_last_keyframe(client: httpx.Client) -> None:
    """With two pictures, or one marked `last`, the last decoded frame is that picture."""
    first, last = (pictures(client, width=320, height=176, seed=seed)[0] for seed in (1, 2))
    one, two = (base64.b64encode(still).decode() for still in (first, last))
    both = frames(clip(client, height=176, media={"frame_images": [{"input_image": one}, {"input_image": two}]}))
    assert difference(picture(first), both[0]) < CLOSE
    assert difference(picture(last), both[-1]) < CLOSE
    only = frames(clip(client, height=176, media={"frame_images": [{"input_image": two, "frame": "last"}]}))
    assert difference(picture(last), only[-1]) < CLOSE


def test_a_middle_keyframe_is_shown_at_its_frame(client: httpx.Client) -> None:
    """A frame number says when a picture is seen."""
    stills = [pictures(client, width=320, height=176, seed=seed)[0] for seed in (1, 2, 3)]
    entries = [
        {"input_image": base64.b64encode(still).decode(), "frame": frame}
        for still, frame in zip(stills, (0, 24, 47), strict=True)
    ]
    shown = frames(clip(client, height=176, seconds="2", media={"frame_images": entries}))
    # The caption covers the lower part in the middle of a clip.
    upper = (0, 0, 320, 110)
    assert difference(picture(stills[1]).crop(upper), shown[24].crop(upper)) < CLOSE


def test_a_chain_of_clips_has_no_visible_seam(client: httpx.Client) -> None:
    """The last frame of one clip, given to the next, is its first: the way long films are made."""
    end = frames(clip(client))[-1]
    for _ in range(2):
        buffer = io.BytesIO()
        end.save(buffer, "PNG")
        given = {"frame_images": [{"input_image": base64.b64encode(buffer.getvalue()).decode()}]}
        shown = frames(clip(client, prompt="and then", media=given))
        assert difference(end, shown[0]) < CLOSE
        end = shown[-1]


def test_a_clip_can_continue_another(client: httpx.Client) -> None:
    """`frame_videos` begins on the last frame of the clip that it names."""
    url = finished(client)["outputs"]["video_url"]
    end = frames(client.get(url).content)[-1]
    assert difference(end, frames(clip(client, media={"frame_videos": [{"video": url}]}))[0]) < CLOSE


def test_a_hosted_picture_can_be_a_keyframe(client: httpx.Client) -> None:
    """The short link of an image answer is a good `input_image`."""
    url = client.post("/v1/images/generations", json={"model": "sandbox/x", "prompt": "a", "width": 320, "height": 176})
    link = url.json()["data"][0]["url"]
    shown = frames(clip(client, height=176, media={"frame_images": [{"input_image": link}]}))
    assert difference(picture(client.get(link).content), shown[0]) < CLOSE


def test_a_clip_moves(client: httpx.Client) -> None:
    """It is not a still: frames differ."""
    shown = frames(clip(client))
    assert difference(shown[0], shown[len(shown) // 2]) > 0.5


def test_a_job_waits_renders_and_completes_with_its_cost() -> None:
    """`queued`, `in_progress`, `completed`, with ISO times, and the cost as a number of dollars."""
    with (
        sandbox.serve(render_seconds=0.8) as together,
        httpx.Client(base_url=together.url, headers={"Authorization": "Bearer k"}) as client,
    ):
        job = client.post(VIDEOS, json=video_body(model=HAILUO, width=1366, height=768, seconds="6")).json()
        assert ("queued", True) == (job["status"], job["created_at"].endswith("Z"))
        seen = list[str]()
        while "completed" not in seen:
            job = client.get(f"{VIDEOS}/{job['id']}").json()
            seen = list(dict.fromkeys([*seen, job["status"]]))
        assert seen in (["queued", "in_progress", "completed"], ["in_progress", "completed"])
        assert 0.56 == job["outputs"]["cost"]
        assert job["completed_at"] > job["created_at"]


def test_the_file_can_be_had_in_parts(client: httpx.Client) -> None:
    """Ranges are answered with 206 and add up to the whole; one beyond the end with 416."""
    url = finished(client)["outputs"]["video_url"]
    whole = client.get(url).content
    first = client.get(url, headers={"Range": "bytes=0-999"})
    rest = client.get(url, headers={"Range": "bytes=1000-"})
    assert (206, f"bytes 0-999/{len(whole)}") == (first.status_code, first.headers["content-range"])
    assert whole == first.content + rest.content
    assert whole[-5:] == client.get(url, headers={"Range": "bytes=-5"}).content
    assert 416 == client.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code


def test_the_head_of_a_file_tells_its_length(client: httpx.Client) -> None:
    """HEAD has the length of GET and no body."""
    url = finished(client)["outputs"]["video_url"]
    assert str(len(client.get(url).content)) == client.head(url).headers["content-length"]


def test_two_keyframes_suit_a_model_that_takes_two(client: httpx.Client) -> None:
    """What the catalogue documents is accepted."""
    entry = {"input_image": base64.b64encode(pictures(client)[0]).decode()}
    fields = {"model": SEEDANCE, "width": 864, "height": 480, "seconds": "5"}
    assert "completed" == finished(client, media={"frame_images": [entry, entry]}, **fields)["status"]
