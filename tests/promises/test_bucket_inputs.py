"""Files in a bucket are inputs by their addresses, as a table of an earlier run has them."""

from __future__ import annotations

import pytest

from prefect_together import (
    ChatRequest,
    MediaLibrary,
    SpeechRequest,
    TranscriptionRequest,
    add_sound,
    generate_image,
    generate_speech,
    generate_text,
    generate_video,
    plan,
    transcribe,
)
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import clip, picture

PATH = "/v1/chat/completions"


def asked(uri: str) -> ChatRequest:
    """Ask what a picture shows."""
    return ChatRequest(prompt="What is it?", model="Qwen/Qwen3.5-9B", images=[uri], seed=7, max_tokens=100)


def test_a_picture_in_a_bucket_is_seen(together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """By its address it is the same picture as by its reference: one question, one charge."""
    still = generate_image(picture("a red fox in deep snow", seed=7), library=bucket)
    assert still.uri.startswith("s3://")
    assert "fox" in generate_text(asked(still.uri)).text
    by_reference = asked(still.uri).model_copy(update={"images": (still.reference(),)})
    assert generate_text(by_reference).reused
    assert 1 == together_sandbox.count(PATH)


def test_what_is_not_in_the_bucket(together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """One sentence with its address, and nothing sent."""
    still = generate_image(picture(seed=7), library=bucket)
    with pytest.raises(InvalidRequest, match=r"gone\.jpg"):
        generate_text(asked(still.uri.rpartition("/")[0] + "/gone.jpg"))
    assert 0 == together_sandbox.count(PATH)


@pytest.mark.parametrize("film", [False, True], ids=["recording", "film"])
def test_a_recording_in_a_bucket_is_heard(film: bool, together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """By its address it is the same as by its reference, and as a copy on a disk: one charge, at the price that was planned."""
    line = generate_speech(
        SpeechRequest(input="The sea was calm.", model="hexgrad/Kokoro-82M", voice="af_heart"), library=bucket
    )
    kept = add_sound(generate_video(clip(seconds=3), library=bucket), line, library=bucket) if film else line
    assert kept.uri.startswith("s3://")
    request = TranscriptionRequest(file=kept.uri, model="openai/whisper-large-v3")
    before = plan([request])
    found = transcribe(request)
    assert "The sea was calm." == found.text
    assert float(found.cost or 0) == pytest.approx(float(before.cost), abs=2e-6)
    for same in (kept, kept.path()):
        assert transcribe(
            request.model_copy(update={"file": TranscriptionRequest(file=same, model=request.model).file})
        ).reused
    assert 1 == together_sandbox.count("/v1/audio/transcriptions")
