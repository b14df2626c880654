"""Waveforms: what is loud is high, what is silent is seen as such, on any ground; quickly also of hours of sound."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

import hashlib
import io
import struct
import sys
import wave
from datetime import datetime, timezone
from pathlib import Path

import pytest

from prefect_together import DerivedMedia, MediaReference
from prefect_together.generations.description import Description, Line
from prefect_together.ui.answers import answer
from prefect_together.ui.gallery_items import of_result
from prefect_together.ui.markdown import details, facts
from prefect_together.ui.thumbnails import small_picture
from prefect_together.ui.waveforms import waveform

pictures = pytest.importorskip("PIL.Image")
pytest.importorskip("av")


def _wav(*parts: tuple[float, float], rate: int = 8000) -> bytes:
    """Return a WAV whose parts last so many seconds and are so loud."""
    samples = bytearray()
    for seconds, loud in parts:
        high = round(loud * 32767)
        samples += struct.pack("<4h", high, 0, -high, 0) * round(seconds * rate / 4)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(bytes(samples))
    return file.getvalue()


def _heights(data: bytes, width: int = 480) -> list[int]:
    """Return how high the bars of a waveform are."""
    picture = waveform(io.BytesIO(data), width)
    alpha = picture.getchannel("A")
    columns = [alpha.crop((x, 0, x + 3, picture.height)).getbbox() for x in range(0, picture.width, 5)]
    return [0 if box is None else box[3] - box[1] for box in columns]


def _kept(path: Path, data: bytes, **fields: object) -> DerivedMedia:
    path.write_bytes(data)
    about: dict[str, object] = {
        "uri": path.as_uri(), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "media_type": "audio/wav",
        "created_at": datetime.now(timezone.utc), "operation": "join_sounds", "sources": (), **fields,
    }  # fmt: skip
    return DerivedMedia.model_validate(about)


def test_bars_are_as_high_as_the_sound_is_loud() -> None:
    """Full, half, silent, in their order; silence is a line, and the loudest part reaches to the edges."""
    heights = _heights(_wav((1, 0.8), (1, 0.4), (1, 0.0), (1, 0.8)))
    quarter = len(heights) // 4
    full, half, silent, again = (heights[quarter * n + 4 : quarter * (n + 1) - 4] for n in range(4))
    assert min(full) == max(again) > 160
    assert max(half) < 0.65 * min(full)
    assert min(half) > 0.4 * min(full)
    assert max(silent) <= 4


def test_silence_and_a_moment_of_sound_are_drawn() -> None:
    """Neither is an error, and what is hardly heard is no storm."""
    assert max(_heights(_wav((1, 0.0)))) <= 4
    assert len(set(_heights(_wav((0.02, 0.5))))) == 1
    assert max(_heights(_wav((1, 0.001)))) < 30


def test_hours_are_looked_at_here_and_there() -> None:
    """Half an hour of sound is drawn as what it is, without being decoded whole."""
    heights = _heights(_wav((900, 0.8), (900, 0.2)))
    middle = len(heights) // 2
    assert min(heights[4 : middle - 4]) > 2 * max(heights[middle + 4 :])


def test_it_is_the_thumbnail_and_seen_on_any_ground(tmp_path: Path) -> None:
    """Transparent but for its bars, whose blue stands out from white and from black."""
    small = small_picture(_kept(tmp_path / "a.wav", _wav((1, 0.5))))
    assert small
    assert len(small) < 22 * 1024
    with pictures.open(io.BytesIO(small)) as picture:
        assert ("WEBP", (480, 180), "RGBA") == (picture.format, picture.size, picture.mode)
        assert picture.getpixel((4, 90))[3] < 40
        assert picture.getpixel((1, 90))[3] > 200
        ink = picture.getpixel((1, 90))[:3]
    light = sum(part * weight for part, weight in zip(ink, (0.2126, 0.7152, 0.0722), strict=True))
    assert 70 < light < 150


def test_without_pyav_or_sound_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card says its format instead."""
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "av", None)
        assert small_picture(_kept(tmp_path / "b.wav", _wav((1, 0.51)))) is None
    with pytest.raises(Exception, match="Invalid data"):
        small_picture(_kept(tmp_path / "c.wav", b"no sound"))


def test_a_sound_says_what_it_measures(tmp_path: Path) -> None:
    """Length as people say it, rate and channels; and what was changed."""
    sound = _kept(
        tmp_path / "a.wav", _wav((1, 0.5)), seconds=1.0, sample_rate=24000, channels=1, changes=("sound 1: brought to x",)
    )
    assert "1 s · 24 kHz mono" == facts(sound)
    assert "1:01:05 · 44.1 kHz stereo" == facts(
        sound.model_copy(update={"seconds": 3665.2, "sample_rate": 44100, "channels": 2})
    )
    assert "**Changed** sound 1: brought to x" in details(sound)
    item = of_result(sound, lambda _: "derived/a.wav")
    assert ("audio", "recording", 24000, 1, ["sound 1: brought to x"], "join_sounds") == (
        item["kind"], item["noun"], item["rate"], item["channels"], item["changed"], item["made"],
    )  # fmt: skip


def test_sources_are_the_way_from_text_to_film(tmp_path: Path) -> None:
    """A film with a sound names the film and the sound."""
    sound = _kept(tmp_path / "a.wav", _wav((1, 0.5)))
    film = _kept(
        tmp_path / "b.mp4", b"film", media_type="video/mp4", operation="add_sound",
        sources=(MediaReference.model_validate(sound.model_dump() | {"sha256": "f" * 64}), sound.reference()),
    )  # fmt: skip
    assert ["f" * 64, sound.sha256] == of_result(film, lambda _: None)["from"]


def test_what_is_said_has_its_times_on_a_card() -> None:
    """A line for each, with who says it, and nothing of it is markup."""
    told = Description(
        texts=("Hello. <b>You</b>.",), lines=(Line(0, 1, "Hello."), Line(65.2, 66, "<b>You</b>.", "SPEAKER_01"))
    )
    shown = answer(told)
    assert "`0:00` Hello." in shown
    assert "`1:05` **SPEAKER\\_01** " in shown
    assert "<b>" not in shown
    many = Description(lines=tuple(Line(n, n + 1, "word") for n in range(500)))
    assert "… and 200 lines more" in answer(many)
