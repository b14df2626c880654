"""Subtitles in films: seen when they should be and legible on any picture, or a track that says its language; no boxes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow leaves the types of pixels open.

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from prefect_together import (
    DerivedMedia,
    MediaLibrary,
    SpeechRequest,
    TranscriptionRequest,
    aadd_subtitles,
    aburn_subtitles,
    add_subtitles,
    burn_subtitles,
    generate_speech,
    transcribe,
)
from prefect_together._internal.event_loop import run
from prefect_together.engine.trace import trace
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.generations.lineage import parents
from prefect_together.generations.result_reference import ResultReference
from prefect_together.generations.timed_text import Segment, Word
from prefect_together.sandbox import Sandbox
from prefect_together.tasks._editing import caption_drawing
from prefect_together.ui import markdown
from prefect_together.ui.gallery_items import of_result

from .own_clips import frames, reader, written
from .own_sounds import packets

SRT = """1
00:00:01,000 --> 00:00:02,000
Hello <i>there</i>,
second line
"""
SIZES = [(640, 360), (360, 640), (400, 400), (1280, 536)]


def _clip(path: Path, size: tuple[int, int] = (640, 360), **more: Any) -> Any:
    return written(path, size, times=[n / 10 for n in range(30)], rate=10, **more)


def _changed(before: Image.Image, after: Image.Image) -> Image.Image:
    """Return where two pictures differ clearly, in white."""
    pairs = zip(before.convert("L").tobytes(), after.convert("L").tobytes(), strict=True)
    return Image.frombytes("L", before.size, bytes(255 if abs(one - two) > 60 else 0 for one, two in pairs))


def test_films_name_what_their_words_came_from(
    tmp_path: Path, library: MediaLibrary, only_pillows: None, together_sandbox: Sandbox
) -> None:
    """A transcript that is given, answers that are named: gallery, cards and ``trace`` show the way. It makes no other film."""
    clip = _clip(tmp_path / "a_calm_sea.mp4", (96, 64), sound=(44100, "mono", 3.0))
    voice = generate_speech(
        SpeechRequest(input="The wind rose.", model="hexgrad/Kokoro-82M", voice="af_heart"), library=library
    )
    heard = transcribe(TranscriptionRequest(file=voice, model="openai/whisper-large-v3"), library=library)
    answer = ResultReference(kind="chat", fingerprint="a" * 40, title="Translate it.")
    spoken = add_subtitles(clip, heard, language="en", library=library)
    assert [heard.fingerprint] == [source.fingerprint for source in spoken.based_on]
    assert [0] == parents(spoken, [heard, voice])
    both = burn_subtitles(spoken, heard.timed, based_on=[answer, heard], library=library)
    assert [answer.fingerprint, heard.fingerprint] == [source.fingerprint for source in both.based_on]
    assert both.sha256 == burn_subtitles(spoken, heard.timed, library=library).sha256
    assert "film with subtitles burnt in: a calm sea · " in both.title()
    assert "← answer: Translate it." in markdown.came_from(both)
    assert f"{heard.fingerprint}/{heard.scope}" in of_result(both, lambda _: None)["from"]
    story = run(trace(library.storage(), str(both.path()))).text()
    assert "whisper" in story
    assert "Translate it." in story
    with pytest.raises(InvalidRequest, match="based_on is a result"):
        add_subtitles(clip, heard, based_on=cast("Any", "a transcript"), library=library)


@pytest.mark.parametrize("style", ["outline", "box"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_they_are_burnt_in_where_and_when_they_should_be(
    tmp_path: Path, library: MediaLibrary, only_pillows: None, size: tuple[int, int], style: Any
) -> None:
    """In the lower part of the picture, in its middle, with both light and dark on any ground; before and after there are none."""
    clip = _clip(tmp_path / "a.mp4", size, sound=(44100, "mono", 3.0))
    film = burn_subtitles(clip, SRT, style=style, library=library)
    before, after = frames(clip.read_bytes()), frames(film.read_bytes())
    assert [time for time, _ in before] == pytest.approx([time for time, _ in after], abs=0.001)
    for place in (3, 9, 20, 27):
        assert _changed(before[place][1], after[place][1]).getbbox() is None
    for place in (10, 15, 19):
        left, top, right, bottom = _changed(before[place][1], after[place][1]).getbbox() or (0, 0, 0, 0)
        assert size[1] * 0.6 < top < bottom < size[1] * 0.98
        assert (left + right) / 2 == pytest.approx(size[0] / 2, abs=size[0] * 0.04)
        assert right - left < size[0] * 0.95
        shown = after[place][1].convert("L").crop((left, top, right, bottom)).tobytes()
        assert sum(value > 200 for value in shown) > 100
        assert sum(value < 60 for value in shown) > 100
    assert packets(clip.read_bytes(), "audio") == packets(film.read_bytes(), "audio")
    assert (*size, True, ("pictures encoded anew, with the subtitles",)) == (
        film.width, film.height, film.reencoded, film.changes,
    )  # fmt: skip
    assert "film with subtitles burnt in" == film.maker


def test_letters_follow_the_size_of_the_film() -> None:
    """A film twice as large has letters twice as large; an upright one has room for a line that people can read."""
    assert 2 * caption_drawing.letter_size((960, 540)) == caption_drawing.letter_size((1920, 1080))
    assert 42 == caption_drawing.line_length((1920, 1080))
    assert 25 < caption_drawing.line_length((1080, 1920)) < 40


def test_they_are_taken_in_every_form(tmp_path: Path, library: MediaLibrary, only_pillows: None) -> None:
    """A file, what is in it, segments, words and a transcript; the same words at the same times are the same film."""
    clip = _clip(tmp_path / "a.mp4", (128, 96))
    path = tmp_path / "a.srt"
    path.write_text(SRT, encoding="utf-8")
    film = burn_subtitles(clip, SRT, library=library)
    assert film == burn_subtitles(clip, path, library=library) == burn_subtitles(clip, str(path), library=library)
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello there,\nsecond line\n"
    assert film == burn_subtitles(clip, vtt, library=library)
    segments = [Segment(id=0, start=1, end=2, text="Hello there")]
    words = [Word(word="Hello", start=1, end=1.5), Word(word="there", start=1.5, end=2)]

    class Said:
        timed = segments

    of_segments = burn_subtitles(clip, segments, library=library)
    assert of_segments == burn_subtitles(clip, Said(), library=library)
    assert burn_subtitles(clip, words, library=library).sha256 == of_segments.sha256 != film.sha256
    assert film != burn_subtitles(clip, SRT, style="box", library=library)
    assert film != burn_subtitles(clip, SRT.replace("there", "three"), library=library)


def test_captions_that_overlap_are_all_seen(tmp_path: Path, library: MediaLibrary, only_pillows: None) -> None:
    """They stand above each other while both are due."""
    clip = _clip(tmp_path / "a.mp4")
    both = SRT.replace("second line\n", "") + "\n2\n00:00:01,500 --> 00:00:02,500\nanother one\n"
    before, after = (frames(file.read_bytes()) for file in (clip, burn_subtitles(clip, both, library=library)))
    boxes = [_changed(before[place][1], after[place][1]).getbbox() or (0, 0, 0, 0) for place in (12, 17, 22)]
    heights = [bottom - top for _, top, _, bottom in boxes]
    assert heights[1] > 1.6 * max(heights[0], heights[2])


def test_what_begins_behind_the_end_is_said(tmp_path: Path, library: MediaLibrary, only_pillows: None) -> None:
    """It cannot be shown."""
    late = SRT + "\n2\n00:00:09,000 --> 00:00:10,000\nToo late\n"
    film = burn_subtitles(_clip(tmp_path / "a.mp4", (128, 96)), late, library=library)
    assert "1 of 2 subtitles not shown, as they begin behind the clip's end" in film.changes


def _tracks(data: bytes) -> list[tuple[str, list[tuple[float, str]]]]:
    """Return language and captions of each track of subtitles."""
    import io

    def shown(place: int) -> Iterator[tuple[float, str]]:
        with reader.open(io.BytesIO(data)) as film:
            for packet in film.demux(film.streams.subtitles[place]):
                if packet.size and (text := bytes(packet)[2:].decode()):
                    yield float(packet.pts * packet.time_base), text

    with reader.open(io.BytesIO(data)) as film:
        languages = [stream.metadata["language"] for stream in film.streams.subtitles]
    return [(language, list(shown(place))) for place, language in enumerate(languages)]


def test_tracks_are_added_and_say_their_language(tmp_path: Path, library: MediaLibrary) -> None:
    """One beside the other, at their times; pictures and sound are those of the clip."""
    clip = _clip(tmp_path / "a.mp4", (128, 96), sound=(44100, "mono", 3.0))
    one = add_subtitles(clip, SRT, language="en", library=library)
    two = add_subtitles(one, SRT.replace("Hello", "Grüß Gott, 日本"), language="de-AT", library=library)
    data = two.read_bytes()
    assert [
        ("eng", [(1.0, "Hello there,\nsecond line")]),
        ("deu", [(1.0, "Grüß Gott, 日本 there,\nsecond line")]),
    ] == _tracks(data)
    for kind in ("video", "audio"):
        assert packets(clip.read_bytes(), kind) == packets(data, kind)
    assert (3.0, False, ()) == (two.seconds, two.reencoded, two.changes)
    assert ("und", "film with a track of subtitles (eng)") == (
        _tracks(add_subtitles(clip, SRT, library=library).read_bytes())[0][0],
        one.maker,
    )


def test_async_flows_make_subtitles_too(tmp_path: Path, library: MediaLibrary, only_pillows: None) -> None:
    """The twins return the same films."""
    clip = _clip(tmp_path / "a.mp4", (128, 96))

    async def work() -> list[DerivedMedia]:
        return [await aburn_subtitles(clip, SRT, library=library), await aadd_subtitles(clip, SRT, library=library)]

    assert asyncio.run(work()) == [burn_subtitles(clip, SRT, library=library), add_subtitles(clip, SRT, library=library)]


_REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
    "nothing": (lambda clip: burn_subtitles(clip, []), "nothing is said, so there is nothing to show"),
    "no-times": (lambda clip: burn_subtitles(clip, cast("Any", ["Hello"])), "segments or words with their times"),
    "a-number": (
        lambda clip: add_subtitles(clip, cast("Any", 3)),
        "as a Transcript, as its segments or words, or as a file",
    ),
    "missing": (lambda clip: add_subtitles(clip, "gone.srt"), "there is no file 'gone.srt'"),
    "no-subtitles": (lambda clip: add_subtitles(clip, "1 --> 2"), "shows no subtitle"),
    "style": (lambda clip: burn_subtitles(clip, SRT, style=cast("Any", "neon")), "style is one of outline, box"),
    "language": (
        lambda clip: add_subtitles(clip, SRT, language="Klingon"),
        "the code of no language: give one such as 'en', 'de' or 'zh'",
    ),
    "no-clip": (lambda _: add_subtitles(cast("Any", 3), SRT), "was given an int"),
}


@pytest.mark.parametrize("name", list(_REFUSALS))
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, library: MediaLibrary, name: str) -> None:
    """What was called, and what is wrong."""
    call, said = _REFUSALS[name]
    with pytest.raises(InvalidRequest, match=said):
        call(_clip(tmp_path / "a.mp4", (128, 96)))


@pytest.mark.parametrize(("module", "name"), [("av", "PyAV"), ("PIL", "Pillow")])
def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, library: MediaLibrary, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    """The extra is named."""
    clip = _clip(tmp_path / "a.mp4", (128, 96))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"{name} is not installed.*prefect-together\[media\]"):
        burn_subtitles(clip, SRT, library=library)
