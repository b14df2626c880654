"""Transcripts: what was spoken here is read back from the sound, whatever file it is in, in the shapes of Together's answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .sounding import (
    CARTESIA,
    KOKORO,
    LISTEN,
    PARAKEET,
    TEXT,
    TRANSLATE,
    WHISPER,
    encoded,
    heard,
    linked,
    listened,
    samples,
    shape,
    spoken,
    streamed,
    tone,
    wav,
)  # fmt: skip

GERMAN = "Der Leuchtturm steht auf dem Felsen. Niemand ist heute da, und das Meer ist ruhig."


def said(client: httpx.Client, text: str, **fields: Any) -> list[tuple[str, float, float]]:
    """Return the words of a text and when they are said, as the stream of the speech states them."""
    times = [event for event in streamed(client, text, alignment="word", **fields) if "words" in event]
    return [
        word for event in times for word in zip(event["words"], event["start_seconds"], event["end_seconds"], strict=True)
    ]


@pytest.mark.parametrize(
    ("fields", "encoding"),
    [
        ({}, None),
        ({"response_format": "mp3"}, None),
        ({"model": CARTESIA, "voice": "any", "response_format": "mp3", "bit_rate": 32_000}, None),
        ({"model": CARTESIA, "voice": "any", "sample_rate": 8_000}, None),
        ({"model": CARTESIA, "voice": "any", "sample_rate": 22_050}, None),
        ({}, ("aac", "adts", 48_000)),
        ({}, ("aac", "mp4", 64_000)),
        ({}, ("libopus", "ogg", 24_000)),
        ({}, ("libopus", "webm", 32_000)),
        ({}, ("flac", "flac", 0)),
        ({}, ("libmp3lame", "mp3", 32_000)),
    ],
)
def test_words_and_times_come_back(
    client: httpx.Client, fields: dict[str, Any], encoding: tuple[str, str, int] | None
) -> None:
    """Through every format that is taken, at low bit rates, and at other rates of samples."""
    content = spoken(client, **fields)
    if encoding is not None:
        codec, form, bit_rate = encoding
        content = encoded(content, codec, form, bit_rate=bit_rate)
    found = heard(client, content)
    expected = said(client, TEXT)
    assert TEXT == found["text"]
    assert [word for word, _, _ in expected] == [word["word"] for word in found["words"]]
    # An encoder puts up to 0.06 s before the first sample.
    assert [start for _, start, _ in expected] == pytest.approx([word["start"] for word in found["words"]], abs=0.08)
    assert [end for _, _, end in expected] == pytest.approx([word["end"] for word in found["words"]], abs=0.08)
    assert shape(content)[3] == pytest.approx(found["duration"], abs=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "Hi.", "A", "東京の夜は静かです。誰もいない港に、船が一つ。", "Привет, мир! Ñandú – “quoted” …and 1,234.5 %",
        "A https://example.com/a/very/long/address?that=is&said=in&pieces here", "एक गाँव में एक किसान रहता था।", "🎬 Take\n\ttwo",
    ],
)  # fmt: skip
def test_any_script_comes_back(client: httpx.Client, text: str) -> None:
    """White space becomes a space, and is nowhere where it was not."""
    assert " ".join(text.split()) == heard(client, spoken(client, text, voice="bf_lily"))["text"]


def test_the_short_answer_is_the_text_alone(client: httpx.Client) -> None:
    """`json` is the default, and has nothing but the text."""
    assert {"text": TEXT} == listened(client, spoken(client)).json()


def test_the_long_answer(client: httpx.Client) -> None:
    """Task, language, duration, text and segments; words where they are asked for, speakers only where they are."""
    content = spoken(client)
    found = heard(client, content, **{"timestamp_granularities[]": "segment"})
    assert ["task", "language", "duration", "text", "segments"] == list(found)
    assert ("transcribe", "en", shape(content)[3]) == (found["task"], found["language"], found["duration"])
    first, second = found["segments"]
    assert [["id", "start", "end", "text"]] * 2 == [list(first), list(second)]
    assert ("The keeper wakes before dawn, climbs the stairs and lights the lamp.", 0) == (first["text"], first["id"])
    assert 0 < first["start"] < first["end"] < second["start"] < second["end"] < found["duration"]
    word = heard(client, content)["words"][0]
    assert ["word", "start", "end", "id"] == list(word)


@pytest.mark.parametrize("fields", [{}, {"response_format": "verbose_json"}])
def test_speakers_are_told_apart(client: httpx.Client, fields: dict[str, Any]) -> None:
    """With `diarize`, also where the long answer was not asked for: each word, and each turn, has a speaker."""
    lines = [("af_bella", "How far is it?"), ("am_eric", "Two hours, if the wind holds."), ("af_bella", "Then let us go.")]
    joined = [sample for voice, text in lines for sample in samples(spoken(client, text, voice=voice))]
    found = listened(client, wav(joined), diarize="true", **fields).json()
    turns = [(turn["id"], turn["speaker_id"], turn["text"]) for turn in found["speaker_segments"]]
    speakers = ("SPEAKER_00", "SPEAKER_01", "SPEAKER_00")
    assert [(at, speaker, text) for at, (speaker, (_, text)) in enumerate(zip(speakers, lines, strict=True))] == turns
    assert len(found["words"]) == sum(len(turn["words"]) for turn in found["speaker_segments"])
    assert {"word", "start", "end", "id", "speaker_id"} == set(found["words"][0])
    one = listened(client, wav(joined), diarize="true", max_speakers="1", **fields).json()
    assert ["SPEAKER_00"] == [turn["speaker_id"] for turn in one["speaker_segments"]]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (TEXT, "en"),
        (GERMAN, "de"),
        ("東京の夜は静かです。", "ja"),
        ("Zweiter Sprecher sagt etwas.", "de"),
        ("Sunset over hills.", "en"),
        ("Le phare est sur la colline et la mer est calme.", "fr"),
    ],
)
def test_the_language_is_heard(client: httpx.Client, text: str, language: str) -> None:
    """Unless it is said; `auto` says nothing."""
    content = spoken(client, text)
    assert [language, language, "nl"] == [
        heard(client, content, **said)["language"] for said in ({}, {"language": "auto"}, {"language": "nl"})
    ]


def test_a_translation_is_english_and_the_same_each_time(client: httpx.Client) -> None:
    """A stand-in: an English word for each, as often the same as the other, at the same time; English stays as it is."""
    content = spoken(client, GERMAN)
    there, again = (heard(client, content, path=TRANSLATE) for _ in range(2))
    assert there == again
    assert ("translate", "en") == (there["task"], there["language"])
    here = heard(client, content)
    assert [(one["start"], one["end"]) for one in here["segments"]] == [
        (one["start"], one["end"]) for one in there["segments"]
    ]
    assert GERMAN.count(" ist ") + 1 == 3 or here["text"] != there["text"]
    assert not {"Leuchtturm", "und", "Meer"} & set(there["text"].split())
    assert TEXT == heard(client, spoken(client), path=TRANSLATE)["text"]


def test_a_public_address_is_stood_in_for(client: httpx.Client) -> None:
    """Nothing is fetched: words that depend on the address, and say it."""
    one, other = (linked(client, f"https://example.com/{name}.mp3").json() for name in ("interview", "lecture"))
    assert linked(client, "https://example.com/interview.mp3").json() == one
    assert "This stands in for interview.mp3." == one["segments"][0]["text"]
    assert one["text"] != other["text"]
    assert one["duration"] > 5


def test_silence_music_and_noise_hold_no_words(client: httpx.Client) -> None:
    """An empty text and no segments, and it is charged all the same."""
    for sound in ([0.0] * 48_000, tone(3, 440), [a + b for a, b in zip(tone(3, 330), tone(3, 523), strict=True)]):
        found = heard(client, wav(sound))
        assert ("", [], []) == (found["text"], found["segments"], found["words"])


def test_people_get_words_too(client: httpx.Client) -> None:
    """Sound that comes and goes as speech does gets words of two speakers where it is loud, the same ones each time."""
    speech = [sample for at in range(12) for sample in (*tone(0.4 + at % 3 / 5, 150 + 20 * at), *tone(0.5, 90, 0.0005))]
    first = heard(client, wav(speech), diarize="true")
    assert len(first["words"]) > 10
    assert ["SPEAKER_00", "SPEAKER_01"] == [turn["speaker_id"] for turn in first["speaker_segments"]][:2]
    assert first == heard(client, wav(speech), diarize="true")
    assert all(0 <= word["start"] < word["end"] <= first["duration"] for word in first["words"])


@pytest.mark.parametrize(
    ("path", "model", "kind"),
    [(LISTEN, WHISPER, "transcription"), (LISTEN, PARAKEET, "transcription"), (TRANSLATE, WHISPER, "translation")],
)
def test_seconds_are_charged(together: sandbox.Sandbox, client: httpx.Client, path: str, model: str, kind: str) -> None:
    """By the length of the recording, however long its header says it is; the bill counts minutes."""
    content = spoken(client)
    found = heard(client, content, path=path, model=model, name="talk.wav")
    _, charge = together.charges()
    expected = Decimal(str(found["duration"])) / 60 * Decimal("0.0015")
    assert (kind, model, "talk.wav") == (charge.kind, charge.model, charge.prompt)
    assert expected == pytest.approx(charge.usd, abs=Decimal("0.000001"))
    lines = client.get("/v1/billing/usage").json()["data"][0]["line_items"]
    (line,) = [line for line in lines if line["product_name"] == f"{model} minutes"]
    assert charge.usd == Decimal(line["cost"])
    assert "0.0015" == line["unit_price"]


def test_the_model_has_a_default(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Whisper, where the form names none; `timestamp_granularities` may come with and without brackets."""
    fields = {"response_format": "verbose_json", "timestamp_granularities": "word"}
    answer = client.post(LISTEN, data=fields, files={"file": ("a.wav", spoken(client, "Hi."))})
    assert ["Hi."] == [word["word"] for word in answer.json()["words"]]
    assert [KOKORO, WHISPER] == [charge.model for charge in together.charges()]
