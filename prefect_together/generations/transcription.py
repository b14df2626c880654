"""Transcription: the words of a recording, asked of ``POST /v1/audio/transcriptions``, and what comes back. No I/O here."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from prefect_together.generations.parts import Parts
from prefect_together.generations.request import Render, plain
from prefect_together.generations.results import ResultFacts
from prefect_together.generations.spec import BatchProtocol, GenerationSpec, Keeping, Value
from prefect_together.generations.spoken import RecordingRequest
from prefect_together.generations.transcript import Transcript
from prefect_together.generations.transcript_answers import (
    COLUMNS,
    cost,
    fields_of,
    joined,
    not_in_a_batch,
    parse,
    row,
    split,
)

_LANGUAGE = re.compile(r"[a-z]{2,3}")


class TranscriptionRequest(RecordingRequest):
    """A recording, clip or film whose words are asked for, with their times. Equal requests are made once.

    Example:
        ```python
        from prefect_together import TranscriptionRequest

        asked = TranscriptionRequest(file="meeting.m4a", model="openai/whisper-large-v3", diarize=True)
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "transcription"

    language: str = "auto"
    """The language that is spoken, as a code such as `en`; `auto` has it found out."""
    diarize: bool = False
    """Whether to tell who speaks."""
    min_speakers: Annotated[int, Field(ge=1)] | None = None
    """How many people speak at least, with ``diarize``."""
    max_speakers: Annotated[int, Field(ge=1)] | None = None
    """How many people speak at most, with ``diarize``."""

    @field_validator("language")
    @classmethod
    def _is_a_code(cls, value: str) -> str:
        if value != "auto" and not _LANGUAGE.fullmatch(value):
            raise ValueError("give a code of ISO 639-1 such as 'en', or 'auto'")
        return value

    @model_validator(mode="after")
    def _counts_speakers(self) -> Self:
        least, most = self.min_speakers, self.max_speakers
        if not self.diarize and (least or most):
            raise ValueError("TranscriptionRequest counts speakers with diarize=True only")
        if least and most and most < least:
            raise ValueError(f"TranscriptionRequest.max_speakers is {most}: give at least min_speakers, which is {least}")
        return self

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the fields of the form; always the language, for Together's sources differ in what holds without one."""
        told = {"diarize": True, **plain(self, ("min_speakers", "max_speakers"))} if self.diarize else {}
        return {**super().fields(render), "language": self.language, **told}


class Transcription(Transcript):
    """The words of a recording, with their times."""

    kind: ClassVar[str] = "transcription"

    request: TranscriptionRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun


def _build(request: TranscriptionRequest, value: Value, facts: ResultFacts) -> Transcription:
    return Transcription(**fields_of(request, value, facts))


SPEC = GenerationSpec(
    kind="transcription",
    request=TranscriptionRequest,
    result=Transcription,
    path="/v1/audio/transcriptions",
    encoding="form",
    parse=parse,
    build=_build,
    keeping=Keeping(),
    batch=BatchProtocol(endpoint="/v1/audio/transcriptions", method="FILE", refusal=not_in_a_batch),
    columns=COLUMNS,
    row=row,
    cost=cost,
    parts=Parts(split=split, join=joined, reads=True),
    noun="transcript",
    plural="transcripts",
    reuse="always",
)
