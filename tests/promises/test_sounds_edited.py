"""Sounds taken out of clips, laid into them and joined: nothing is lost, out of time or heard as a click, and changes are said."""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_together import (
    DerivedMedia,
    MediaLibrary,
    Placed,
    aadd_sound,
    add_sound,
    aextract_sound,
    ajoin_sounds,
    extract_sound,
    generate_image,
    join_sounds,
    join_videos,
    trim,
)
from prefect_together.errors import ConfigurationError, InvalidRequest, MediaError
from prefect_together.sandbox import Sandbox

from .asking import picture
from .own_clips import frames, loudness, sound_of, written
from .own_sounds import floats, moved_sound, packets, tone

SOUND = (44100, "stereo", 3.0)
THREE = [n / 25 for n in range(75)]


def test_the_sound_of_a_clip_is_taken_out_as_it_is(tmp_path: Path, library: MediaLibrary) -> None:
    """Its packets are those of the clip; it is kept, found again, and says what it is in words and numbers."""
    clip = written(tmp_path / "a.mp4", times=THREE, sound=SOUND)
    sound = extract_sound(clip, library=library)
    assert packets(clip.read_bytes(), "audio") == packets(sound.read_bytes(), "audio")
    assert ("audio/mp4", 3.0, 44100, 2, False, ()) == (
        sound.media_type,
        sound.seconds,
        sound.sample_rate,
        sound.channels,
        sound.reencoded,
        sound.changes,
    )
    assert ("extract_sound", "sound", "sound of a clip") == (sound.operation, sound.noun, sound.maker)
    assert sound == extract_sound(clip, library=library) == DerivedMedia.model_validate_json(sound.model_dump_json())
    assert loudness(sound.read_bytes(), 0.2, 2.8) == pytest.approx(loudness(clip.read_bytes(), 0.2, 2.8))


def test_sound_that_begins_late_is_taken_out_at_its_time(tmp_path: Path, library: MediaLibrary) -> None:
    """Subtitles made of it stand under the right pictures: what is silent in the clip is silent in the sound."""
    clip = written(tmp_path / "a.mp4", times=THREE, sound=(44100, "mono", 2.0))
    sound = extract_sound(moved_sound(clip.path(), tmp_path / "late.mp4", 0.75), library=library)
    heard = floats(sound.read_bytes())
    first = next(place for place, value in enumerate(heard) if abs(value) > 0.05) / 44100
    assert first == pytest.approx(0.75, abs=0.03)
    said, _ = sound.changes
    assert said.endswith(" s of silence in front, as it begins so much after the pictures")


@pytest.mark.parametrize(
    ("mode", "own", "both"),
    [
        pytest.param("mix", (0.354, 440), 880, id="its-own-is-quieter"),
        pytest.param("under", (0.354, 440), 440, id="the-added-one-is-quieter"),
        pytest.param("replace", (0.0, 0), 880, id="its-own-is-left-out"),
    ],
)
def test_a_sound_is_laid_into_a_clip(
    tmp_path: Path, library: MediaLibrary, mode: Any, own: tuple[float, float], both: float
) -> None:
    """It is heard at its time, how loud the other one is follows the mode, and the pictures are those of the clip."""
    clip = written(tmp_path / "a.mp4", times=THREE, sound=(44100, "mono", 3.0))
    film = add_sound(clip, tone(tmp_path / "v.wav", hertz=880), at=1.0, mode=mode, library=library)
    data = film.read_bytes()
    assert packets(clip.read_bytes(), "video") == packets(data, "video")
    assert (3.0, 25.0, False) == (film.seconds, film.fps, film.reencoded)
    assert own == pytest.approx(loudness(data, 0.1, 0.7), abs=8)
    assert loudness(data, 0.1, 0.7)[0] == pytest.approx(own[0], abs=0.02)
    assert loudness(data, 1.2, 1.8)[1] == pytest.approx(both, abs=8)
    with_both = {"mix": (0.354**2 + 0.089**2) ** 0.5, "under": (0.354**2 + 0.089**2) ** 0.5, "replace": 0.354}
    assert loudness(data, 1.2, 1.8)[0] == pytest.approx(with_both[mode], abs=0.02)


