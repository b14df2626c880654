"""What makes a request the request it is, and how its files go into the body."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.request import Request

from .making import full_image, full_video, generated_image, image, picture, reference, video, write

PICTURE = picture()


async def fingerprint(request: Request, environment: str = "together") -> str:
    """Return a request's fingerprint."""
    return await fingerprint_of(request, environment=environment)


@pytest.mark.parametrize("make", [full_image, full_video, image, video])
async def test_the_same_request_has_the_same_fingerprint(make: Any) -> None:
    """A fingerprint is a hash of what is asked: the same tomorrow and in another process."""
    request: Request = make()
    known = await fingerprint(request)
    assert known == await fingerprint(make())
    assert known == await fingerprint(type(request).model_validate_json(request.model_dump_json()))
    assert 40 == len(known)
    assert set(known) <= set("0123456789abcdef")


async def test_a_fingerprint_never_changes_between_releases() -> None:
    """What was paid for under an older release is found again: a change here orphans everybody's ledger."""
    canonical = '{"kind":"image","model":"black-forest-labs/FLUX.2-pro","prompt":"ein Füchslein","realm":"together","seed":7,"take":2,"v":1}'
    expected = hashlib.sha256(canonical.encode()).hexdigest()[:40]
    assert expected == await fingerprint(image(prompt="ein Füchslein", seed=7, take=2))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"seed": 8}, id="seed"),
        pytest.param({"seed": None}, id="no-seed"),
        pytest.param({"take": 0}, id="take-0"),
        pytest.param({"take": 1}, id="take-1"),
        pytest.param({"prompt": "a fox in the snow "}, id="prompt"),
        pytest.param({"model": "another/model"}, id="model"),
        pytest.param({"n": 2}, id="n"),
        pytest.param({"width": 512}, id="width"),
        pytest.param({"output_format": "png"}, id="output-format"),
        pytest.param({"disable_safety_checker": False}, id="safety"),
        pytest.param({"image_url": "https://example.com/a.png"}, id="image"),
        pytest.param({"reference_images": ["https://example.com/a.png"]}, id="reference"),
        pytest.param({"extra": {"new": 1}}, id="extra"),
    ],
)
async def test_another_image_has_another_fingerprint(fields: dict[str, Any]) -> None:
    """Whatever changes the picture, or asks for one more, changes the fingerprint."""
    assert await fingerprint(image(seed=7)) != await fingerprint(image(**{"seed": 7, **fields}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(image(), image(response_format="base64"), id="response_format"),
        pytest.param(image(), image(n=1), id="the-default-n"),
        pytest.param(image(guidance_scale=7), image(guidance_scale=7.0), id="integral-float"),
        pytest.param(image(extra={"a": 1, "b": 2}), image(extra={"b": 2, "a": 1}), id="order-of-extra"),
        pytest.param(video(seconds=6), video(seconds="6"), id="seconds"),
        pytest.param(
            video(frame_images="https://x/a.png"),
            video(frame_images="https://x/a.png", media_layout="top_level"),
            id="media_layout",
        ),
        pytest.param(video(), video(media_layout="top_level"), id="media_layout-without-media"),
    ],
)
async def test_how_it_is_sent_does_not_matter(one: Request, other: Request) -> None:
    """The same picture asked for in another way is the same picture, already paid for."""
    assert await fingerprint(one) == await fingerprint(other)


async def test_frames_are_known_by_their_place() -> None:
    """First and last swapped make another clip."""
    one = video(frame_images=["https://x/a.png", "https://x/b.png"])
    assert await fingerprint(one) != await fingerprint(video(frame_images=["https://x/b.png", "https://x/a.png"]))


async def test_images_and_videos_are_never_the_same() -> None:
    """The kind is part of the identity."""
    same = {"prompt": "p", "model": "m", "seed": 1}
    assert await fingerprint(image(**same)) != await fingerprint(video(**same))


async def test_a_sandbox_never_stands_in_for_together() -> None:
    """The same request in another environment is another one."""
    assert await fingerprint(image(seed=7)) != await fingerprint(image(seed=7), environment="loopback")


async def test_a_file_is_its_content(tmp_path: Path) -> None:
    """A file, its copy, a `file://` URL, a `Path` and a kept reference with the same bytes are one input."""
    first = write(tmp_path / "a b.png", PICTURE)
    copy = write(tmp_path / "elsewhere" / "ü.png", PICTURE)
    same = [first, copy, Path(first), Path(copy).as_uri(), reference(PICTURE), reference(PICTURE, uri="s3://other/key.png")]
    assert 1 == len({await fingerprint(image(image_url=value)) for value in same})
    assert 1 == len({await fingerprint(video(frame_images=[value])) for value in same})


async def test_a_file_with_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.png", PICTURE)
    assert await fingerprint(image(image_url=reference(PICTURE))) == await fingerprint(image(image_url="~/a.png"))


async def test_a_changed_file_is_another_input(tmp_path: Path) -> None:
    """Who edits the picture gets a new edit of it."""
    name = write(tmp_path / "a.png", PICTURE)
    before = await fingerprint(image(image_url=name))
    write(tmp_path / "a.png", PICTURE + b"\n")
    assert before != await fingerprint(image(image_url=name))


async def test_a_generated_image_is_known_by_its_bytes() -> None:
    """Where it is kept and what it cost change nothing."""
    one = generated_image(cost="0.03", uri="s3://bucket/x.png")
    assert await fingerprint(image(image_url=one)) == await fingerprint(image(image_url=generated_image()))
