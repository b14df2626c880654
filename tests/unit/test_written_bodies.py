"""What is sent for a file: its link while it lives, else its bytes; what cannot be sent is refused before."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import InvalidRequest
from prefect_together.generations import inputs
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.inputs import INLINE_FRAME_WARNING, LARGEST_INLINE, Body
from prefect_together.generations.request import Request

from .making import full_image, image, picture, reference, video, write

PICTURE = picture()


async def written(request: Request, *, alive: bool = True, asked: list[str] | None = None) -> Body:
    """Return a request's body, while hosted links are alive or dead."""

    async def is_there(url: str) -> bool:
        if asked is not None:
            asked.append(url)
        return alive

    return await inputs.write_body(request, is_there)


def broken(folder: Path, what: str) -> str:
    """Return the name of a file that cannot be sent."""
    name = folder / f"{what}.png"
    match what:
        case "empty":
            name.touch()
        case "directory":
            name.mkdir()
        case "large":
            with name.open("wb") as file:
                file.truncate(LARGEST_INLINE + 1)
        case "long":
            return str(folder / ("x" * 300))
        case _:
            pass
    return str(name)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        pytest.param("missing", "there is no file", id="missing"),
        pytest.param("empty", "is empty", id="empty"),
        pytest.param("directory", "cannot be read", id="directory"),
        pytest.param("large", "30 MB", id="too-large"),
        pytest.param("long", "cannot be read", id="name-too-long"),
    ],
)
@pytest.mark.parametrize("ask", [fingerprint_of, written], ids=["fingerprint_of", "write_body"])
async def test_a_file_that_cannot_be_sent_is_refused(tmp_path: Path, what: str, said: str, ask: Any) -> None:
    """One sentence names the file and what is wrong with it, before anything is sent."""
    request = image(image_url=broken(tmp_path, what))
    with pytest.raises(InvalidRequest) as caught:
        await (ask(request, environment="together") if ask is fingerprint_of else ask(request))
    message = str(caught.value)
    assert said in message
    assert str(request.image_url) in message
    assert message.startswith("ImageRequest")
    assert "\n" not in message
    assert message.endswith(".")


async def test_the_largest_file_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is allowed."""
    monkeypatch.setattr(inputs, "LARGEST_INLINE", len(PICTURE))
    name = write(tmp_path / "a.png", PICTURE)
    assert (await written(image(image_url=name))).content["image_url"].startswith("data:image/png;base64,")


def decoded(text: str) -> bytes:
    """Read strict base64."""
    return base64.b64decode(text, validate=True)


async def test_a_file_goes_inline_as_its_field_takes_it(tmp_path: Path) -> None:
    """The image API gets a data URL, a video frame gets bare base64 (together-api.md 3.2)."""
    name = write(tmp_path / "a.bin", PICTURE)
    sent = (await written(image(image_url=name, reference_images=[name, "https://x/b.png"]))).content
    prefix, _, text = sent["image_url"].partition(",")
    assert ("data:image/png;base64", PICTURE) == (prefix, decoded(text))
    assert [sent["image_url"], "https://x/b.png"] == sent["reference_images"]

    sent = (await written(video(frame_images=name, reference_images=name))).content["media"]
    assert PICTURE == decoded(sent["frame_images"][0]["input_image"])
    assert sent["reference_images"][0].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        pytest.param("a.png", picture("JPEG"), "image/jpeg", id="bytes-win-over-the-name"),
        pytest.param("a.wav", b"RIFF....WAVE", "audio/x-wav", id="name-where-bytes-say-nothing"),
        pytest.param("a", b"anything", "application/octet-stream", id="nothing-is-known"),
    ],
)
async def test_a_data_url_says_what_it_holds(tmp_path: Path, name: str, data: bytes, media_type: str) -> None:
    """The media type comes from the bytes, else from the name."""
    sent = (await written(video(audio_inputs=write(tmp_path / name, data)))).content["media"]["audio_inputs"][0]
    assert media_type.replace("x-", "") == sent.removeprefix("data:").partition(";")[0].replace("x-", "")


def kept(folder: Path, **fields: Any) -> Any:
    """Return a reference to a picture that is really there."""
    name = write(folder / "kept.png", PICTURE)
    return reference(PICTURE, uri=Path(name).as_uri(), **fields)


NOW = datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("age", "media_type", "passed_on"),
    [
        pytest.param(timedelta(minutes=1), "image/png", True, id="fresh-image"),
        pytest.param(timedelta(minutes=40), "image/png", False, id="stale-image"),
        pytest.param(timedelta(hours=1), "video/mp4", True, id="fresh-video"),
        pytest.param(timedelta(hours=12), "video/mp4", False, id="stale-video"),
        pytest.param(timedelta(minutes=-2), "image/png", True, id="clock-a-little-off"),
        pytest.param(timedelta(days=-1), "image/png", False, id="from-the-future"),
        pytest.param(timedelta(0), "audio/wav", False, id="nothing-known-of-its-links"),
    ],
)
async def test_a_hosted_link_is_passed_on_while_it_lives(
    tmp_path: Path,
    age: timedelta,
    media_type: str,
    passed_on: bool,
) -> None:
    """Links die within the hour for images and the day for videos: after that the kept bytes go inline."""
    link = "https://api.together.ai/shrt/abc"
    value = kept(tmp_path, created_at=datetime.now(timezone.utc) - age, media_type=media_type, source_url=link)
    sent = (await written(image(image_url=value))).content["image_url"]
    assert passed_on == (sent == link)
    if not passed_on:
        assert PICTURE == decoded(sent.partition(",")[2])


async def test_a_dead_link_is_not_passed_on(tmp_path: Path) -> None:
    """A job with a dead link fails and may be billed: what was kept goes inline instead; strangers' links are their business."""
    link, asked = "https://api.together.ai/shrt/abc", list[str]()
    value = kept(tmp_path, created_at=datetime.now(timezone.utc), source_url=link)
    request = image(image_url=value, reference_images=["https://example.com/b.png"])
    sent = (await written(request, alive=False, asked=asked)).content
    assert PICTURE == decoded(sent["image_url"].partition(",")[2])
    assert ["https://example.com/b.png"] == sent["reference_images"]
    assert [link] == asked