def test_ducking_is_as_much_as_was_asked(tmp_path: Path, library: MediaLibrary) -> None:
    """0 decibels leave the clip's own sound as it is, 60 as good as silence it; each makes another film."""
    clip = written(tmp_path / "a.mp4", times=THREE, sound=(44100, "mono", 3.0))
    voice = tone(tmp_path / "v.wav", hertz=880, loud=0.2)
    levels: list[float] = []
    for decibels in (0, 6, 60):
        data = add_sound(clip, voice, at=1, ducking=decibels, library=library).read_bytes()
        whole, voice_alone = loudness(data, 1.2, 1.8)[0], 0.2 / 2**0.5
        levels.append(max(0.0, whole**2 - voice_alone**2) ** 0.5)
    assert [0.354, 0.177, 0.0] == pytest.approx(levels, abs=0.03)


def test_sounds_that_follow_closely_do_not_let_the_clip_swell_between(tmp_path: Path, library: MediaLibrary) -> None:
    """Between two words the clip's own sound stays quiet, and comes back behind the last one."""
    clip = written(tmp_path / "a.mp4", times=[n / 25 for n in range(100)], sound=(44100, "mono", 4.0))
    voice = tone(tmp_path / "v.wav", 0.4, hertz=880)
    data = add_sound(clip, [Placed(voice, 1.0), Placed(voice, 1.7)], library=library).read_bytes()
    assert loudness(data, 1.45, 1.65)[0] == pytest.approx(0.089, abs=0.02)
    assert loudness(data, 3.2, 3.9)[0] == pytest.approx(0.354, abs=0.02)


def test_many_sounds_stand_at_their_times(tmp_path: Path, library: MediaLibrary) -> None:
    """Given in any order, each at its own volume; those that overlap are heard together."""
    clip = written(tmp_path / "a.mp4", times=THREE)
    sounds = [
        Placed(tone(tmp_path / "c.wav", 0.5, hertz=990), at=2.0, volume=0.5),
        Placed(tone(tmp_path / "a.wav", 0.5, hertz=330, rate=48000), at=0.25),
        Placed(tone(tmp_path / "b.flac", 0.5, hertz=660, codec="flac"), at=1.0),
        Placed(tone(tmp_path / "d.wav", 0.5, hertz=660, loud=0.25), at=1.0),
    ]
    film = add_sound(clip, sounds, library=library)
    data = film.read_bytes()
    heard = [loudness(data, begin + 0.05, begin + 0.45) for begin in (0.25, 1.0, 2.0)]
    assert [330, 660, 990] == pytest.approx([hertz for _, hertz in heard], abs=8)
    assert [0.354, 0.53, 0.177] == pytest.approx([loud for loud, _ in heard], abs=0.02)
    assert loudness(data, 0.8, 0.95)[0] < 0.005
    assert 5 == len(film.sources)
    assert film.sha256 != add_sound(clip, [*sounds[:3], Placed(sounds[3].sound, at=1.1)], library=library).sha256


def test_what_is_louder_than_full_scale_is_limited(tmp_path: Path, library: MediaLibrary) -> None:
    """Two loud sounds at once are not torn at the edge of what a sample holds."""
    clip = written(tmp_path / "a.mp4", times=THREE)
    loud = [tone(tmp_path / f"{n}.wav", 2.0, hertz=440, loud=0.9, rate=44100) for n in range(2)]
    heard = floats(add_sound(clip, loud, library=library).read_bytes())
    assert 0.85 < max(map(abs, heard[4410:80000])) < 1.0
    steps = max(abs(after - before) for before, after in pairwise(heard[4410:80000]))
    assert steps < 2 * 3.15 * 440 / 44100


