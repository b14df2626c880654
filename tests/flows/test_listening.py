"""Films with subtitles, films that speak another language, recordings that become pages: paid for once, also after a crash."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from prefect.exceptions import ParameterTypeError

from prefect_together import (
    BatchFailed,
    GeneratedText,
    Plan,
    Segment,
    SpeechRequest,
    VideoRequest,
    add_sound,
    generate_speech,
    generate_video,
    read_subtitles,
)
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

CHAT, SPEECH = "POST /v1/chat/completions", "POST /v1/audio/speech"
SAID = "The sea was calm that night. Nobody on board slept, and the captain counted the stars. Then the wind rose."


@pytest.fixture
def film(together_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Return a film in which something is said; what it cost to make is forgotten."""
    line = generate_speech(SpeechRequest(input=SAID, model="hexgrad/Kokoro-82M", voice="af_heart"))
    clip = generate_video(VideoRequest(prompt="a calm sea", model="sandbox/tiny", width=96, height=64, seconds=9, fps=15))
    path = Path(shutil.copy(add_sound(clip, line).path(), tmp_path / "sea.mp4"))
    together_sandbox.reset()
    return path


def kinds(together: Sandbox) -> dict[str, int]:
    """Count what was charged, by kind."""
    return dict(Counter(charge.kind for charge in together.charges()))


def test_subtitles(load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, tmp_path: Path) -> None:
    """The same lines at the same times in every language, as files, tracks and in the pictures; a rerun pays nothing."""
    flow = load("subtitle").subtitle
    options = {"film": str(film), "languages": ["de", "fr"], "burn": "fr", "out": str(tmp_path / "out")}
    before = flow(**options, plan=True)
    assert isinstance(before, Plan)
    assert before.send == 1
    assert "how many lines there are is known" in before.text()
    assert [] == together_sandbox.charges()
    done = flow(**options)
    assert {"transcription": 1, "chat": 2} == kinds(together_sandbox)
    assert SAID == done.transcript.text
    heard, french = done.transcript.fingerprint, done.answers[-1].fingerprint
    assert {heard} == {source.fingerprint for answer in done.answers for source in answer.words_from()}
    tracks, burnt = done.films
    assert (
        [french] == [source.fingerprint for source in tracks.based_on] == [source.fingerprint for source in burnt.based_on]
    )
    assert ["spoken", "de", "fr"] == list(done.lines)
    times = [[(line.id, line.start, line.end) for line in lines] for lines in done.lines.values()]
    assert times[0] == times[1] == times[2]
    assert {f"sea.{language}.{ending}" for language in ("en", "de", "fr") for ending in ("srt", "vtt")} == {
        file.name for file in (tmp_path / "out").iterdir()
    }
    assert SAID == " ".join(
        " ".join(one.text.split()) for one in read_subtitles((tmp_path / "out" / "sea.en.srt").read_bytes())
    )
    assert ["add_subtitles", "burn_subtitles"] == [one.operation for one in done.films]
    again, after = flow(**options), flow(**options, plan=True)
    assert [done.lines, done.films] == [again.lines, again.films]
    assert (0, 3) == (after.send, after.reused)
    assert {"transcription": 1, "chat": 2} == kinds(together_sandbox)


def test_a_translation_with_other_lines_is_asked_for_again_once(
    load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, tmp_path: Path
) -> None:
    """Repaired, it has every line; where it is not, the flow says so, and a rerun does not pay for the same again."""
    flow = load("subtitle").subtitle
    options = {"film": str(film), "languages": ["de"], "tracks": False, "out": str(tmp_path / "out")}
    together_sandbox.fault(CHAT, "json_wrong", times=1)
    done = flow(**options)
    assert [line.id for line in done.lines["spoken"]] == [line.id for line in done.lines["de"]]
    assert (2, {"transcription": 1, "chat": 2}) == (len(done.answers), kinds(together_sandbox))
    together_sandbox.fault(CHAT, "json_wrong", times=2)
    for _ in range(2):
        with pytest.raises(BatchFailed):
            flow(**{**options, "languages": ["fr"]})
    assert {"transcription": 1, "chat": 4} == kinds(together_sandbox)


