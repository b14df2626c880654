"""What is refused of recordings, with Together's codes, before anything is charged."""

from __future__ import annotations

import io
import struct
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import LLAMA, clip, finished, message
from .sounding import LISTEN, PARAKEET, TRANSLATE, WHISPER, encoded, linked, listened, spoken, tone, wav

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"language": "english"}, "'language'"),
        ({"response_format": "srt"}, "'response_format'"),
        ({"temperature": "hot"}, "'temperature'"),
        ({"temperature": "1.5"}, "'temperature'"),
        ({"timestamp_granularities[]": ["word", "letter"]}, "'timestamp_granularities'"),
        ({"diarize": "maybe"}, "'diarize'"),
        ({"diarize": "true", "min_speakers": "0"}, "'min_speakers'"),
        ({"diarize": "true", "max_speakers": "many"}, "'max_speakers'"),
        ({"diarize": "true", "min_speakers": "3", "max_speakers": "2"}, "'min_speakers'"),
        ({"seed": "7"}, "'seed'"),
    ],
)
def test_bad_fields_are_refused(together: sandbox.Sandbox, client: httpx.Client, fields: dict[str, Any], words: str) -> None:
    """400 with the code `invalid_params`, and nothing is charged."""
    answer = listened(client, wav(tone(0.2, 440)), **fields)
    assert (400, "invalid_params") == (answer.status_code, answer.json()["error"]["code"])
    assert words in message(answer)
    assert [] == together.charges()


@pytest.mark.parametrize(
    ("path", "model", "status"),
    [(LISTEN, LLAMA, 400), (LISTEN, "nobody/ears", 404), (TRANSLATE, PARAKEET, 400), (TRANSLATE, "nobody/ears", 404)],
)
def test_models_that_cannot_are_refused(client: httpx.Client, path: str, model: str, status: int) -> None:
    """Whisper alone translates."""
    answer = listened(client, wav(tone(0.2, 440)), path=path, model=model)
    assert (status, "model_not_available") == (answer.status_code, answer.json()["error"]["code"])


def test_speakers_of_a_translation_cannot_be_asked_for(client: httpx.Client) -> None:
    """Translations have no `diarize`."""
    answer = listened(client, wav(tone(0.2, 440)), path=TRANSLATE, diarize="true")
    assert (400, "invalid_params") == (answer.status_code, answer.json()["error"]["code"])


def test_no_file_and_no_form(client: httpx.Client) -> None:
    """A form without a file, and what is no form at all."""
    bare = client.post(LISTEN, files={"model": (None, WHISPER)})
    assert (400, "Missing required parameter: 'file'.") == (bare.status_code, message(bare))
    answer = client.post(LISTEN, json={"model": WHISPER})
    assert (400, "Content-Type must be multipart/form-data") == (answer.status_code, message(answer))


def test_the_model_stands_before_the_file(client: httpx.Client) -> None:
    """The edge routes by the model before it has seen the whole file."""
    parts = [("file", ("a.wav", wav(tone(0.2, 440)))), ("model", (None, WHISPER))]
    answer = client.post(LISTEN, files=parts)
    assert 400 == answer.status_code
    assert "before the file" in message(answer)


@pytest.mark.parametrize(
    "content",
    [b"no sound at all " * 99, b"\x89PNG\r\n\x1a\n" + bytes(99), wav([])],
    ids=["text", "picture", "header"],
)
def test_what_is_no_sound_is_refused(together: sandbox.Sandbox, client: httpx.Client, content: bytes) -> None:
    """400 with the code `unsupported_format`."""
    answer = listened(client, content)
    assert (400, "unsupported_format") == (answer.status_code, answer.json()["error"]["code"])
    assert [] == together.charges()


def test_an_empty_file_is_refused(client: httpx.Client) -> None:
    """And says that it is empty."""
    answer = listened(client, b"")
    assert (400, "The audio file is empty.") == (answer.status_code, message(answer))


def test_other_kinds_of_files_are_refused(client: httpx.Client) -> None:
    """A film, with and without sound, and a recording in a format that is not on the list."""
    for name, content in (
        ("silent.mp4", clip(client)),
        ("film.mp4", clip(client, generate_audio=True)),
        ("film.webm", clip(client, generate_audio=True, output_format="WEBM")),
        ("a.aiff", encoded(wav(tone(1, 440)), "pcm_s16be", "aiff", bit_rate=0)),
    ):
        answer = listened(client, content, name)
        assert (400, "unsupported_format") == (answer.status_code, answer.json()["error"]["code"]), name


def test_80_mb_are_the_most_that_is_sent(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """413 with the code `request_too_large`, once the whole of it has come."""
    content = b"RIFF" + bytes(80 * MB)
    answer = client.post(LISTEN, data={"model": WHISPER}, files={"file": ("large.wav", io.BytesIO(content))})
    assert (413, "request_too_large") == (answer.status_code, answer.json()["error"]["code"])
    assert f"{len(content)} bytes" == together.requests()[-1].body["file"]
    assert [] == together.charges()


def test_four_hours_are_the_longest(client: httpx.Client) -> None:
    """400 with the code `audio_too_long`: 100 Hz of samples make a long recording of few bytes."""
    rate, seconds = 100, 4 * 3600 + 10
    head = (
        b"RIFF" + struct.pack("<I", 36 + rate * seconds) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    )
    content = head + b"data" + struct.pack("<I", rate * seconds) + b"\x80" * rate * seconds
    answer = listened(client, content)
    assert (400, "audio_too_long") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("address", ["ftp://example.com/a.mp3", "a.mp3", "http://127.0.0.1:1/a.mp3"])
def test_addresses_that_cannot_be_read_are_refused(client: httpx.Client, address: str) -> None:
    """What is no public address, and one at which nobody answers."""
    answer = linked(client, address)
    assert (400, "invalid_params") == (answer.status_code, answer.json()["error"]["code"])


def test_a_hosted_clip_is_a_video(client: httpx.Client) -> None:
    """The sandbox's own files are read where their address is sent, and judged as what they are."""
    answer = linked(client, finished(client)["outputs"]["video_url"])
    assert (400, "unsupported_format") == (answer.status_code, answer.json()["error"]["code"])


def test_a_bad_key_comes_first(client: httpx.Client) -> None:
    """Nobody listens for whom nobody knows."""
    for path in (LISTEN, TRANSLATE):
        answer = client.post(path, headers={"Authorization": "Bearer bad"}, files={"file": ("a.wav", spoken(client, "Hi."))})
        assert 401 == answer.status_code