def test_a_sound_that_is_longer_is_never_cut_off_unsaid(tmp_path: Path, library: MediaLibrary) -> None:
    """By default the last picture stands until its end; where it is cut off, the film says so, and there is no click."""
    clip = written(tmp_path / "a.mp4", times=THREE)
    voice = tone(tmp_path / "v.wav", 2.0, turned=0.25, rate=44100)
    film, cut = (add_sound(clip, voice, at=2, longer=longer, library=library) for longer in ("stand", "cut"))
    assert film.seconds == pytest.approx(4.0, abs=0.03)
    assert loudness(film.read_bytes(), 3.2, 3.9)[0] == pytest.approx(0.354, abs=0.02)
    assert ("the last picture stands for 1.0 s, until the sound ends",) == film.changes
    assert 75 == len(frames(film.read_bytes()))
    assert cut.seconds == pytest.approx(3.0, abs=0.03)
    assert ("the added sound is 1.00 s longer than the clip: cut off at its end",) == cut.changes
    assert abs(floats(cut.read_bytes())[3 * 44100 - 30]) < 0.1


def test_sound_of_a_clip_is_in_time_after_it_was_mixed(tmp_path: Path, library: MediaLibrary) -> None:
    """Neither the mixing nor the encoding moves it."""
    clip = written(tmp_path / "a.mp4", times=THREE, sound=(44100, "mono", 3.0))
    silence = tone(tmp_path / "s.wav", 1.0, loud=0.0, rate=44100)
    before, after = floats(clip.read_bytes()), floats(add_sound(clip, silence, library=library).read_bytes())
    span = slice(22050, 26460)
    wanted = before[span]

    def off(by: int) -> float:
        return sum((one - two) ** 2 for one, two in zip(wanted, after[span.start + by : span.stop + by], strict=True))

    assert 0 == min(range(-40, 41), key=off)


def test_a_joined_film_is_voiced(tmp_path: Path, library: MediaLibrary) -> None:
    """What was made here is taken like what was generated: clips joined, sounds joined, one laid into the other."""
    film = join_videos([written(tmp_path / "a.mp4"), written(tmp_path / "b.mp4")], library=library)
    voice = join_sounds([tone(tmp_path / "a.wav", 0.5), tone(tmp_path / "b.wav", 0.5)], pause=0.2, library=library)
    voiced = add_sound(film, voice, at=0.5, library=library)
    assert [film.sha256, voice.sha256] == [source.sha256 for source in voiced.sources]
    assert (24_000, "mono") == sound_of(voiced.read_bytes())
    assert "film with 1 sound added" == voiced.maker


@pytest.mark.slow
def test_long_sounds_take_no_memory(tmp_path: Path, library: MediaLibrary) -> None:
    """Minutes are joined a piece at a time."""
    parts = [tone(tmp_path / f"{n}.wav", 1.0, rate=48_000, layout="stereo") for n in range(2)]
    long = join_sounds(parts * 60, library=library)
    tracemalloc.start()
    try:
        joined = join_sounds([long] * 4, library=library)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert joined.size > 90e6
    # On a busy disk two parts of five megabytes are in flight while a third one fills, and others have some meanwhile.
    assert peak < joined.size / 4


def test_async_flows_edit_sounds_too(tmp_path: Path, library: MediaLibrary) -> None:
    """The twins return the same files."""
    clip, voice = written(tmp_path / "a.mp4", sound=(44100, "mono", 1.0)), tone(tmp_path / "v.wav", 0.5)

    async def work() -> list[DerivedMedia]:
        return [
            await aextract_sound(clip, library=library),
            await aadd_sound(clip, voice, library=library),
            await ajoin_sounds([voice, voice], library=library),
        ]

    found = asyncio.run(work())
    assert found == [
        extract_sound(clip, library=library),
        add_sound(clip, voice, library=library),
        join_sounds([voice, voice], library=library),
    ]


