"""Films of clips that differ: nothing is stretched, turned over, left out or silenced, and what was changed is said."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

import hashlib
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_together import MediaLibrary, ajoin_videos, join_videos, last_frame
from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.generations.formats import video_shape
from prefect_together.ui.contact_sheet import LARGE, draw_contact_sheet
from prefect_together.ui.thumbnails import picture_of

from .own_clips import MATRICES, extent, frames, is_red, loudness, sound_of, written


@pytest.mark.parametrize(
    ("first", "second", "fit", "said"),
    [
        pytest.param((128, 96), (96, 128), "bars", "96x128, shown as 72x96 with bars", id="portrait-in-landscape"),
        pytest.param((96, 128), (128, 96), "bars", "128x96, shown as 96x72 with bars", id="landscape-in-portrait"),
        pytest.param((128, 72), (128, 128), "bars", "128x128, shown as 72x72 with bars", id="square-in-wide"),
        pytest.param((128, 96), (64, 48), "bars", "64x48, scaled to 128x96", id="smaller-of-the-same-shape"),
        pytest.param((128, 96), (96, 128), "crop", "96x128, scaled to 128x170, of which 128x96 are shown", id="cropped"),
    ],
)
def test_pictures_of_another_shape_are_fitted(
    tmp_path: Path, library: MediaLibrary, first: tuple[int, int], second: tuple[int, int], fit: Any, said: str
) -> None:
    """A circle stays a circle, between bars or with its edges cut off, and the film says which."""
    clips = [written(tmp_path / "a.mp4", first), written(tmp_path / "b.mp4", second)]
    film = join_videos(clips, fit=fit, library=library)
    assert (*first, True, (f"clip 2: {said}",)) == (film.width, film.height, film.reencoded, film.changes)
    shown = frames(film.read_bytes())
    assert 50 == len(shown)
    width, height = extent(shown[-1][1])
    across = min(second) * 0.8 * (max if fit == "crop" else min)(first[0] / second[0], first[1] / second[1])
    assert (across, min(across, first[1])) == pytest.approx((width, height), abs=5)
    assert film == join_videos(clips, fit=fit, library=library)


def test_how_pictures_are_fitted_makes_another_film(tmp_path: Path, library: MediaLibrary) -> None:
    """A film with bars is not taken for one without, and a way that does not exist is refused."""
    clips = [written(tmp_path / "a.mp4", (128, 96)), written(tmp_path / "b.mp4", (96, 128))]
    assert join_videos(clips, library=library).sha256 != join_videos(clips, fit="crop", library=library).sha256
    with pytest.raises(InvalidRequest, match="'bars' or by 'crop', not by 'stretch'"):
        join_videos(clips, fit="stretch", library=library)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("turn", list(MATRICES))
def test_a_turned_clip_is_shown_upright(
    tmp_path: Path, library: MediaLibrary, turn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a film, as a last frame, as a thumbnail, on a sheet, and in what it measures."""
    clip = written(tmp_path / "a.mp4", (128, 96), turn=turn)
    size = (96, 128) if turn in {"clockwise", "counterclockwise"} else (128, 96)
    right, low = turn in {"clockwise", "mirrored", "upside-down"}, turn in {"counterclockwise", "upside-down"}
    corner = (size[0] - 4 if right else 4, size[1] - 4 if low else 4)
    last, film = last_frame(clip, library=library), join_videos([clip], library=library)
    with Image.open(last.path()) as picture:
        looks = [picture.convert("RGB"), picture_of(clip), frames(film.read_bytes())[0][1]]
    assert [(size, True)] * 3 == [(look.size, is_red(look, corner)) for look in looks]
    assert (size, size) == ((last.width, last.height), (film.width, film.height))
    assert (True, ("clip 1: turned upright",)) == (film.reencoded, film.changes)
    with Image.open(io.BytesIO(draw_contact_sheet([clip], LARGE))) as sheet:
        assert (sheet.width > sheet.height) == (size[0] > size[1])
    for without in (False, True):
        if without:
            monkeypatch.setitem(__import__("sys").modules, "av", None)
        with clip.open() as file:
            shape = video_shape(file)
        assert size == (shape.width, shape.height)


def test_a_clip_whose_pixels_are_not_square_is_not_squeezed(tmp_path: Path, library: MediaLibrary) -> None:
    """Its circle is shown as wide as it was meant."""
    clip = written(tmp_path / "a.mp4", (96, 96), square=Fraction(4, 3))
    film = join_videos([clip, written(tmp_path / "b.mp4", (128, 96))], library=library)
    assert (128, 96, ("clip 1: its pixels made square",)) == (film.width, film.height, film.changes)
    shown = frames(film.read_bytes())
    assert (102, 77) == pytest.approx(extent(shown[0][1]), abs=5)
    assert (77, 77) == pytest.approx(extent(shown[-1][1]), abs=5)


SOUND = (44100, "stereo", 1.0)


