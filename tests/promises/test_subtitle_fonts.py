"""Subtitles in any script that a font of the machine has, in its own order; what none has is said, and nothing is boxes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from PIL import ImageFont, features

from prefect_together import MediaLibrary, burn_subtitles
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.tasks._editing import caption_drawing
from prefect_together.tasks._editing.fonts import FontFile, fonts

from .own_clips import written

SIZE = (128, 96)
SRT = """1
00:00:01,000 --> 00:00:02,000
Hello <i>there</i>,
second line
"""


def _clip(path: Path) -> Any:
    return written(path, SIZE, times=[n / 10 for n in range(30)], rate=10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("日本語", "日 本 語: install a CJK font", id="japanese"),
        pytest.param("Привет", "П р и в е т: install a Cyrillic font", id="cyrillic"),
        pytest.param("fine 😀", "😀: install a font", id="a-smiley"),
    ],
)
def test_letters_that_no_font_has_are_said(
    tmp_path: Path, library: MediaLibrary, only_pillows: None, text: str, said: str
) -> None:
    """Which, and what to do; no film of boxes is made."""
    with pytest.raises(ConfigurationError, match=f"No font on this machine has the characters {said}"):
        burn_subtitles(_clip(tmp_path / "a.mp4"), SRT.replace("second line", text), library=library)
    assert not list(tmp_path.glob("library/derived/*"))


def _drawn_by(text: str) -> FontFile:
    found = next((font for font in fonts() if font.path and font.has_all(text.replace(" ", ""))), None)
    if found is None:
        pytest.skip(f"no font on this machine has the letters of {text}")
    return found


@pytest.mark.parametrize(
    "text", ["Привет мир", "Γειά σου", "Grüße, œuvre, ½", "Tiếng Việt", "日本語の字幕", "한국어 자막", "नमस्ते दुनिया"]
)
def test_any_script_is_drawn_that_a_font_has(text: str) -> None:
    """Its letters are those of the font, and no two of them alike, as boxes would be."""
    font = _drawn_by(text)
    drawing = caption_drawing.Drawing((640, 360), [text], "outline", None)
    assert drawing.of(text).picture.getbbox() is not None
    loaded = ImageFont.truetype(str(font.path), 40, index=font.face)
    letters = [one for one in dict.fromkeys(text) if one.isalpha()]
    assert len(letters) == len({bytes(cast("Any", loaded.getmask(one))) for one in letters})


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "שלום עולם"])
def test_scripts_from_right_to_left_are_laid_out(text: str) -> None:
    """The first word stands right of the second one, and letters that join are joined."""
    font = _drawn_by(text)
    if not features.check("raqm"):
        pytest.skip("this Pillow lays out no such scripts")
    first, second = text.split(" ")
    drawing = caption_drawing.Drawing((1280, 720), [text], "outline", font)
    whole, last = (drawing.of(part).picture.getchannel("A") for part in (text, second))
    left = whole.crop((0, 0, last.width, whole.height))
    loaded = ImageFont.truetype(str(font.path), 37)
    assert left.getbbox() is not None
    alone = drawing.of(first).picture.getchannel("A")
    right = whole.crop((whole.width - alone.width, 0, whole.width, whole.height))
    differs = sum(abs(one - two) > 128 for one, two in zip(right.tobytes(), alone.tobytes(), strict=True))
    assert differs < 0.08 * alone.width * alone.height
    if "م" in text:
        assert loaded.getlength(first) < sum(map(loaded.getlength, first))


def test_without_a_layout_engine_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters that would stand alone and in the wrong order are not drawn."""
    monkeypatch.setattr(features, "check", {"raqm": False, "fribidi": False}.get)
    with pytest.raises(ConfigurationError, match="cannot lay out Arabic: install one with Raqm"):
        caption_drawing.Drawing((640, 360), ["مرحبا"], "outline", None)


def test_lines_that_are_too_long_are_broken(only_pillows: None) -> None:
    """At spaces, or where there are none anywhere; none is wider than the film, and all of it stays in the picture."""
    for text in ("word " * 40, "Donaudampfschiff" * 9, "a\n" * 12):
        drawn = caption_drawing.Drawing((360, 640), [text], "outline", None).of(text)
        assert drawn.picture.width <= 360
        assert drawn.place[0] >= 0
        assert drawn.place[1] + drawn.picture.height <= 640


def test_a_font_of_ones_own_is_used(tmp_path: Path, library: MediaLibrary) -> None:
    """It is part of what makes the film; what is none is said."""
    clip = _clip(tmp_path / "a.mp4")
    font = _drawn_by("Hello there, second line")
    film = burn_subtitles(clip, SRT, font=font.path, library=library)
    assert any(word.startswith("font=") for word in film.asked)
    broken = tmp_path / "b.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(InvalidRequest, match="is no font whose letters can be drawn"):
        burn_subtitles(clip, SRT, font=broken, library=library)
    with pytest.raises(InvalidRequest, match="cannot be read: No such file"):
        burn_subtitles(clip, SRT, font="gone.ttf", library=library)
