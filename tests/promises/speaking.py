"""What the tests of speech ask for, and what they are charged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect import flow

from prefect_together import GeneratedAudio, SpeechRequest, generate_speech
from prefect_together.sandbox import Sandbox

SPEAK = "POST /v1/audio/speech"
CHARACTER = Decimal("0.000004")
"""What Kokoro costs."""
SENTENCES = [f"This is sentence number {number}, and it is said out loud for everybody to hear." for number in range(1, 9)]
LONG = " ".join(SENTENCES)


def line(text: str = "The sea was calm that night.", **fields: Any) -> SpeechRequest:
    """Ask for a short line of a model whose price is known."""
    asked: dict[str, Any] = {"model": "hexgrad/Kokoro-82M", "voice": "af_heart", "input": text, **fields}
    return SpeechRequest(**asked)


@flow
def spoken(request: SpeechRequest) -> GeneratedAudio:
    """Have a text spoken in a flow."""
    return generate_speech(request)


def spent(together: Sandbox) -> Decimal:
    """Return what was charged."""
    return sum((charge.usd or Decimal(0) for charge in together.charges()), Decimal(0))
