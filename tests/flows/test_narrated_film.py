"""A brief becomes a film that speaks: once, however often it is asked for, and wherever it was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from prefect_together import DerivedMedia, GeneratedAudio, GeneratedVideo, Plan, TranscriptionRequest, transcribe
from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

IMAGES = "POST /v1/images/generations"
SMALL: dict[str, Any] = {"video_model": "sandbox/tiny", "width": 64, "height": 64, "review": False}
OPTIONS = ["--video-model", "sandbox/tiny", "--width", "64", "--height", "64", "--review", "false"]
LINES = ("The keeper lights the lamp before the storm.", "A small boat turns back to the harbour.", "The morning is calm.")


def _kinds(together: Sandbox) -> dict[str, int]:
    return dict(Counter(charge.kind for charge in together.charges()))


def _scenes(module: Any, *lines: str) -> list[Any]:
    return [module.Scene(prompt=f"scene {number}", narration=line) for number, line in enumerate(lines, 1)]


def test_a_brief_becomes_a_film_that_speaks_once(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """Its clips are as long as what is said over them, which can be heard in it; a rerun pays nothing, and a plan knows."""
    module = load("narrated_film")
    before = module.narrated_film(**SMALL, plan=True)
    assert isinstance(before, Plan)
    assert "Then, once the scenes are written: at most about 3 narrations at" in before.text()
    made = module.narrated_film(**SMALL)
    assert {"chat": 1, "speech": 3, "image": 3, "video": 3} == _kinds(together_sandbox)
    film, voices = made[0], [one for one in made if isinstance(one, GeneratedAudio)]
    clips = [one for one in made if isinstance(one, GeneratedVideo)]
    assert isinstance(film, DerivedMedia)
    assert all((clip.seconds or 0) >= (said.seconds or 0) for clip, said in zip(clips, voices, strict=True))
    assert film.seconds == pytest.approx(sum(clip.seconds or 0 for clip in clips), abs=0.1)
    after = module.narrated_film(**SMALL, plan=True)
    assert (0, 10) == (after.send, after.reused), after.text()
    assert film.sha256 == module.narrated_film(**SMALL)[0].sha256
    assert 10 == len(together_sandbox.charges())
    heard = transcribe(TranscriptionRequest(file=film, model="openai/whisper-large-v3"))
    said = " ".join(voice.text for voice in voices)
    assert _words(said) == _words(heard.text)


def _words(text: str) -> list[str]:
    return [word.strip(".,!?").casefold() for word in text.split()]


def test_a_changed_scene_remakes_that_scene(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """Another narration is one recording; another picture is a still and its clip; nothing else is paid for again."""
    module = load("narrated_film")
    scenes = _scenes(module, *LINES)
    first = module.narrated_film(scenes=scenes, **SMALL)
    assert {"speech": 3, "image": 3, "video": 3} == _kinds(together_sandbox)
    scenes[1] = scenes[1].model_copy(update={"narration": "A small boat turns back, and is safe."})
    second = module.narrated_film(scenes=scenes, **SMALL)
    assert {"speech": 4, "image": 3, "video": 3} == _kinds(together_sandbox)
    assert first[0].sha256 != second[0].sha256
    scenes[2] = scenes[2].model_copy(update={"prompt": "the sea at dawn"})
    planned = module.narrated_film(scenes=scenes, **SMALL, plan=True)
    assert 2 == planned.send, planned.text()
    module.narrated_film(scenes=scenes, **SMALL)
    assert {"speech": 4, "image": 4, "video": 4} == _kinds(together_sandbox)


def test_narration_that_is_longer_than_any_clip_is_heard_to_its_end(
    load: Callable[[str], Any], together_sandbox: Sandbox
) -> None:
    """It goes on over the next clip, whose own narration waits for it; the last picture stands until all is said."""
    module = load("narrated_film")
    long = "The night was very long and the keeper climbed the stairs again and again, " * 3 + "until it was day."
    film, *rest = module.narrated_film(scenes=_scenes(module, long, LINES[0]), **SMALL)
    voices = [one for one in rest if isinstance(one, GeneratedAudio)]
    clips = [one for one in rest if isinstance(one, GeneratedVideo)]
    assert (voices[0].seconds or 0) > 10 == max(clip.seconds or 0 for clip in clips)
    assert film.seconds == pytest.approx(max(15, sum(voice.seconds or 0 for voice in voices)), abs=0.2)


@pytest.mark.parametrize("subtitles", ["track", "none"])
def test_subtitles_are_as_asked_for(subtitles: str, load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """A track that can be switched on, or none."""
    av: Any = pytest.importorskip("av", reason="needs PyAV, of the extra media")
    module = load("narrated_film")
    film = module.narrated_film(scenes=_scenes(module, LINES[0]), **SMALL, subtitles=subtitles)[0]
    with av.open(str(film.path())) as file:
        kinds = sorted(stream.type for stream in file.streams)
    assert ["audio", *(["subtitle"] if subtitles == "track" else []), "video"] == kinds


def test_a_film_that_cannot_be_finished_shows_what_was_paid_for(
    load: Callable[[str], Any],
    together_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The flow completes with all that was made, and says what is missing."""
    module = load("narrated_film")

    def failing(*_files: Any, **_options: Any) -> DerivedMedia:
        raise MediaError("The sound cannot be read.")

    monkeypatch.setattr(module, "add_sound", failing)
    made = module.narrated_film(scenes=_scenes(module, LINES[0]), **SMALL)
    assert ["join"] == [one.operation for one in made if isinstance(one, DerivedMedia)]
    assert 3 == len(together_sandbox.charges())
    assert "The film is not finished: The sound cannot be read." in caplog.text


