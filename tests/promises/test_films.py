"""Files made from kept ones on this machine: the last picture of a clip, a film of several, a contact sheet."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

import asyncio
import hashlib
import sys

import pytest
from PIL import Image
from prefect import flow

from prefect_together import (
    DerivedMedia,
    acontact_sheet,
    agenerate_video,
    ajoin_videos,
    alast_frame,
    contact_sheet,
    generate_image,
    generate_video,
    join_videos,
    last_frame,
)
from prefect_together.errors import ConfigurationError, InvalidRequest, MediaError
from prefect_together.sandbox import Sandbox

from .asking import clip, picture, shown

pytestmark = pytest.mark.slow


def test_the_last_frame_and_a_film(together_sandbox: Sandbox) -> None:
    """Equal clips are joined as they are; both are kept, found again, free, and know what they came from."""
    one, two = generate_video(clip(seed=1)), generate_video(clip(seed=2))
    frame, film = last_frame(one), join_videos([one, two])
    assert ("image/png", 64, 48) == (frame.media_type, frame.width, frame.height)
    assert (2.0, 15.0, False) == (film.seconds, film.fps, film.reencoded)
    assert [one.sha256, two.sha256] == [source.sha256 for source in film.sources]
    assert film.verify()
    assert film == join_videos([one, two])
    assert film == DerivedMedia.model_validate_json(film.model_dump_json())
    follows = generate_video(clip(frame_images=[frame], seed=3))
    assert follows.verify()


def test_async_flows_make_films_too(together_sandbox: Sandbox) -> None:
    """The twins return the same files, refuse the same, and leave the flow's loop free meanwhile."""

    @flow
    async def work() -> tuple[DerivedMedia, DerivedMedia, int]:
        clips = [await agenerate_video(clip(seed=1)), await agenerate_video(clip(seed=2, width=128, height=96))]
        joining, turns = asyncio.ensure_future(ajoin_videos(clips)), 0
        while not joining.done():
            turns += 1
            await asyncio.sleep(0.001)
        with pytest.raises(InvalidRequest, match="was given none"):
            await ajoin_videos([])
        return await joining, await alast_frame(clips[0]), turns

    film, frame, turns = asyncio.run(work())
    assert turns > 10
    one, two = generate_video(clip(seed=1)), generate_video(clip(seed=2, width=128, height=96))
    assert (film, frame) == (join_videos([one, two]), last_frame(one))
    assert (True, "image/png") == (film.reencoded, frame.media_type)
    keys = {found.key for found in shown("film-of-") + shown("last-frame-")}
    assert {f"film-of-2-clips-{film.sha256[:6]}", f"last-frame-of-a-clip-{frame.sha256[:6]}"} <= keys


def test_clips_that_differ_are_encoded_anew(together_sandbox: Sandbox) -> None:
    """Another size is brought to the first one's, and the film says so."""
    one = generate_video(clip(seed=1))
    other = generate_video(clip(seed=2, width=128, height=96))
    film = join_videos([one, other])
    assert (64, 48, True) == (film.width, film.height, film.reencoded)
    assert film.seconds == pytest.approx(2.0, abs=0.1)


def test_only_clips_are_joined(together_sandbox: Sandbox) -> None:
    """A picture or nothing is refused in one sentence."""
    with pytest.raises(InvalidRequest, match="was given none"):
        join_videos([])
    with pytest.raises(InvalidRequest, match="takes clips"):
        join_videos([generate_image(picture(seed=1))])


async def test_a_contact_sheet_shows_what_it_is_given(together_sandbox: Sandbox) -> None:
    """A cell for each, in order, of a clip its first frame; found again, and its sources are named."""
    red, moving = generate_image(picture("red", seed=1, width=640, height=384)), generate_video(clip(seed=1))
    sheet = await acontact_sheet([red, moving])
    assert ("image/webp", "contact_sheet", True) == (sheet.media_type, sheet.operation, sheet.verify())
    assert [red.sha256, moving.sha256] == [source.sha256 for source in sheet.sources]
    assert "contact sheet of 2" in str(sheet)
    with Image.open(sheet.path()) as drawn, Image.open(red.path()) as original:
        assert (2 * 480 + 3 * 12, 288 + 2 * 12) == drawn.size
        middle = drawn.convert("RGB").getpixel((12 + 240, 12 + 144))
        expected = original.convert("RGB").getpixel((320, 192))
        assert isinstance(middle, tuple)
        assert isinstance(expected, tuple)
        assert max(abs(one - other) for one, other in zip(middle, expected, strict=True)) < 24
    assert sheet == contact_sheet([red, moving])
    assert sheet != contact_sheet([moving, red])


def test_a_contact_sheet_of_nothing_is_refused(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, something else, what cannot be drawn, and no Pillow: one sentence each."""
    made = generate_image(picture(seed=1))
    wrong: list[object] = [made, "fox.png"]
    for files in ([], wrong):
        with pytest.raises(InvalidRequest, match="contact_sheet takes pictures and clips that were generated"):
            contact_sheet(files)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    gone = made.model_copy(update={"uri": made.uri + "x", "sha256": "0" * 64})
    with pytest.raises(MediaError, match="not in the library any more"):
        contact_sheet([made, gone])
    broken = made.path().with_name("broken.jpg")
    broken.write_bytes(b"no picture")
    about = {"uri": broken.as_uri(), "sha256": hashlib.sha256(b"no picture").hexdigest(), "size": len(b"no picture")}
    with pytest.raises(InvalidRequest, match="cannot be drawn on a contact sheet"):
        contact_sheet([made, made.model_copy(update=about)])
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigurationError, match="needs Pillow"):
        contact_sheet([made])
