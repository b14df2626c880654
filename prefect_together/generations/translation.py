"""Translation: what is said in a recording, in English; asked of ``POST /v1/audio/translations``. No I/O here."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import field_validator

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


class TranslationRequest(RecordingRequest):
    """A recording, clip or film whose words are asked for in English, with their times. Equal requests are made once.

    Example:
        ```python
        from prefect_together import TranslationRequest

        asked = TranslationRequest(file="https://example.com/entretien.mp3", model="openai/whisper-large-v3")
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "translation"

    language: str | None = None
    """The language to translate into, as a code such as `en`; left out, English, the only one that is documented."""

    @field_validator("language")
    @classmethod
    def _is_a_code(cls, value: str | None) -> str | None:
        if value is not None and not _LANGUAGE.fullmatch(value):
            raise ValueError("give a code of ISO 639-1 such as 'en'")
        return value

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the fields of the form."""
        return {**super().fields(render), **plain(self, ("language",))}


class Translation(Transcript):
    """The words of a recording in another language, with their times."""

    kind: ClassVar[str] = "translation"

    request: TranslationRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun


def _build(request: TranslationRequest, value: Value, facts: ResultFacts) -> Translation:
    return Translation(**fields_of(request, value, facts))


SPEC = GenerationSpec(
    kind="translation",
    request=TranslationRequest,
    result=Translation,
    path="/v1/audio/translations",
    encoding="form",
    parse=parse,
    build=_build,
    keeping=Keeping(),
    batch=BatchProtocol(endpoint="/v1/audio/translations", method="FILE", refusal=not_in_a_batch),
    columns=COLUMNS,
    row=row,
    cost=cost,
    parts=Parts(split=split, join=joined, reads=True),
    noun="translation",
    plural="translations",
    reuse="always",
)
