"""Words with times as captions that people can read, written as SRT and WebVTT, and read back."""

from __future__ import annotations

import io
import random
from itertools import pairwise

import pytest

from prefect_together.errors import InvalidRequest
from prefect_together.generations.line_breaks import width
from prefect_together.generations.subtitle_files import read_subtitles
from prefect_together.generations.timed_text import Segment, Word, captions, to_srt, to_vtt

FOX = (
    "The fox, who had never seen snow before, walked slowly towards the frozen lake. It stopped. "
    "Yes! Then, without any warning at all, the ice began to sing."
)
KITSUNE = "狐は雪を見たことがありませんでした。湖に向かってゆっくり歩き、写真を撮りました。"
SEOUL = "여우는 눈을 본 적이 없었습니다. 그래서 호수로 천천히 걸어갔습니다. 그리고 얼음이 노래하기 시작했습니다."


def spoken(text: str, *, pace: float = 0.35, speaker: str | None = None, begin: float = 0.0) -> list[Word]:
    """Return words that are said at an even pace; characters, where there are no spaces."""
    words = text.split() if " " in text else list(text)
    times = [begin + pace * place for place in range(len(words))]
    return [Word(word=word, start=at, end=at + pace * 0.9, speaker=speaker) for word, at in zip(words, times, strict=True)]


def test_lines_are_short_and_end_where_clauses_do() -> None:
    """Two lines at most, none longer than 42 characters, and no sentence is torn apart where it fits."""
    shown = captions(spoken(FOX))
    assert ("The fox, who had never seen snow before,", "walked slowly towards the frozen lake.") == shown[0].lines
    assert all(len(one.lines) <= 2 and all(width(line) <= 42 for line in one.lines) for one in shown)
    assert FOX == " ".join(line for one in shown for line in one.lines)


@pytest.mark.parametrize("text", [FOX, KITSUNE, SEOUL], ids=["English", "Japanese", "Korean"])
@pytest.mark.parametrize("length", [42, 20])
def test_no_line_is_too_long_in_any_script(text: str, length: int) -> None:
    """Wide characters count twice, and nothing of the text is lost or doubled, spaces included."""
    for said in (spoken(text), [Segment(id=0, start=1, end=20, text=text)]):
        lines = [line for one in captions(said, line_length=length) for line in one.lines]
        assert all(0 < width(line) <= length for line in lines)
        assert text == (" " if " " in text else "").join(lines)


def test_what_is_wider_than_a_line_is_cut() -> None:
    """A word or an address without a space is shown whole, over several lines."""
    word = "https://example.com/" + "a" * 100
    lines = [line for one in captions([Word(word=word, start=0, end=3)]) for line in one.lines]
    assert word == "".join(lines)
    assert all(len(line) <= 42 for line in lines)


def test_times_leave_time_to_read_and_never_overlap() -> None:
    """A second at least and seven at most, as long as it takes to read, until the next one comes."""
    chance = random.Random(7)
    words, now = list[Word](), 0.0
    for word in (FOX + " ").split() * 20:
        length = chance.uniform(0.05, 0.6)
        words.append(Word(word=word, start=now, end=now + length, speaker=chance.choice("AB")))
        now += length + chance.choice([0, 0, 0, 0.2, 4])
    shown = captions(words)
    assert all(one.end <= after.start for one, after in pairwise(shown))
    assert all(0 < one.end - one.start <= 7.001 for one in shown)
    assert all(one.end - one.start >= 0.999 for one, after in pairwise(shown) if after.start - one.start > 1)


def test_a_last_word_that_lasts_to_the_end_of_the_recording() -> None:
    """Models let it; the caption goes when it has been read."""
    shown = captions([Word(word="Hello", start=0, end=0.4), Word(word="there.", start=0.5, end=60)])
    assert 7 >= shown[-1].end


def test_speakers_and_segments_are_not_mixed() -> None:
    """Each caption is of one speaker, and of one segment."""
    words = spoken("Are you there?", speaker="A") + spoken("It is.", speaker="B", begin=1.1)
    assert [("A", ("Are you there?",)), ("B", ("It is.",))] == [(one.speaker, one.lines) for one in captions(words)]
    segments = [Segment(id=3, start=2, end=3, text="Second."), Segment(id=1, start=0, end=2, text="First.")]
    assert [("First.",), ("Second.",)] == [one.lines for one in captions(segments)]


def test_empty_is_empty() -> None:
    """Silence has no captions, and its files are valid."""
    nothing = [Word(word=" ", start=0, end=1)]
    assert ("", "WEBVTT\n") == (to_srt(nothing), to_vtt([]))


