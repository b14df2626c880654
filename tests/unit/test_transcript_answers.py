"""What answers about recordings say: read as they come, priced by the length that was heard, and shown as what they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest

from prefect_together.generations.results import Cost, ResultFacts
from prefect_together.generations.spec import Value
from prefect_together.generations.transcript_answers import parse
from prefect_together.generations.transcription import SPEC, Transcription, TranscriptionRequest

WHISPER = "openai/whisper-large-v3"
TWO_SPEAKERS: dict[str, Any] = {
    "task": "transcribe",
    "language": "en",
    "duration": 4.825,
    "text": " Hello there. Hi. ",
    "segments": [
        {"id": 0, "start": 0.0, "end": 1.5, "text": " Hello there."},
        {"id": 1, "start": 1.6, "end": 2.0, "text": "Hi."},
    ],
    "words": [
        {"word": "Hello", "start": 0.0, "end": 0.5, "id": 0, "speaker_id": "SPEAKER_00"},
        {"word": " there.", "start": 0.5, "end": 1.5, "id": 1, "speaker_id": "SPEAKER_00"},
        {"word": "Hi.", "start": 1.6, "end": 2.0, "id": 2, "speaker_id": "SPEAKER_01"},
    ],
    "speaker_segments": [
        {"id": 0, "speaker_id": "SPEAKER_00", "start": 0.0, "end": 1.5, "text": "Hello there.", "words": []},
        {"id": 1, "speaker_id": "SPEAKER_01", "start": 1.6, "end": 2.0, "text": "Hi.", "words": []},
    ],
}


def content(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an answer."""
    return cast("Value", parse(answer)).content


def transcript(answer: dict[str, Any], **fields: Any) -> Transcription:
    """Return the transcript that an answer becomes."""
    request = TranscriptionRequest.model_validate({"file": "https://example.com/a.mp3", "model": WHISPER, **fields})
    return SPEC.build(request, parse(answer), ResultFacts(fingerprint="f" * 40, cost=Cost()))


def test_words_segments_and_speakers() -> None:
    """Texts are bare, times are floats, and each word and segment knows who says it."""
    found = transcript(TWO_SPEAKERS)
    assert ("Hello there. Hi.", "en", 4.825) == (found.text, found.language, found.seconds)
    assert [("Hello", "SPEAKER_00"), ("there.", "SPEAKER_00"), ("Hi.", "SPEAKER_01")] == [
        (w.word, w.speaker) for w in found.words
    ]
    assert [(0, "SPEAKER_00"), (1, "SPEAKER_01")] == [(one.id, one.speaker) for one in found.segments]
    assert ("SPEAKER_00", "SPEAKER_01") == found.speakers
    assert "0:05, 2 segments, 3 words, 2 speakers" == found.description().brief
    assert {"Language": "en", "Speakers": "SPEAKER_00, SPEAKER_01"} == found.description().facts
    assert found == Transcription.model_validate_json(found.model_dump_json())


@pytest.mark.parametrize(
    "missing", [{}, {"segments": None, "words": None, "speaker_segments": None}, {"segments": "none", "words": {}}]
)
def test_what_is_missing_is_empty(missing: dict[str, Any]) -> None:
    """The words were paid for; all of them are one caption where their times are not known."""
    found = transcript({"text": "Hello.", "duration": 2, **missing})
    assert ((), (), ()) == (found.segments, found.words, found.speakers)
    assert "1\n00:00:00,000 --> 00:00:02,000\nHello.\n" == found.to_srt()
    assert "" == transcript({"text": "Hello."}).to_srt()
    assert "" == transcript({"text": "", "duration": 7}).to_srt()


def test_what_is_no_time_is_left_out() -> None:
    """A word without a time is in the text, and in no list."""
    wrong = [
        {"word": "a"},
        {"word": "b", "start": "0", "end": 1},
        {"word": " ", "start": 0, "end": 1},
        None,
        {"word": "c", "start": 2, "end": 1},
    ]
    assert [{"word": "c", "start": 2.0, "end": 2.0}] == content({"text": "a b c", "words": wrong})["words"]
    assert [] == content({"text": "a", "segments": [{"start": 0, "end": float("nan"), "text": "a"}]})["segments"]


def test_words_of_speakers_stand_for_words() -> None:
    """Where an answer has them there only."""
    word = {"id": 0, "word": "Hi.", "start": 0, "end": 1, "speaker_id": "SPEAKER_00"}
    said = {"id": 0, "speaker_id": "SPEAKER_00", "start": 0, "end": 1, "text": "Hi.", "words": [word]}
    assert [{"word": "Hi.", "start": 0.0, "end": 1.0, "speaker": "SPEAKER_00"}] == content(
        {"text": "Hi.", "speaker_segments": [said]}
    )["words"]


@pytest.mark.parametrize(
    ("seconds", "usd"), [(60, "0.0015"), (1, "0.000025"), (3600, "0.09"), (None, None), (-1, None), ("60", None)]
)
def test_the_price_is_that_of_the_length_that_was_heard(seconds: Any, usd: str | None) -> None:
    """By the minute, exactly; what is not known is not free."""
    request = TranscriptionRequest(file="https://example.com/a.mp3", model=WHISPER)
    assert SPEC.cost is not None
    cost = SPEC.cost(request, parse({"text": "Hi.", "duration": seconds}))
    assert (None if usd is None else Decimal(usd)) == cost


def test_times_of_a_part_are_those_of_the_whole() -> None:
    """What was sent began at ``start``; the answer counts from there."""
    found = transcript({**TWO_SPEAKERS}, file="a.wav", start=100.5)
    assert (100.5, 102.1, 100.5) == (found.words[0].start, found.words[2].start, found.speaker_segments[0].start)
