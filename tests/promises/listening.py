"""What the tests of transcripts ask for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from prefect_together import (
    GeneratedAudio,
    SpeechRequest,
    Transcript,
    TranscriptionRequest,
    TranslationRequest,
    generate_speech,
    transcribe,
    translate,
)
from prefect_together.sandbox import Charge, Sandbox

WHISPER = "openai/whisper-large-v3"
PARAKEET = "nvidia/parakeet-tdt-0.6b-v3"
TRANSCRIPTIONS = "POST /v1/audio/transcriptions"
TRANSLATIONS = "POST /v1/audio/translations"
NIGHT = "The sea was calm that night. Nobody on board slept, and the captain counted the stars until morning came."
URL = "https://example.com/the-long-way-home.mp3"


def spoken(text: str = NIGHT, voice: str = "af_heart") -> GeneratedAudio:
    """Have a text spoken."""
    return generate_speech(SpeechRequest(input=text, model="hexgrad/Kokoro-82M", voice=voice))


def asked(file: Any, **fields: Any) -> TranscriptionRequest:
    """Ask for the words of a recording."""
    return TranscriptionRequest.model_validate({"file": file, "model": WHISPER, **fields})


def in_english(file: Any, **fields: Any) -> TranslationRequest:
    """Ask for the words of a recording in English."""
    return TranslationRequest.model_validate({"file": file, "model": WHISPER, **fields})


def heard(file: Any, **options: Any) -> Transcript:
    """Transcribe a recording."""
    return cast("Any", transcribe)(file if isinstance(file, TranscriptionRequest) else asked(file), **options)


def translated(file: Any, **options: Any) -> Transcript:
    """Translate a recording."""
    return cast("Any", translate)(file if isinstance(file, TranslationRequest) else in_english(file), **options)


def charged(together: Sandbox, kind: str = "transcription") -> list[Charge]:
    """Return what was charged for listening."""
    return [charge for charge in together.charges() if charge.kind == kind]


def form_of(together: Sandbox, path: str = "/v1/audio/transcriptions") -> dict[str, str]:
    """Return the fields of the last form that came."""
    forms = [request for request in together.requests() if request.path == path]
    return cast("dict[str, str]", forms[-1].body)


def copied(file: GeneratedAudio, to: Path) -> Path:
    """Return a copy of a kept recording that no library knows."""
    return Path(shutil.copy(file.path(), to))
