"""Speech as a stream of events: the same sound bit by bit, and when each word is said."""

from __future__ import annotations

import array

import httpx
import pytest

from prefect_together import sandbox

from .sounding import KOKORO, ORPHEUS, SPEECH, TEXT, deltas, heard, speech_body, spoken, streamed, wav

DELTA, WORDS = "conversation.item.audio_output.delta", "conversation.item.word_timestamps"


def test_a_stream_is_the_whole_sound(client: httpx.Client) -> None:
    """Its deltas are the raw samples of the answer that is not streamed."""
    events = streamed(client)
    assert {DELTA} == {event["type"] for event in events}
    assert all({"type", "item_id", "delta"} == set(event) for event in events)
    assert len(events) > 10
    assert spoken(client, response_format="raw") == deltas(events)


@pytest.mark.parametrize(("model", "voice"), [(KOKORO, "bf_emma"), (ORPHEUS, "leo")])
def test_word_times_are_those_of_the_sound(client: httpx.Client, model: str, voice: str) -> None:
    """With `alignment: word`: all words, and where each is said, which is where it is heard."""
    events = streamed(client, model=model, voice=voice, alignment="word")
    times = [event for event in events if event["type"] == WORDS]
    assert all({"type", "words", "start_seconds", "end_seconds"} == set(event) for event in times)
    words = [word for event in times for word in event["words"]]
    starts = [start for event in times for start in event["start_seconds"]]
    ends = [end for event in times for end in event["end_seconds"]]
    assert TEXT.split() == words
    raw = deltas(events)
    found = heard(client, wav(array.array("h", raw)))["words"]
    assert words == [word["word"] for word in found]
    assert starts == pytest.approx([word["start"] for word in found], abs=0.02)
    assert ends == pytest.approx([word["end"] for word in found], abs=0.02)
    assert ends[-1] < len(raw) / 2 / 24_000


def test_a_stream_of_mulaw(client: httpx.Client) -> None:
    """The other form in which a stream may be asked for: a byte for a sample."""
    answer = client.post(SPEECH, json=speech_body(stream=True, response_format="mulaw"))
    assert 200 == answer.status_code
    assert len(spoken(client, response_format="raw")) == 2 * len(spoken(client, response_format="mulaw"))


def test_a_stream_is_charged_as_a_whole_answer(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Once, for all of its characters."""
    streamed(client)
    spoken(client)
    first, second = together.charges()
    assert first.usd == second.usd is not None
