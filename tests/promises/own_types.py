"""Two generation types that no release has: a caption, which is a value, and a sketch, which is a file. Written like any other.

What a type is made of stands in a module of ``generations`` and one of ``tasks``; here it is one file.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, ClassVar

from prefect import task
from pydantic import Field

from prefect_together import MediaLibrary, TogetherCredentials
from prefect_together._internal.event_loop import run
from prefect_together._internal.readers import as_mapping, as_money, as_text
from prefect_together.generations.kept_file import StoredFile
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.request import MediaInput, Render, Request, Seed, plain
from prefect_together.generations.results import GeneratedMedia, GeneratedValue, ResultFacts
from prefect_together.generations.spec import (
    FILE_COLUMNS,
    Blobs,
    GenerationSpec,
    Keeping,
    Payload,
    ResponseFormatError,
    Value,
)
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._options import options


class CaptionRequest(Request):
    """What a picture shows, in words."""

    kind: ClassVar[str] = "caption"

    prompt: Annotated[str, Field(min_length=1)]
    """What to look for."""
    image: MediaInput | None = None
    """The picture."""

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body."""
        body = {"model": self.model, "prompt": self.prompt}
        return body if self.image is None else {**body, "image": render(self.image, "data_url")}


class GeneratedCaption(GeneratedValue):
    """The words."""

    kind: ClassVar[str] = "caption"

    request: CaptionRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    words: str
    """The caption itself."""
    language: str
    """In which language it is."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return CAPTION.noun

    @property
    def text(self) -> str:
        """The answer as a person reads it."""
        return self.words


def _parse_caption(answer: Any) -> Payload:
    found = as_mapping(answer)
    words, language = as_text(found.get("caption")), as_text(found.get("language"))
    if not words or not language:
        raise ResponseFormatError("the answer holds no caption")
    return Value({"words": words, "language": language}, cost=as_money(found.get("cost")))


def _build_caption(request: CaptionRequest, value: Value, facts: ResultFacts) -> GeneratedCaption:
    return GeneratedCaption(**facts.fields(request), **value.content)


CAPTION = GenerationSpec(
    kind="caption",
    request=CaptionRequest,
    result=GeneratedCaption,
    path="/v1/captions",
    parse=_parse_caption,
    build=_build_caption,
    keeping=Keeping(),
    columns={"words": "string", "language": "string"},
    noun="line of words",
    plural="lines of words",
    reuse="always",
)


class SketchRequest(Request):
    """A drawing, which comes inside the answer."""

    kind: ClassVar[str] = "sketch"

    prompt: Annotated[str, Field(min_length=1)]
    """What to draw."""
    seed: Seed | None = None
    """A request with a seed is made once."""

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body."""
        return {"model": self.model, **plain(self, ("prompt", "seed"))}


class GeneratedSketch(GeneratedMedia):
    """The drawing."""

    kind: ClassVar[str] = "sketch"

    request: SketchRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    strokes: int
    """How often the pencil was put down."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SKETCH.noun


def _parse_sketch(answer: Any) -> Payload:
    found = as_mapping(answer)
    data, strokes = as_text(found.get("png")), found.get("strokes")
    if not data or not isinstance(strokes, int):
        raise ResponseFormatError("the answer holds no sketch")
    return Blobs((base64.b64decode(data),), content={"strokes": strokes}, cost=as_money(found.get("cost")))


def _build_sketch(request: SketchRequest, stored: StoredFile, facts: ResultFacts) -> GeneratedSketch:
    return GeneratedSketch(**facts.file_fields(request, stored), strokes=facts.reported["strokes"])


SKETCH = GenerationSpec(
    kind="sketch",
    request=SketchRequest,
    result=GeneratedSketch,
    path="/v1/sketches",
    parse=_parse_sketch,
    build=_build_sketch,
    keeping=Keeping(media_types=("image/png",)),
    columns={**FILE_COLUMNS, "strokes": "int64"},
    noun="sketch",
    plural="sketches",
    folder="sketches",
)


@task(**options("caption"))
def generate_caption(
    request: CaptionRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: MediaLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedCaption:
    """Say what a picture shows."""
    return run(generated(Arguments("generate_caption", request, credentials, library, reuse, on_unknown), CAPTION))[0]


@task(**options("sketch"))
def generate_sketch(
    request: SketchRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: MediaLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedSketch:
    """Draw something."""
    return run(generated(Arguments("generate_sketch", request, credentials, library, reuse, on_unknown), SKETCH))[0]