def wordy(translated: Callable[..., list[Segment]]) -> Callable[..., list[Segment]]:
    """Return what makes lines longer when they are first read, as some languages do."""
    read: list[int] = []

    def longer(lines: list[Segment], answers: Any) -> list[Segment]:
        read.append(len(lines))
        found = translated(lines, answers)
        more = " and so it went on and on for a while" if len(read) == 1 else ""
        return [line.model_copy(update={"text": line.text.rstrip(".") + more}) for line in found]

    return longer


def test_lines_of_a_dub_that_are_too_long(
    load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are said in fewer words, all in one question, and then end before the next line."""
    module = load("dub")
    monkeypatch.setattr(module, "translated", wordy(module.translated))
    done = module.dub(film=str(film))
    assert 2 == kinds(together_sandbox)["chat"]
    assert len(done.spoken) > len(done.lines)
    assert not any(line.too_long for line in done.lines[:-1])


def test_a_dub(load: Callable[[str], Any], together_sandbox: Sandbox, film: Path) -> None:
    """Each line is spoken where it stands, or when the one before is over; what is too long is said in fewer words, once."""
    flow = load("dub").dub
    assert flow(film=str(film), plan=True).send == 1
    done = flow(film=str(film))
    first = kinds(together_sandbox)
    assert (1, len(done.answers), len(done.spoken)) == (first["transcription"], first["chat"], first["speech"])
    assert 1 == first["chat"]
    assert SAID == " ".join(line.line.text for line in done.lines)
    assert all(line.voice.request.voice.startswith("ef_") or line.voice.request.language == "es" for line in done.lines)
    assert all(one.at + (one.voice.seconds or 0) <= after.at + 0.001 for one, after in pairwise(done.lines))
    assert all(line.at >= line.line.start for line in done.lines)
    assert done.film.operation == "add_subtitles"
    again = flow(film=str(film))
    assert [done.film.sha256, first] == [again.film.sha256, kinds(together_sandbox)]
    assert 0 == flow(film=str(film), plan=True).send


def test_subtitles_of_a_dub_go_with_its_voice(
    load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a line is late because the one before takes longer: each is shown when it is spoken, until it is over."""
    module = load("dub")
    shown: list[Any] = []
    add = module.add_subtitles

    def seen(media: Any, lines: Any, **how: Any) -> Any:
        shown.extend(lines)
        return add(media, lines, **how)

    monkeypatch.setattr(module, "add_subtitles", seen)
    monkeypatch.setattr(module, "translated", wordy(module.translated))
    done = module.dub(film=str(film), shorten=0)
    assert any(line.at > line.line.start + 0.5 for line in done.lines)
    assert [(line.at, line.at + line.voice.seconds) for line in done.lines] == [(one.start, one.end) for one in shown]


def test_a_dub_without_a_voice_is_refused(load: Callable[[str], Any], together_sandbox: Sandbox, film: Path) -> None:
    """Before anything is sent, with the languages that there are."""
    with pytest.raises(InvalidRequest, match=r"No voice of hexgrad/Kokoro-82M is known for 'de', it speaks en, es, fr"):
        load("dub").dub(film=str(film), language="de")
    assert [] == together_sandbox.charges()


@pytest.mark.parametrize("ending", ["html", "md"])
def test_a_meeting(ending: str, load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, tmp_path: Path) -> None:
    """A page with summary, chapters, quotes and all that was said; its times lead to lines that there are."""
    flow = load("meeting").meeting
    options = {"recording": str(film), "out": str(tmp_path / f"page.{ending}"), "names": "Ann <3"}
    assert flow(**options, plan=True).send == 1
    done = flow(**options)
    assert {"transcription": 1, "chat": 1} == kinds(together_sandbox)
    page = done.page.read_text(encoding="utf-8")
    assert done.minutes.summary in page
    assert "Then the wind rose." in page
    if ending == "html":
        assert "Ann &lt;3" in page
        assert set(re.findall(r'href="#(line-\d+)"', page)) <= set(re.findall(r'id="(line-\d+)"', page))
        assert 'href="#line-' in page
        (played,) = re.findall(r'<audio[^>]* src="([^"]+)"', page)
        assert film.resolve() == (done.page.parent / unquote(played)).resolve()
    flow(**options)
    assert {"transcription": 1, "chat": 1} == kinds(together_sandbox)
    assert (0, 2) == ((after := flow(**options, plan=True)).send, after.reused)


@pytest.mark.parametrize(
    ("flow", "options", "at", "after", "charged"),
    [
        ("subtitle.py", ("--languages", '["de", "fr"]'), CHAT, 1, {"transcription": 1, "chat": 2}),
        ("dub.py", ("--shorten", "0"), SPEECH, 2, None),
        ("meeting.py", (), CHAT, 1, {"transcription": 1, "chat": 1}),
    ],
)
def test_killed_half_way_and_run_again(
    flow: str,
    options: tuple[str, ...],
    at: str,
    after: int,
    charged: dict[str, int] | None,
    killed: Killed,
    command: Command,
    together_sandbox: Sandbox,
    film: Path,
) -> None:
    """What was paid for before the kill is found again: all of it together is charged once."""
    named = ("--recording" if flow == "meeting.py" else "--film", str(film))
    killed(flow, *named, *options, at=at, after=after)
    ended = command(flow, *named, *options)
    assert 0 == ended.returncode, ended.stderr
    found = kinds(together_sandbox)
    if charged is None:
        lines = len(re.findall(r"^ *\d+\.\d\d s  ", ended.stdout, re.MULTILINE))
        charged = {"transcription": 1, "chat": 1, "speech": lines}
        assert lines > 1
    assert charged == found


def test_the_film_s_own_language_is_not_translated(
    load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, tmp_path: Path
) -> None:
    """What is spoken has the times of its words, and no translation of it into itself takes its file."""
    module = load("subtitle")
    options = {"film": str(film), "languages": ["en", "de"], "burn": "en", "tracks": False, "out": str(tmp_path / "out")}
    done = module.subtitle(**options)
    assert ["sea.de.srt", "sea.de.vtt", "sea.en.srt", "sea.en.vtt"] == sorted(file.name for file in done.files)
    assert {"transcription": 1, "chat": 1} == kinds(together_sandbox)
    assert module.to_srt(done.transcript.timed) == (tmp_path / "out" / "sea.en.srt").read_text(encoding="utf-8")
    assert 1 == len(done.films)
    assert (0, 2) == ((after := module.subtitle(**options, plan=True)).send, after.reused)


def test_a_line_without_words_is_silent_in_a_dub(
    load: Callable[[str], Any], together_sandbox: Sandbox, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dots are nothing that could be spoken: the other lines are, and nothing fails after it was paid for."""
    module = load("dub")
    translated = module.translated

    def dots(lines: list[Segment], answers: Any) -> list[Segment]:
        first, *rest = translated(lines, answers)
        return [first.model_copy(update={"text": "…"}), *rest]

    monkeypatch.setattr(module, "translated", dots)
    done = module.dub(film=str(film), shorten=0)
    assert done.lines[0].voice is None
    assert len(done.lines) - 1 == len(done.spoken) == kinds(together_sandbox)["speech"]
    assert done.film


def test_a_blank_translation_leaves_the_line_as_it_was(
    load: Callable[[str], Any], film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be missing among the subtitles."""
    monkeypatch.setattr(GeneratedText, "data", property(lambda _: {"1": " ", "2": "Zwei.", "3": "Drei."}))
    done = load("subtitle").subtitle(film=str(film), languages=["de"], tracks=False, out=str(tmp_path / "out"))
    spoken, german = done.lines["spoken"], done.lines["de"]
    assert [spoken[0].text, "Zwei.", "Drei."] == [line.text for line in german]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody may write")
@pytest.mark.parametrize(("name", "option"), [("meeting", "m.md"), ("subtitle", "folder")])
def test_a_place_where_nothing_can_be_written(
    name: str, option: str, load: Callable[[str], Any], together_sandbox: Sandbox, film: Path
) -> None:
    """Said before anything is paid for what would stand there."""
    flow, given = getattr(load(name), name), "recording" if name == "meeting" else "film"
    with pytest.raises(ParameterTypeError, match="cannot be written to"):
        flow(**{given: str(film), "out": f"/proc/nope/{option}"})
    assert [] == together_sandbox.requests()