def test_no_scenes_are_no_film(load: Callable[[str], Any], together_sandbox: Sandbox) -> None:
    """Said before anything is paid."""
    module = load("narrated_film")
    with pytest.raises(InvalidRequest, match="scenes: there is none"):
        module.narrated_film(scenes=[], **SMALL)
    with pytest.raises(InvalidRequest, match="did you mean bf_emma"):
        module.narrated_film(scenes=_scenes(module, LINES[0]), voice="bf_ema", **SMALL)
    assert [] == together_sandbox.charges()


def test_killed_while_it_draws_it_goes_on(command: Command, killed: Killed, together_sandbox: Sandbox) -> None:
    """What was written, spoken and drawn is kept: the next run pays for the rest alone, and the film is there."""
    together_sandbox.fault(IMAGES, "accept_then_delay", seconds=0, times=2)  # whichever two come first are drawn
    killed("narrated_film.py", *OPTIONS, at=IMAGES)
    assert {"chat": 1, "speech": 3, "image": 2} == _kinds(together_sandbox)
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    done = command("narrated_film.py", *OPTIONS)
    assert 0 == done.returncode, done.stderr
    assert {"chat": 1, "speech": 3, "image": 3, "video": 3} == _kinds(together_sandbox)
    assert "burn-subtitles-" in done.stdout


@pytest.mark.parametrize(
    ("scene", "said"),
    [({"seconds": 40}, r"scenes\[2\]\.seconds is 40, and sandbox/tiny makes at most"), ({"motion": " "}, "motion")],
)
def test_a_scene_that_no_clip_can_be_made_of(
    scene: dict[str, Any], said: str, load: Callable[[str], Any], together_sandbox: Sandbox
) -> None:
    """It is refused before anything is spoken or drawn, and no scene becomes shorter than was asked for without a word."""
    module = load("narrated_film")
    scenes = [{"prompt": "a fox", "narration": LINES[0]}, {"prompt": "a hen", "narration": LINES[1], **scene}]
    with pytest.raises((InvalidRequest, ParameterTypeError), match=said):
        module.narrated_film(scenes=scenes, **SMALL)
    assert [] == together_sandbox.requests()