def _refusals() -> dict[str, tuple[Callable[[Any, Any, Any], object], str]]:
    return {
        "no-sound-track": (lambda clip, _, __: extract_sound(clip), "a.mp4 has no sound track to take out"),
        "sound-of-a-sound": (lambda _, voice, __: extract_sound(voice), "takes clips, and was given .*which is a sound"),
        "nothing-to-add": (lambda clip, _, __: add_sound(clip, []), "takes sounds, and was given none"),
        "clip-as-a-sound": (lambda clip, _, __: add_sound(clip, clip), "takes sounds, and was given a.mp4, which is a clip"),
        "picture": (lambda _, __, still: join_sounds([still]), "which is a picture"),
        "number": (lambda _, __, ___: join_sounds(cast("Any", [3])), "was given an int"),
        "missing": (lambda _, __, ___: join_sounds(["gone.wav"]), "there is no file 'gone.wav'"),
        "url": (lambda _, __, ___: join_sounds(["https://x.org/y.wav"]), "fetch it first, and give its path"),
        "negative-time": (lambda clip, voice, _: add_sound(clip, voice, at=-1), "at is a number, at least 0, and was -1"),
        "no-number": (lambda clip, voice, _: add_sound(clip, voice, at=float("nan")), "at is a number"),
        "too-loud": (lambda clip, voice, _: add_sound(clip, voice, volume=99), "at most 10, and was 99"),
        "mode": (lambda clip, voice, _: add_sound(clip, voice, mode=cast("Any", "over")), "one of mix, under"),
        "no-sounds": (lambda clip, _, __: add_sound(clip, cast("Any", None)), "takes sounds, and was given none"),
        "one-number": (lambda clip, _, __: add_sound(clip, cast("Any", 5)), "was given an int"),
        "nothing-to-join": (lambda _, __, ___: join_sounds(cast("Any", 5)), "was given an int"),
        "no-path": (lambda _, __, ___: join_sounds(["a\0b.wav"]), "cannot be read: .*embedded null"),
        "endless-pause": (lambda _, voice, __: join_sounds([voice], pause=10**400), "pause is a number"),
        "negative-pause": (lambda _, voice, __: join_sounds([voice], pause=-0.1), "pause is a number"),
    }


@pytest.mark.parametrize("name", list(_refusals()))
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, together_sandbox: Sandbox, name: str) -> None:
    """What was called, what it takes, and what it was given."""
    clip, still = written(tmp_path / "a.mp4"), generate_image(picture(seed=1))
    call, said = _refusals()[name]
    with pytest.raises(InvalidRequest, match=said) as refused:
        call(clip, tone(tmp_path / "v.wav", 0.1), still)
    assert str(refused.value).count(". ") == 0


def test_a_broken_sound_is_said(tmp_path: Path, library: MediaLibrary) -> None:
    """One sentence, and nothing is kept."""
    broken = tmp_path / "b.wav"
    inside = b"WAVE" + b"junk" * 4  # as long as it says, and no sound
    broken.write_bytes(b"RIFF" + len(inside).to_bytes(4, "little") + inside)
    with pytest.raises(MediaError, match="sounds cannot be joined"):
        join_sounds([broken], library=library)


def test_without_pyav_it_says_how_to_get_it(tmp_path: Path, library: MediaLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    clip, voice = written(tmp_path / "a.mp4", sound=(44100, "mono", 1.0)), tone(tmp_path / "v.wav", 0.1)
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (
        lambda: extract_sound(clip, library=library),
        lambda: add_sound(clip, voice, library=library),
        lambda: join_sounds([voice], library=library),
        lambda: trim(voice, 0, 0.05, library=library),
    ):
        with pytest.raises(ConfigurationError, match=r"PyAV is not installed.*prefect-together\[media\]"):
            call()


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, library: MediaLibrary) -> None:
    """As an input of a request is: nothing is made of half a clip or half a sound."""
    clip, sound = written(tmp_path / "a.mp4", times=THREE, sound=SOUND), tone(tmp_path / "a.wav")
    halves: list[str] = []
    for whole in (clip.path(), Path(sound)):
        data = whole.read_bytes()
        half = tmp_path / f"half{whole.suffix}"
        half.write_bytes(data[: len(data) // 2])
        halves.append(str(half))
    film, wave = halves
    for call in (
        lambda: join_videos([film, clip], library=library),
        lambda: join_videos([clip, film], library=library),
        lambda: trim(film, start=0, end=1, library=library),
        lambda: extract_sound(film, library=library),
        lambda: join_sounds([wave, sound], library=library),
        lambda: add_sound(clip, wave, library=library),
    ):
        with pytest.raises(InvalidRequest, match=r"half\.\w+' is cut off or damaged: [\d,]+ bytes"):
            call()
    with pytest.raises(InvalidRequest, match=r"a Future: call \.result\(\) on it"):
        join_videos(cast("Any", [Future()]), library=library)
