"""Embeddings: texts as vectors, asked of ``POST /v1/embeddings`` and kept as one ``.npy`` file. No I/O here."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from prefect_together._internal.readers import as_list, as_mapping
from prefect_together._internal.text import clipped
from prefect_together.errors import MediaError, ServerError, TogetherError
from prefect_together.generations.derived import DerivedMedia, Spliced
from prefect_together.generations.formats import NUMPY
from prefect_together.generations.kept_file import KeptFile, StoredFile
from prefect_together.generations.numpy_files import npy_header, npy_shape, read_npy
from prefect_together.generations.parts import JoinedFile, Parts
from prefect_together.generations.policy import Policy
from prefect_together.generations.request import Items, Render, Request
from prefect_together.generations.results import GeneratedMedia, ResultFacts
from prefect_together.generations.spec import Blobs, GenerationSpec, Keeping, Payload, ResponseFormatError

LIMIT = 2048
"""Texts of one POST at most. Together states no limit; this is that of the API which it follows."""
_TITLE = 60


class EmbeddingRequest(Request):
    """Texts that are to become vectors: any number, of which 2,048 at a time are sent.

    Together serves no model for embeddings to all: ``model`` is the name of a dedicated endpoint. Equal requests are
    made once.

    Example:
        ```python
        from prefect_together import EmbeddingRequest

        asked = EmbeddingRequest(input=["a fox in the snow", "a harbour at dusk"], model="my-team/e5-mistral-1a2b3c4d")
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "embedding"

    input: Items[Annotated[str, Field(min_length=1, pattern=r"\S")]]
    """The texts, or a single one; none of them empty."""

    @field_validator("input")
    @classmethod
    def _holds_texts(cls, value: tuple[str, ...] | None) -> tuple[str, ...]:
        if not value:
            raise ValueError("it is empty: give at least one text")
        return value

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, in order."""
        return tuple(self.input or ())

    def title(self) -> str:
        """Return the first text, and how many others there are."""
        first, more = clipped(self.texts[0], _TITLE), len(self.texts) - 1
        return f"{first} and {more:,} more" if more else first

    def fields(self, render: Render) -> dict[str, Any]:  # noqa: ARG002 - there are no files
        """Return the body."""
        return {"model": self.model, "input": list(self.texts)}

    def media_inputs(self) -> Iterator[Any]:
        """Yield nothing: there are no files."""
        return iter(())


class Embeddings(GeneratedMedia):
    """Vectors of texts, kept as one ``.npy`` file of 32-bit floats: a row for each text, in order.

    ``cost`` is None: a dedicated endpoint is paid for by the time that it runs.
    """

    kind: ClassVar[str] = "embedding"

    request: EmbeddingRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    count: int
    """How many vectors there are."""
    dimensions: int
    """How many numbers each of them has."""
    input_tokens: int | None = None
    """Tokens of all texts; None where Together did not count them."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    def vectors(self) -> list[array[float]]:
        """Return the vectors in the order of the texts; ``numpy.load(embeddings.path())`` reads the same file.

        Raises:
            MediaError: The file is not in the library any more, or its bytes have changed.
        """
        try:
            return read_npy(self.read_bytes())
        except ValueError as error:
            raise MediaError(f"{self.uri} cannot be read: {error}.", paid="yes") from None


def _parse(answer: Any) -> Payload:
    """Read an answer: vectors of one length, each of whose places is there once; written down as the file that is kept."""
    body = as_mapping(answer)
    found = [as_mapping(one) for one in as_list(body.get("data"))]
    places = [one.get("index", place) for place, one in enumerate(found)]
    if not found or sorted(map(str, places)) != sorted(map(str, range(len(found)))):
        raise ResponseFormatError("the answer holds no vectors, or not each of them once")
    by_place = {int(place): one.get("embedding") for place, one in zip(places, found, strict=True)}
    rows = [_numbers(by_place[place]) for place in range(len(found))]
    dimensions = len(rows[0])
    if any(len(row) != dimensions for row in rows):
        raise ResponseFormatError("the answer holds vectors of different lengths")
    file = npy_header(len(rows), dimensions) + b"".join(row.tobytes() for row in rows)
    tokens = as_mapping(body.get("usage")).get("prompt_tokens")
    content = {"count": len(rows), "dimensions": dimensions, "input_tokens": tokens if isinstance(tokens, int) else None}
    return Blobs((file,), content=content)


def _numbers(found: Any) -> array[float]:
    """Return a vector as it is written: 32-bit floats, the least significant byte first."""
    numbers: Sequence[Any] = as_list(found)
    if not numbers or not all(type(number) in {int, float} for number in numbers):
        raise ResponseFormatError("the answer holds a vector that is no list of numbers")
    row = array("f", numbers)
    if not all(map(math.isfinite, row)):
        raise ResponseFormatError("the answer holds a vector with a number that is none, or too large")
    if sys.byteorder == "big":
        row.byteswap()
    return row


def _build(request: EmbeddingRequest, stored: StoredFile, facts: ResultFacts) -> Embeddings:
    return Embeddings(**facts.file_fields(request, stored), **facts.reported)


def _problem(result: Embeddings) -> TogetherError | None:
    """Return the error of an answer that has not one vector for each text."""
    asked = len(result.request.texts)
    if result.count == asked:
        return None
    return ServerError(
        f"{result.model} answered {result.count:,} vectors to {asked:,} texts.",
        paid="yes",
        advice=f'They are kept in {result.uri}; reuse="never" asks anew.',
    )


def _split(request: EmbeddingRequest, _: Policy) -> list[EmbeddingRequest]:
    texts = request.texts
    return [request.model_copy(update={"input": texts[begin : begin + LIMIT]}) for begin in range(0, len(texts), LIMIT)]


def _write(request: EmbeddingRequest, parts: Sequence[Embeddings], files: Sequence[KeptFile], path: Path) -> Spliced:
    """Write the vectors of several files as one."""
    dimensions = {part.dimensions for part in parts}
    if len(dimensions) > 1:
        lengths = ", ".join(map(str, sorted(dimensions)))
        raise ServerError(f"{request.model} answered vectors of different lengths: {lengths}.", paid="yes")
    with path.open("wb") as joined:
        joined.write(npy_header(sum(part.count for part in parts), parts[0].dimensions))
        for file in files:
            data = file.read_bytes()
            joined.write(memoryview(data)[npy_shape(data)[1] :])
    return Spliced()


def _join(
    request: EmbeddingRequest, fingerprint: str, results: Sequence[Embeddings], file: DerivedMedia | None
) -> Embeddings:
    tokens = [result.input_tokens for result in results if result.input_tokens is not None]
    changed = {
        "request": request,
        "fingerprint": fingerprint,
        "count": sum(result.count for result in results),
        "input_tokens": sum(tokens) if len(tokens) == len(results) else None,
    }
    return results[0].model_copy(update={**(file or results[0]).reference().model_dump(), **changed})


SPEC = GenerationSpec(
    kind="embedding",
    request=EmbeddingRequest,
    result=Embeddings,
    path="/v1/embeddings",
    parse=_parse,
    build=_build,
    keeping=Keeping(media_types=(NUMPY,)),
    columns={
        "uri": "string",
        "sha256": "string",
        "media_type": "string",
        "size": "int64",
        "count": "int64",
        "dimensions": "int64",
    },
    problem=_problem,
    parts=Parts(
        split=_split,
        join=_join,
        file=JoinedFile(operation="join_vectors", write=_write, media_type=lambda _: NUMPY),
    ),
    noun="set of vectors",
    plural="sets of vectors",
    folder="embeddings",
    reuse="always",
    dedicated="embeddings",
)
