"""Sounds put behind each other: sample by sample where that goes, and never with a click."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from prefect_together import (
    MediaLibrary,
    join_sounds,
    trim,
)

from .own_clips import loudness
from .own_sounds import floats, samples, tone

SOUND = (44100, "stereo", 3.0)
THREE = [n / 25 for n in range(75)]


def test_wavs_of_one_form_are_joined_sample_by_sample(tmp_path: Path, library: MediaLibrary) -> None:
    """Behind each other as they are, with silence between them where it is asked for."""
    files = [tone(tmp_path / f"{n}.wav", 0.5 + n / 4, hertz=400, codec="pcm_s24le", layout="stereo") for n in range(3)]
    each = [samples(file.read_bytes()) for file in files]
    joined, paused = join_sounds(files, library=library), join_sounds(files, pause=0.25, library=library)
    assert b"".join(each) == samples(joined.read_bytes())
    assert bytes(6000 * 2 * 4).join(each) == samples(paused.read_bytes())
    assert ("audio/wav", 24_000, 2, False, ()) == (
        joined.media_type, joined.sample_rate, joined.channels, joined.reencoded, joined.changes,
    )  # fmt: skip
    assert paused.seconds == pytest.approx(sum(0.5 + n / 4 for n in range(3)) + 0.5, abs=0.001)
    assert ("recording", "recording of 3") == (joined.noun, joined.maker)


def test_parts_of_a_sound_join_to_the_sound(tmp_path: Path, library: MediaLibrary) -> None:
    """A wave that was cut in its middle goes on where it was cut: nothing of it fades."""
    whole = tone(tmp_path / "a.wav", 1.0)
    parts = [trim(whole, 0, 0.3333, library=library), trim(whole, 0.3333, library=library)]
    joined = join_sounds(parts, library=library)
    assert samples(whole.read_bytes()) == samples(joined.read_bytes())
    assert () == joined.changes


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_an_edge_that_would_click_fades(tmp_path: Path, library: MediaLibrary, pause: float) -> None:
    """No step is larger than those of the sounds themselves, what fades is said, and all else stays as it is."""
    one = tone(tmp_path / "a.wav", 0.5, hertz=220.5, rate=48_000)  # ends at its top
    two = tone(tmp_path / "b.wav", 0.5, hertz=220, turned=0.75, rate=48_000)  # begins at its bottom
    joined = join_sounds([one, two], pause=pause, library=library)
    heard = floats(joined.read_bytes())
    assert max(abs(after - before) for before, after in pairwise(heard)) < 0.02
    assert (
        "sound 1: its last 5 ms fade, as it ends with a click",
        "sound 2: its first 5 ms rise, as it begins with a click",
    ) == joined.changes
    assert floats(one.read_bytes())[:23_000] == heard[:23_000]


def test_sounds_of_other_forms_are_brought_to_one(tmp_path: Path, library: MediaLibrary) -> None:
    """The best one among them, without further loss; which were brought to it is said."""
    files = [
        tone(tmp_path / "a.wav", rate=24_000, hertz=300),
        tone(tmp_path / "b.mp3", rate=44_100, layout="stereo", codec="libmp3lame", hertz=600),
        tone(tmp_path / "c.ogg", rate=48_000, codec="libopus", hertz=900),
    ]
    joined = join_sounds(files, library=library)
    data = joined.read_bytes()
    assert ("audio/flac", 48_000, 2, True) == (joined.media_type, joined.sample_rate, joined.channels, joined.reencoded)
    assert [300, 600, 900] == pytest.approx([loudness(data, at + 0.2, at + 0.8)[1] for at in range(3)], abs=8)
    assert [0.5] * 3 == pytest.approx(
        [loudness(data, at + 0.2, at + 0.8)[0] for at in range(3)], abs=0.04
    )  # of two channels
    assert "sound 1: 24000 Hz mono brought to 48000 Hz stereo" in joined.changes
    assert "sound 2: mp3 decoded, and kept without further loss as FLAC" in joined.changes