@pytest.mark.parametrize("order", [0, 1], ids=["sound-first", "silence-first"])
def test_a_clip_without_sound_is_silent(tmp_path: Path, library: MediaLibrary, order: int) -> None:
    """The film has the sound of the clip that has some, under its own pictures, and silence beside."""
    clips = [written(tmp_path / "a.mp4", sound=SOUND), written(tmp_path / "b.mp4")]
    clips = clips if order == 0 else clips[::-1]
    film = join_videos(clips, library=library)
    data = film.read_bytes()
    heard = [loudness(data, second + 0.1, second + 0.9) for second in (order, 1 - order)]
    assert loudness((tmp_path / "a.mp4").read_bytes(), 0.1, 0.9) == pytest.approx(heard[0], rel=0.02)
    assert heard[0][1] == pytest.approx(440, abs=5)
    assert heard[1][0] < 0.005
    assert (False, (f"clip {2 - order}: silence, as it has no sound",)) == (film.reencoded, film.changes)


@pytest.mark.parametrize(
    ("second", "form", "said"),
    [
        pytest.param((44100, "stereo", 1.0), (44100, "stereo"), (), id="equal"),
        pytest.param(
            (22050, "mono", 1.0),
            (44100, "stereo"),
            ("clip 2: sound of 22050 Hz mono brought to 44100 Hz stereo",),
            id="poorer",
        ),
        pytest.param((48000, "mono", 1.0), (48000, "stereo"), None, id="richer-and-mono"),
        pytest.param((48000, "5.1", 1.0), (48000, "stereo"), None, id="surround"),
    ],
)
def test_sound_in_several_forms_is_brought_to_one(
    tmp_path: Path,
    library: MediaLibrary,
    second: tuple[int, str, float],
    form: tuple[int, str],
    said: tuple[str, ...] | None,
) -> None:
    """No clip loses its sound for being recorded otherwise, and each tone is heard under its own pictures."""
    clips = [written(tmp_path / "a.mp4", sound=SOUND), written(tmp_path / "b.mp4", sound=second, hertz=880)]
    film = join_videos(clips, library=library)
    data = film.read_bytes()
    assert form == sound_of(data)
    tones = [loudness(data, begin, begin + 0.8) for begin in (0.1, 1.1)]
    assert [440, 880] == pytest.approx([tone for _, tone in tones], abs=8)
    assert min(loud for loud, _ in tones) > 0.2
    assert film.changes == said if said is not None else len(film.changes) >= 1


def test_sound_of_many_clips_stays_under_its_pictures(tmp_path: Path, library: MediaLibrary) -> None:
    """Sound that is a little longer or shorter than its pictures does not add up."""
    tones = [300 + 100 * n for n in range(8)]
    clips = [
        written(tmp_path / f"{n}.mp4", sound=(44100, "mono", 1.06 if n % 2 else 0.97), hertz=tone)
        for n, tone in enumerate(tones)
    ]
    film = join_videos(clips, library=library)
    data = film.read_bytes()
    heard = [loudness(data, second + 0.1, second + 0.9)[1] for second in range(8)]
    assert tones == pytest.approx(heard, abs=8)
    assert film.seconds == pytest.approx(8.0, abs=0.05)
    assert () == film.changes


def test_sound_that_goes_on_is_heard_to_its_end(tmp_path: Path, library: MediaLibrary) -> None:
    """The last picture stands meanwhile, and the film says so."""
    clips = [written(tmp_path / "a.mp4", sound=(44100, "mono", 1.5)), written(tmp_path / "b.mp4")]
    film = join_videos(clips, library=library)
    data = film.read_bytes()
    assert loudness(data, 1.1, 1.4)[0] > 0.2
    assert loudness(data, 1.7, 2.4)[0] < 0.005
    assert film.seconds == pytest.approx(2.5, abs=0.06)
    assert "clip 1: its last picture stands for 0.5 s, until its sound ends" in film.changes


def test_no_picture_of_a_clip_with_a_changing_rate_is_left_out(tmp_path: Path, library: MediaLibrary) -> None:
    """Every picture is in the film once, at its own time."""
    uneven = [0, 0.01, 0.02, 0.03, 0.5, 0.51, 0.9]
    clips = [
        written(tmp_path / "a.mp4"),
        written(tmp_path / "b.mp4", times=uneven),
        written(tmp_path / "c.mp4", (96, 128), rate=12),
    ]
    film = join_videos(clips, library=library)
    shown = [time for time, _ in frames(film.read_bytes())]
    assert 25 + 7 + 12 == len(shown)
    assert [1 + time for time in uneven] == pytest.approx(shown[25:32], abs=0.002)
    assert film.changes[0] == "the clips have different frame rates: every picture keeps its own time"


async def test_the_async_twin_fits_too(tmp_path: Path, library: MediaLibrary) -> None:
    """It takes the same words and returns the same film."""
    clips = [written(tmp_path / "a.mp4"), written(tmp_path / "b.mp4", (96, 128))]
    film = await ajoin_videos(clips, fit="crop", library=library)
    assert "are shown" in film.changes[0]


def test_a_clip_without_pictures_is_refused(tmp_path: Path, library: MediaLibrary) -> None:
    """One sentence, and no film."""
    clip = written(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    named = hashlib.sha256(b"no clip").hexdigest()
    broken = clip.model_copy(update={"uri": (tmp_path / "b.mp4").as_uri(), "sha256": named, "size": len(b"no clip")})
    with pytest.raises(MediaError, match="cannot be joined"):
        join_videos([clip, broken], library=library)
