"""What is made of the bytes that speech is answered with."""

from __future__ import annotations

import io
from typing import Any

import pytest

from prefect_together._internal.answer_file import AnswerFile
from prefect_together.errors import InvalidRequest
from prefect_together.generations.generated_audio import SPEC
from prefect_together.generations.sound_shape import FLOAT, MULAW, PCM, SampleForm, wav_head
from prefect_together.generations.spec import Blobs, ResponseFormatError
from prefect_together.generations.speech import SpeechRequest

LIKE_MP3 = b"\xff\xfb\x7a\x7f" * 400
"""What quiet samples in mu-law may begin with, and every frame of an MP3."""
LIKE_AAC = b"\xff\xf1\x50\x80" * 400


def _asked(**fields: Any) -> SpeechRequest:
    given: dict[str, Any] = {"input": "The sea.", "model": "hexgrad/Kokoro-82M", "voice": "af_heart", **fields}
    return SpeechRequest(**given)


def _answer(data: bytes, media_type: str) -> AnswerFile:
    return AnswerFile(media_type, io.BytesIO(data), len(data))


@pytest.mark.parametrize("data", [LIKE_MP3, LIKE_AAC, b"ID3" + bytes(797), b"OggS" + bytes(796), bytes(800)])
def test_bare_samples_are_taken_for_what_they_are(data: bytes) -> None:
    """They may begin like a file of any format: nothing is missed of them, and they get the header of a WAV."""
    read: Any = SPEC.parse(_answer(data, "application/octet-stream"))
    assert isinstance(read, Blobs)
    assert SPEC.head
    start, replaced = SPEC.head(_asked(response_format="raw"), data, len(data))
    head = wav_head(io.BytesIO(start + data))
    assert head is not None
    assert (0, len(data), SampleForm(PCM, 16, 24000)) == (replaced, head.stated, head.form)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({}, SampleForm(PCM, 16, 24000)),
        ({"sample_rate": 8000, "response_encoding": "pcm_f32le"}, SampleForm(PCM, 16, 24000)),
        ({"response_format": "mulaw"}, SampleForm(MULAW, 8, 24000)),
        ({"model": "cartesia/sonic-3"}, SampleForm(FLOAT, 32, 44100)),
        ({"model": "cartesia/sonic-3", "sample_rate": 8000, "response_encoding": "pcm_mulaw"}, SampleForm(MULAW, 8, 8000)),
        ({"model": "nobody/new", "sample_rate": 16000}, SampleForm(FLOAT, 32, 16000)),
    ],
)
def test_the_header_says_how_samples_are_written(fields: dict[str, Any], form: SampleForm) -> None:
    """As asked for, where the model has the choice; else as the model always writes them."""
    assert SPEC.head
    start, _ = SPEC.head(_asked(**{"response_format": "raw", **fields}), bytes(64), 800)
    head = wav_head(io.BytesIO(start + bytes(800)))
    assert head is not None
    assert form == head.form


@pytest.mark.parametrize("media_type", ["audio/wav", "application/octet-stream"])
def test_a_file_that_ends_too_early_is_not_taken(media_type: str) -> None:
    """Whatever the server calls it: its own header says how long it is."""
    whole = SampleForm(PCM, 16, 24000).header(4800) + bytes(4800)
    assert isinstance(SPEC.parse(_answer(whole, media_type)), Blobs)
    with pytest.raises(ResponseFormatError, match="cut off: 4,000 bytes of audio/wav"):
        SPEC.parse(_answer(whole[:4000], media_type))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"input": "…!?"}, "SpeechRequest.input is '…!?': there is no letter or digit in it, so there is nothing to say."),
        ({"language": "en-US"}, "SpeechRequest.language is 'en-US': give a code in lower case, such as 'en' or 'zh-hk'."),
        (
            {"language": "English"},
            "SpeechRequest.language is 'English': give a code in lower case, such as 'en' or 'zh-hk'.",
        ),
    ],
)
def test_what_cannot_be_spoken_is_said_in_words(fields: dict[str, Any], said: str) -> None:
    """Which field, which value, and what is allowed; no pattern."""
    with pytest.raises(InvalidRequest) as raised:
        _asked(**fields)
    assert said == str(raised.value)


@pytest.mark.parametrize("text", ["7", "狐", "ありがとう", "नमस्ते", "مرحبا", "¿Qué?"])
def test_any_script_can_be_spoken(text: str) -> None:
    """A letter or digit of any is something to say."""
    assert text == _asked(input=text).input
