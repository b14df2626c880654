"""The official Together SDK and the `openai` library speak and listen with the sandbox: two further opinions."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_together import sandbox

from .sounding import KOKORO, TEXT, WHISPER, shape, wav
from .test_chat_sdks import CLIENTS, library

SAY = {"model": KOKORO, "voice": "af_heart", "input": TEXT}
LONG = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}

# Python 3.14 warns about what the SDKs import.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]


@pytest.fixture
def official(together: sandbox.Sandbox) -> Iterator[Any]:
    """Give the Together SDK's client, pointed at the sandbox."""
    with library("together").Together(api_key=together.api_key, base_url=together.url, max_retries=0) as ready:
        yield ready


@pytest.fixture(params=CLIENTS)
def sdk(request: pytest.FixtureRequest, together: sandbox.Sandbox) -> Iterator[Any]:
    """Give each library's client in turn."""
    name, path = CLIENTS[request.param]
    with getattr(library(request.param), name)(
        api_key=together.api_key, base_url=together.url + path, max_retries=0
    ) as ready:
        yield ready


@pytest.mark.parametrize(("form", "codec"), [("wav", "pcm_s16le"), ("mp3", "mp3float")])
def test_speech_and_back(sdk: Any, together: sandbox.Sandbox, tmp_path: Path, form: str, codec: str) -> None:
    """Speech as bytes, sent in again as a file: text, times and length."""
    content = sdk.audio.speech.create(**SAY, response_format=form).read()
    assert (codec, 24_000) == shape(content)[:2]
    path = tmp_path / f"talk.{form}"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert TEXT == sdk.audio.transcriptions.create(model=WHISPER, file=file).text
    with path.open("rb") as file:
        found = sdk.audio.transcriptions.create(model=WHISPER, file=file, **LONG)
    assert (TEXT.split(), 2) == ([word.word for word in found.words], len(found.segments))
    assert shape(content)[3] == pytest.approx(float(found.duration), abs=0.1)
    with path.open("rb") as file:
        translated = sdk.audio.translations.create(model=WHISPER, file=file, response_format="verbose_json")
    assert (TEXT, found.segments[1].end) == (translated.text, translated.segments[1].end)
    assert 4 == len(together.charges())


def test_the_together_sdk_streams_speech(official: Any) -> None:
    """Chunks pass with the keys of the wire; together they are the raw answer, with the times of the words."""
    chunks = list(official.audio.speech.create(**SAY, response_format="raw", stream=True, extra_body={"alignment": "word"}))
    sound = b"".join(base64.b64decode(chunk.delta) for chunk in chunks if chunk.type.endswith("delta"))
    assert official.audio.speech.create(**SAY, response_format="raw").read() == sound
    assert TEXT.split() == [word for chunk in chunks if chunk.type.endswith("timestamps") for word in chunk.words]


def test_the_together_sdk_reads_declared_chunks(official: Any, together: sandbox.Sandbox) -> None:
    """And those that its own types speak of."""
    together.fault("POST /v1/audio/speech", "declared_chunks")
    chunks = list(official.audio.speech.create(**SAY, response_format="raw", stream=True))
    assert {"audio.tts.chunk"} == {chunk.object for chunk in chunks}
    sound = b"".join(base64.b64decode(chunk.b64) for chunk in chunks)
    assert official.audio.speech.create(**SAY, response_format="raw").read() == sound


def test_the_together_sdk_lists_voices(official: Any) -> None:
    """By model; a voice has an id and a name."""
    found = {row.model: [voice.id for voice in row.voices] for row in official.audio.voices.list().data}
    assert (54, "tara") == (len(found[KOKORO]), found["canopylabs/orpheus-3b-0.1-ft"][0])


def test_the_together_sdk_reads_speakers(official: Any) -> None:
    """`diarize` gives speakers of words and of turns."""
    content = official.audio.speech.create(**SAY).read()
    found = official.audio.transcriptions.create(model=WHISPER, file=("a.wav", content), diarize=True, **LONG)
    assert ("SPEAKER_00", TEXT) == (found.words[0].speaker_id, found.speaker_segments[0].text)


def test_refusals_become_the_library_s_errors(sdk: Any) -> None:
    """Statuses map as at Together."""
    module = importlib.import_module(type(sdk).__module__.partition(".")[0])
    with pytest.raises(module.BadRequestError, match="nobody"):
        sdk.audio.speech.create(**{**SAY, "voice": "nobody"})
    with pytest.raises(module.NotFoundError):
        sdk.audio.speech.create(**{**SAY, "model": "x/y"})
    with pytest.raises(module.BadRequestError, match="could not be decoded"):
        sdk.audio.transcriptions.create(model=WHISPER, file=("a.wav", b"no sound at all " * 99))
    with pytest.raises(module.BadRequestError, match="no sound in it"):
        sdk.audio.translations.create(model=WHISPER, file=("a.wav", wav([])))
