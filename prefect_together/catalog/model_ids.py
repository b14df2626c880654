"""Types of model ids by kind, which editors complete and Prefect's forms list; any other id is allowed as well.

Checkers read ``model_ids.pyi`` instead, where the ids stand one by one: ``tests/catalog/test_model_ids.py`` writes it anew
from the catalogue, and fails where it differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler

from prefect_together.catalog.loader import models, ratio_sizes


@dataclass(frozen=True)
class _Listed:
    """Writes what is usual into a JSON schema, as a list with free entry beside it, once somebody asks for the schema."""

    usual: Callable[[], Iterable[str]]

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        free = {"title": "another", "type": "string"}
        return {**handler(core), "anyOf": [{"title": "list", "enum": list(self.usual())}, free]}


def _offered(kind: str) -> _Listed:
    return _Listed(lambda: sorted((model.id for model in models(kind) if model.listed), key=str.casefold))


ImageModelId = Annotated[str, Field(min_length=1, pattern=r"\S"), _offered("image")]
VideoModelId = Annotated[str, Field(min_length=1, pattern=r"\S"), _offered("video")]
ChatModelId = Annotated[str, Field(min_length=1, pattern=r"\S"), _offered("chat")]
SpeechModelId = Annotated[str, Field(min_length=1, pattern=r"\S"), _offered("speech")]
TranscriptionModelId = Annotated[str, Field(min_length=1, pattern=r"\S"), _offered("transcription")]
AspectRatio = Annotated[str, Field(pattern=r"^\d+:\d+$"), _Listed(ratio_sizes)]
