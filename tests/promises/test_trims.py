"""Parts of clips and sounds, and pictures of clips: exact, as they are where that goes, and what was encoded anew is said."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from prefect_together import DerivedMedia, MediaLibrary, aframes, atrim, join_videos, last_frame, trim
from prefect_together import frames as frames_of
from prefect_together.errors import InvalidRequest

from .own_clips import frames, is_red, loudness, sound_of, written
from .own_sounds import packets, samples, tone

THREE = [n / 25 for n in range(75)]


def _blue(picture: Image.Image) -> int:
    """Return how blue the ground of a picture is, by which pictures of these clips are told apart."""
    return picture.convert("RGB").crop((120, 90, 121, 91)).tobytes()[2]


@pytest.mark.parametrize(
    ("name", "codec", "layout", "kept"),
    [
        pytest.param("a.wav", "pcm_s16le", "mono", "audio/wav", id="wav"),
        pytest.param("a.wav", "pcm_s24le", "stereo", "audio/wav", id="wav-of-24-bits"),
        pytest.param("a.flac", "flac", "stereo", "audio/flac", id="flac"),
        pytest.param("a.mp3", "libmp3lame", "mono", "audio/flac", id="mp3"),
    ],
)
def test_sounds_are_cut_to_the_sample(
    tmp_path: Path, library: MediaLibrary, name: str, codec: str, layout: str, kept: str
) -> None:
    """The part holds the samples between the two times and no other; what is not lossless is said."""
    whole = tone(tmp_path / name, 1.0, codec=codec, layout=layout, hertz=333)
    part, rest = trim(whole, 0.25, 0.625, library=library), trim(whole, 0.625, library=library)
    form = None if codec.startswith("pcm") else "s16"
    width = {"mono": 1, "stereo": 2}[layout] * (4 if codec == "pcm_s24le" else 2)
    every = samples(whole.read_bytes(), form)
    assert every[6000 * width : 15000 * width] == samples(part.read_bytes(), form)
    assert every[15000 * width :] == samples(rest.read_bytes(), form)
    assert (kept, 0.375, 24_000) == (part.media_type, part.seconds, part.sample_rate)
    lossy = codec == "libmp3lame"
    assert (lossy, 1 if lossy else 0) == (part.reencoded, len(part.changes))
    assert ("trim", "sound", "part of a sound", ("start=0.25", "end=0.625")) == (
        part.operation, part.noun, part.maker, part.asked,
    )  # fmt: skip


def test_a_part_from_the_beginning_is_copied(tmp_path: Path, library: MediaLibrary) -> None:
    """Pictures and sound are those of the clip, as far as they go."""
    clip = join_videos(
        [written(tmp_path / f"{n}.mp4", sound=(44100, "mono", 1.0), hertz=400 + 200 * n) for n in range(3)], library=library
    )
    part = trim(clip, end=2, library=library)
    data, whole = part.read_bytes(), clip.read_bytes()
    assert (2.0, False, ()) == (part.seconds, part.reencoded, part.changes)
    assert packets(whole, "video")[:50] == packets(data, "video")
    assert packets(data, "audio") == packets(whole, "audio")[: len(packets(data, "audio"))]
    assert loudness(data, 1.1, 1.9)[1] == pytest.approx(600, abs=8)


def test_a_part_from_a_key_frame_is_copied(tmp_path: Path, library: MediaLibrary) -> None:
    """Its pictures are those of the clip; its sound is cut to the sample, which takes encoding, and that is said."""
    clips = [written(tmp_path / f"{n}.mp4", sound=(44100, "mono", 1.0), hertz=400 + 200 * n) for n in range(3)]
    clip = join_videos(clips, library=library)
    part = trim(clip, 1, 2, library=library)
    data = part.read_bytes()
    assert (False, ("sound encoded anew as AAC",)) == (part.reencoded, part.changes)
    assert packets(clip.read_bytes(), "video")[25:50] == packets(data, "video")
    assert [n / 25 for n in range(25)] == pytest.approx([time for time, _ in frames(data)], abs=0.001)
    assert loudness(data, 0.05, 0.95)[1] == pytest.approx(600, abs=8)
    assert part.seconds == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("begin", "end"), [(0.52, 1.52), (0.5, 2.2), (1.0, None), (0.0, 0.3)])
def test_a_part_from_anywhere_is_exact(tmp_path: Path, library: MediaLibrary, begin: float, end: float | None) -> None:
    """Every picture between the two times is in it and no other, each at its own time; why it was encoded anew is said."""
    times = [n / 25 for n in range(75)]
    clip = written(tmp_path / "a.mp4", times=times, sound=(44100, "stereo", 3.0))
    part = trim(clip, begin, end, library=library)
    inside = [time - begin for time in times if begin - 0.021 <= time < (end or 9) - 0.0201]
    found = frames(part.read_bytes())
    assert inside == pytest.approx([time for time, _ in found], abs=0.021)
    first = round((times[0] + begin) * 25 + 0.01)
    shade, wanted = _blue(found[0][1]), _blue(frames(clip.read_bytes())[first][1])
    assert shade == pytest.approx(wanted, abs=4)
    assert any(change.startswith("pictures encoded anew, as ") for change in part.changes) == part.reencoded
    assert part.seconds == pytest.approx((end or 3.0) - begin, abs=0.05)
    assert (44100, "stereo") == sound_of(part.read_bytes())


def test_what_is_over_before_is_said(tmp_path: Path, library: MediaLibrary) -> None:
    """A part may reach behind the end, and says so; it may not begin there."""
    clip, voice = written(tmp_path / "a.mp4"), tone(tmp_path / "v.wav")
    for whole in (clip, voice):
        assert "it ends at 1.00 s already, before 9 s" in trim(whole, 0.2, 9, library=library).changes
        with pytest.raises(InvalidRequest, match=r"is 1\.00 s long, and nothing of it is behind 1 s"):
            trim(whole, 1, library=library)


def test_a_turned_clip_stays_upright(tmp_path: Path, library: MediaLibrary) -> None:
    """Copied it still says how it is turned, encoded anew it is; frames of it are upright too."""
    clip = written(tmp_path / "a.mp4", (128, 96), times=THREE, turn="clockwise")
    for part in (trim(clip, end=3, library=library), trim(clip, 0.52, library=library)):
        assert (96, 128) == (part.width, part.height)
        with Image.open(last_frame(part, library=library).path()) as picture:
            assert is_red(picture, (92, 4))
    (still,) = frames_of(clip, at=1, library=library)
    with Image.open(still.path()) as picture:
        assert ((96, 128), True) == (picture.size, is_red(picture, (92, 4)))


def test_frames_are_those_that_are_shown(tmp_path: Path, library: MediaLibrary) -> None:
    """At given times, so often, or so many of them; each is kept by itself and found again however it was asked for."""
    clip = written(tmp_path / "a.mp4", times=THREE)
    shown = [_blue(picture) for _, picture in frames(clip.read_bytes())]
    times = [0.0, 0.5, 1.99, 2.97]
    stills = frames_of(clip, at=times, library=library)
    for still, wanted in zip(stills, (0, 12, 49, 74), strict=True):
        with Image.open(still.path()) as picture:
            assert _blue(picture) == pytest.approx(shown[wanted], abs=3)
    assert times == [still.at for still in stills]
    assert ("image/png", 128, 96, "frame of a clip at 0.5 s") == (
        stills[1].media_type, stills[1].width, stills[1].height, stills[1].maker,
    )  # fmt: skip
    assert [0.5, 1.5, 2.5] == [still.at for still in frames_of(clip, count=3, library=library)]
    every = frames_of(clip, every=0.5, library=library)
    assert [0.0, 0.5, 1.0, 1.5, 2.0, 2.5] == [still.at for still in every]
    assert (stills[0], stills[1]) == (every[0], every[1])
    assert 2 * [stills[2]] == frames_of(clip, at=[1.99, 1.99], library=library)


def test_async_flows_trim_too(tmp_path: Path, library: MediaLibrary) -> None:
    """The twins return the same files."""
    clip = written(tmp_path / "a.mp4")

    async def work() -> tuple[DerivedMedia, list[DerivedMedia]]:
        return await atrim(clip, end=0.5, library=library), await aframes(clip, count=2, library=library)

    assert asyncio.run(work()) == (trim(clip, end=0.5, library=library), frames_of(clip, count=2, library=library))


_REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
    "end-before-start": (lambda clip: trim(clip, 0.5, 0.2), "ends at 0.2 s, before it begins at 0.5 s"),
    "negative": (lambda clip: trim(clip, -1), "start is a number, at least 0, and was -1"),
    "text": (lambda clip: trim(clip, cast("Any", "1")), "start is a number"),
    "nothing": (lambda _: trim(cast("Any", None)), "was given nothing"),
    "missing": (lambda _: trim("gone.mp4"), "there is no file 'gone.mp4'"),
    "no-frames": (frames_of, "one of count, every and at"),
    "two-ways": (lambda clip: frames_of(clip, count=2, every=1), "one of count, every and at"),
    "none-of-them": (lambda clip: frames_of(clip, count=0), "count is a whole number, at least 1"),
    "all-the-time": (lambda clip: frames_of(clip, every=0), "every=0 is none"),
    "behind": (lambda clip: frames_of(clip, at=[0.5, 7]), "no picture at 7 s of a.mp4"),
}


@pytest.mark.parametrize("name", list(_REFUSALS))
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, library: MediaLibrary, name: str) -> None:
    """What was called, and what is wrong."""
    call, said = _REFUSALS[name]
    with pytest.raises(InvalidRequest, match=said):
        call(written(tmp_path / "a.mp4"))
