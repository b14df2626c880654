"""Clips in other containers and codecs than those that Together makes: copied where an MP4 takes them, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_together import (
    MediaLibrary,
    add_sound,
    add_subtitles,
    burn_subtitles,
    extract_sound,
    join_videos,
    trim,
)
from prefect_together import (
    frames as frames_of,
)

from .own_clips import frames, loudness, reader, written
from .own_sounds import packets, tone

SRT = "1\n00:00:00,200 --> 00:00:00,800\nHello\n"
MADE = {
    "matroska-h264": (("matroska", "libx264", "aac"), 48_000, "audio/mp4", True),
    "webm-vp9": (("webm", "libvpx-vp9", "libopus"), 48_000, "audio/ogg", True),
    "webm-vp8": (("webm", "libvpx", "libopus"), 48_000, "audio/ogg", False),
    "mp4-av1": (("mp4", "libsvtav1", "aac"), 44_100, "audio/mp4", True),
    "mov-with-pcm": (("mov", "libx264", "pcm_s24le"), 48_000, "audio/wav", True),
}


def _clip(path: Path, name: str) -> Path:
    made, rate, *_ = MADE[name]
    for codec in made[1:]:
        if codec not in reader.codecs_available:
            pytest.skip(f"this PyAV has no {codec}")
    written(path, sound=(rate, "stereo", 1.0), made=made)
    return path


@pytest.mark.parametrize("name", list(MADE))
def test_any_clip_can_be_edited(tmp_path: Path, name: str) -> None:
    """Every picture and its sound are in what is made of it; it is copied where an MP4 takes its pictures, else that is said."""
    clip, library = _clip(tmp_path / "a.clip", name), MediaLibrary(url=str(tmp_path / "library"))
    _, _, kind, copied = MADE[name]
    made = [
        add_sound(clip, tone(tmp_path / "v.wav", 0.3, hertz=880), at=0.6, library=library),
        add_subtitles(clip, SRT, language="en", library=library),
        burn_subtitles(clip, SRT, library=library),
        trim(clip, 0, library=library),
        join_videos([clip, clip], library=library),
    ]
    for film, number in zip(made, (25, 25, 25, 25, 50), strict=True):
        data = film.read_bytes()
        assert number == len(frames(data)), film.operation
        assert film.seconds == pytest.approx(number / 25, abs=0.06)
        heard = loudness(data, 0.1, 0.4)
        assert heard[1] == pytest.approx(440, abs=10), film.operation
        burnt = film.operation == "burn_subtitles"
        assert (burnt or not copied) == film.reencoded, film.operation
    if copied:
        assert packets(clip.read_bytes(), "video") == packets(made[1].read_bytes(), "video")
    sound = extract_sound(clip, library=library)
    assert (kind, False) == (sound.media_type, sound.reencoded)
    assert loudness(sound.read_bytes(), 0.1, 0.9)[1] == pytest.approx(440, abs=8)
    (still,) = frames_of(clip, at=0.5, library=library)
    assert (128, 96) == (still.width, still.height)
