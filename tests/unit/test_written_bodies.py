"""What is sent for a file: its link while it lives, else its bytes; what cannot be sent is refused before."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import InvalidRequest
from prefect_together.generations import input_files, inputs
from prefect_together.generations.fingerprint import body_of, fingerprint_of
from prefect_together.generations.input_files import LARGEST_INLINE
from prefect_together.generations.inputs import INLINE_FRAME_WARNING, Body
from prefect_together.generations.request import Request

from .making import clip, full_image, image, picture, reference, sound, video, write

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
    monkeypatch.setattr(input_files, "LARGEST_INLINE", len(PICTURE))
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
    ("fields", "data", "media_type"),
    [
        pytest.param({"reference_images": "a.png"}, picture("JPEG"), "image/jpeg", id="jpeg"),
        pytest.param({"source_video": "a"}, clip("webm"), "video/webm", id="webm"),
        pytest.param({"audio_inputs": "a.mp3"}, sound("wav"), "audio/wav", id="wav"),
        pytest.param({"audio_inputs": "a.wav"}, sound("mp3"), "audio/mpeg", id="mp3"),
        pytest.param({"reference_audios": "a.mp3"}, sound("wav"), "audio/wav", id="reference-audio"),
    ],
)
async def test_a_data_url_says_what_it_holds(tmp_path: Path, fields: dict[str, str], data: bytes, media_type: str) -> None:
    """The media type comes from the bytes, whatever the name says."""
    ((field, name),) = fields.items()
    sent = (await written(video(**{field: write(tmp_path / name, data)}))).content["media"][field]
    assert media_type == (sent if isinstance(sent, str) else sent[0]).removeprefix("data:").partition(";")[0]


WHOLE = {
    "jpeg": ("image_url", picture("JPEG", 160, 120)),
    "png": ("image_url", picture("PNG", 160, 120)),
    "webp": ("reference_images", picture("WEBP", 160, 120)),
    "gif": ("reference_images", picture("GIF", 160, 120)),
    "bmp": ("reference_images", picture("BMP")),
    "mp4": ("source_video", clip("mp4")),
    "webm": ("frame_videos", clip("webm")),
    "wav": ("audio_inputs", sound("wav")),
    "mp3": ("audio_inputs", sound("mp3")),
    "ogg": ("audio_inputs", sound("ogg")),
}
ASKS = pytest.mark.parametrize("ask", [fingerprint_of, written], ids=["fingerprint_of", "write_body"])


async def asked(ask: Any, field: str, value: Any) -> None:
    """Ask for the fingerprint or the body of a request with one input."""
    request = (image if field in {"image_url", "reference_images"} else video)(**{field: value})
    await (ask(request, environment="together") if ask is fingerprint_of else ask(request))


@ASKS
@pytest.mark.parametrize("name", list(WHOLE))
async def test_half_a_file_is_refused(tmp_path: Path, name: str, ask: Any) -> None:
    """What goes out is checked as what comes in: a whole file passes, half of it is refused before anything is sent."""
    field, data = WHOLE[name]
    await asked(ask, field, write(tmp_path / "whole", data))
    with pytest.raises(InvalidRequest, match=r"half' is cut off or damaged: [\d,]+ bytes of \w+/[\w-]+, not whole\."):
        await asked(ask, field, write(tmp_path / "half", data[: len(data) // 2]))


@ASKS
@pytest.mark.parametrize(
    ("field", "data", "said"),
    [
        pytest.param("image_url", b"<html>404</html>", "a web page", id="html"),
        pytest.param("reference_images", b"\n<!DOCTYPE html><p>gone", "a web page", id="doctype"),
        pytest.param("frame_images", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="svg"),
        pytest.param("image_url", b"%PDF-1.7 ...", "a PDF", id="pdf"),
        pytest.param("source_video", b'{"error": "gone"}', "text", id="json"),
        pytest.param("audio_inputs", b"sk-secret-key-of-somebody", "text", id="text"),
        pytest.param("audio_inputs", bytes(range(256)), "something else", id="bytes"),
        pytest.param("image_url", clip("mp4"), "video/mp4", id="clip-for-a-picture"),
        pytest.param("frame_images", sound("mp3"), "audio/mpeg", id="sound-for-a-frame"),
        pytest.param("source_video", picture("JPEG"), "image/jpeg", id="picture-for-a-clip"),
        pytest.param("audio_inputs", clip("webm"), "video/webm", id="clip-for-sound"),
    ],
)
async def test_a_file_of_something_else_is_refused(tmp_path: Path, field: str, data: bytes, said: str, ask: Any) -> None:
    """Its name is not believed; one sentence says what it is and what to give, and quotes nothing of it."""
    with pytest.raises(InvalidRequest) as caught:
        await asked(ask, field, write(tmp_path / "page.jpg", data))
    message = str(caught.value)
    assert said in message
    assert "page.jpg" in message
    assert "secret" not in message
    assert ": give a" in message


async def test_a_kept_file_of_something_else_is_refused() -> None:
    """A clip is no picture, and a picture no sound: known from the reference, before anything is claimed."""
    for request in (image(image_url=reference(media_type="video/mp4")), video(audio_inputs=reference())):
        with pytest.raises(InvalidRequest, match="its field takes a"):
            await fingerprint_of(request, environment="together")


async def test_a_kept_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Also where it was kept so: Together would be sent half a picture."""
    half = PICTURE[: len(PICTURE) // 2]
    value = reference(half, uri=Path(write(tmp_path / "kept.png", half)).as_uri(), created_at=NOW)
    with pytest.raises(InvalidRequest, match=r"kept\.png is cut off or damaged"):
        await written(image(image_url=value))


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
    name = write(tmp_path / "a.png", PICTURE + bytes(size - len(PICTURE)))
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


async def test_a_file_that_changes_while_it_waits_is_not_sent(tmp_path: Path) -> None:
    """What is sent is what the request is known by: else another file's picture would be kept under its name."""

    async def is_there(_: str) -> bool:
        return True

    name = tmp_path / "a.png"
    name.write_bytes(picture())
    request = image(image_url=str(name))
    known_by = await fingerprint_of(request, environment="together")
    body = await body_of(request, known_by, environment="together", is_there=is_there)
    assert "image_url" in body.content
    name.write_bytes(picture(width=9))
    with pytest.raises(InvalidRequest, match="was changed while the request waited"):
        await body_of(request, known_by, environment="together", is_there=is_there)