def test_srt() -> None:
    """As players read it: numbers, commas, a blank line between."""
    said = [Segment(id=0, start=0, end=1.5, text="One."), Segment(id=1, start=3661.0005, end=3663, text="Two <b>.")]
    assert "1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n01:01:01,000 --> 01:01:03,000\nTwo <b>.\n" == to_srt(said)


def test_vtt_is_escaped() -> None:
    """What WebVTT would read as its own marks is text, in names too; speakers are its voices."""
    said = [Segment(id=0, start=0, end=2, text="a --> b & <c>", speaker="Ann\n<1>")]
    assert "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n<v Ann &lt;1&gt;>a --&gt; b &amp; &lt;c&gt;\n" == to_vtt(said)
    assert [Segment(id=0, start=0, end=2, text="a --> b & <c>", speaker="Ann <1>")] == list(read_subtitles(to_vtt(said)))


def test_what_is_written_is_read_back() -> None:
    """The words and times of captions come back from both formats."""
    shown = captions(spoken(FOX))
    for text in (to_srt(spoken(FOX)), to_vtt(spoken(FOX))):
        read = read_subtitles(text.encode())
        assert ["\n".join(one.lines) for one in shown] == [one.text for one in read]
        assert [round(one.start, 3) for one in shown] == [one.start for one in read]


@pytest.mark.parametrize(
    "given",
    [
        b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hi</i>\r\nthere\r\n\r\n",
        "1\n00:00:01,000 --> 00:00:02,500\nHi\nthere\n".encode("utf-16"),
        b"00:01.000 --> 00:02.500 align:start\nHi\nthere",
        b"WEBVTT - title\n\nNOTE a comment\nwith lines\n\nSTYLE\n::cue{}\n\nintro\n00:01.000 --> 00:02.500 line:0\n<c.x>Hi</c>\n<00:01.5>there",
        b"7\n00:00:01,000 --> 00:00:02,500\n{\\an8}Hi\nthere\n8\n00:00:03,000 --> 00:00:04,000\n \n",
        b"7\n00:00:01,000 --> 00:00:02,500\n\nHi\n\nthere\n\n8\n00:00:03,000 --> 00:00:04,000\n\n",
        b"WEBVTT\n\n00:01.000 --> 00:02.500\nHi\nthere\n\n8\n00:03.000 --> 00:04.000\n\nNOTE to oneself",
    ],
    ids=["bom", "utf-16", "short", "blocks", "no-gap", "empty-lines", "empty-cue"],
)
def test_files_as_they_are_found(given: bytes) -> None:
    """Marks of encodings, line ends, comments, styles, tags, and numbers that are missing or not set apart."""
    assert (Segment(id=0, start=1, end=2.5, text="Hi\nthere"),) == read_subtitles(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "shows no subtitle"),
        (b"\x89PNG\r\n", "not in UTF-8"),
        (b"WEBVTT\n\n", "shows no subtitle"),
        (b"1\n00:00:05,000 --> 00:00:02,500\nHi\n", "ends before it begins, at 5 s"),
        (b"1\n-00:00:01,000 --> 00:00:02,500\nHi\n", "times that cannot be read, '-00:00:01,000"),
        (
            b"1\n00:00:01,000 --> 00:00:02,500\nHi\n\n2\n00:00:03,0000 --> 00:00:04,000\nthere\n",
            "cannot be read, '00:00:03,0000",
        ),
        (b"WEBVTT\n\n00:01.000 --> 00:02.500\nHi\n\n00:03 --> 00:04.000\nthere\n", "cannot be read, '00:03 --> "),
    ],
    ids=["empty", "picture", "no-cues", "backwards", "negative", "one-of-several", "no-parts"],
)
def test_what_is_no_subtitle_file(given: bytes, said: str) -> None:
    """One sentence, with the name of the file."""
    with pytest.raises(InvalidRequest, match=said) as caught:
        read_subtitles(given, name="fox.srt")
    assert str(caught.value).startswith("fox.srt ")


def test_an_independent_reader_agrees() -> None:
    """PyAV reads what is written, in both formats."""
    av = pytest.importorskip("av", reason="needs PyAV, of the extra media")
    for text, form in ((to_srt(spoken(FOX)), "srt"), (to_vtt(spoken(FOX)), "webvtt")):
        with av.open(io.BytesIO(text.encode()), format=form) as file:
            starts = [float(packet.pts * packet.time_base) for packet in file.demux() if packet.size]
        assert [round(one.start, 3) for one in captions(spoken(FOX))] == [round(at, 3) for at in starts]


@pytest.mark.parametrize("length", [0, -3])
def test_no_line_has_no_characters(length: int) -> None:
    """One sentence, whatever is made of it."""
    for make in (captions, to_srt, to_vtt):
        with pytest.raises(InvalidRequest, match=f"line_length is {length}"):
            make([Word(word="one", start=0, end=1)], line_length=length)