async def test_a_reference_without_a_link_goes_inline(tmp_path: Path) -> None:
    """What was kept can always be sent."""
    sent = (await written(video(frame_images=kept(tmp_path, created_at=NOW)))).content["media"]["frame_images"]
    assert PICTURE == decoded(sent[0]["input_image"])


async def test_a_lost_reference_is_refused(tmp_path: Path) -> None:
    """A reference whose file is gone names it, before anything is sent."""
    value = kept(tmp_path, created_at=NOW)
    (tmp_path / "kept.png").unlink()
    with pytest.raises(InvalidRequest, match=r"kept\.png is not in the library any more"):
        await written(image(image_url=value))


async def test_a_reference_that_is_too_large_is_refused() -> None:
    """Its size is known, so nothing is read."""
    with pytest.raises(InvalidRequest, match="30 MB"):
        await written(image(image_url=reference(size=LARGEST_INLINE + 1, created_at=NOW)))


@pytest.mark.parametrize(
    ("size", "field", "warned"),
    [
        pytest.param(INLINE_FRAME_WARNING, "frame_images", 0, id="small-frame"),
        pytest.param(INLINE_FRAME_WARNING + 1, "frame_images", 1, id="large-frame"),
        pytest.param(INLINE_FRAME_WARNING + 1, "reference_images", 0, id="large-reference"),
    ],
)
async def test_a_large_frame_is_warned_of(tmp_path: Path, size: int, field: str, warned: int) -> None:
    """Together may refuse inline frames above 60 KB: that is said, once per file, and it is sent all the same."""
    name = write(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + bytes(size - 8))
    body = await written(video(**{field: [name, name]}))
    assert warned == len(body.warnings)
    assert [] == [text for text in body.warnings if "60 KB" not in text or "URL" not in text]
    assert 2 == len(body.content["media"][field])


@pytest.mark.parametrize("request_", [image(prompt="ü 狐"), full_image()], ids=["unicode", "full"])
async def test_a_body_is_json(tmp_path: Path, request_: Request) -> None:
    """What is written can be sent as it is."""
    changed = request_.model_copy(update={"image_url": write(tmp_path / "a.png", PICTURE), "reference_images": None})
    body = (await written(changed)).content
    assert body == json.loads(json.dumps(body, allow_nan=False))
