"""Files in a bucket are inputs by their addresses, as a table of an earlier run has them."""

from __future__ import annotations

import pytest

from prefect_together import ChatRequest, MediaLibrary, generate_image, generate_text
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import picture

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
