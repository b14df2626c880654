"""Ranking: texts in the order in which they fit a question, asked of ``POST /v1/rerank``. No I/O here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prefect_together._internal.described import Described
from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together._internal.text import clipped
from prefect_together.errors import ServerError, TogetherError
from prefect_together.generations.request import Items, Render, Request
from prefect_together.generations.results import GeneratedValue, ResultFacts
from prefect_together.generations.spec import GenerationSpec, Keeping, Payload, ResponseFormatError, Value

_SHOWN = 60


class RerankRequest(Request):
    """Documents that are to be ranked by how well they fit a question.

    Together serves no model that ranks to all: ``model`` is the name of a dedicated endpoint. Equal requests are made once.

    Example:
        ```python
        from prefect_together import RerankRequest

        asked = RerankRequest(
            query="animals in winter",
            documents=["a fox in the snow", "a harbour at dusk"],
            model="my-team/rank-1a2b3c4d",
        )
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "rerank"

    query: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """What is looked for."""
    documents: Items[str | dict[str, Any]]
    """Texts, or objects of which ``rank_fields`` count."""
    top_n: Annotated[int, Field(ge=1)] | None = None
    """How many of the best are returned; left out, all."""
    rank_fields: Items[str] = None
    """The keys of objects that count, in order."""

    @field_validator("documents")
    @classmethod
    def _holds_documents(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...]:
        if not value or any(not one or (isinstance(one, str) and not one.strip()) for one in value):
            raise ValueError("give at least one document, and none that is empty")
        return value

    def title(self) -> str:
        """Return what is looked for."""
        return self.query

    def fields(self, render: Render) -> dict[str, Any]:  # noqa: ARG002 - there are no files
        """Return the body. Documents are not asked for: they are here."""
        body: dict[str, Any] = {"model": self.model, "query": self.query, "documents": list(self.documents or ())}
        if self.top_n is not None:
            body["top_n"] = self.top_n
        return {**body, "rank_fields": list(self.rank_fields)} if self.rank_fields else body


class Ranked(Described, BaseModel):
    """A document's place."""

    model_config = ConfigDict(frozen=True)

    index: int
    """Which document, counted from 0 as they were given."""
    score: float
    """How well it fits; higher is better, and what the numbers mean is the model's own."""


class Ranking(GeneratedValue):
    """Documents in the order in which they fit, the best first.

    ``cost`` is None: a dedicated endpoint is paid for by the time that it runs.
    """

    kind: ClassVar[str] = "rerank"

    request: RerankRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    results: tuple[Ranked, ...]
    """The places, the best first."""
    request_id: str | None = None
    """Together's id of the answer, which its support asks for."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def order(self) -> tuple[int, ...]:
        """Which documents, counted from 0 as they were given, the best first."""
        return tuple(one.index for one in self.results)

    @property
    def scores(self) -> tuple[float, ...]:
        """How well they fit, in the same order."""
        return tuple(one.score for one in self.results)

    @property
    def documents(self) -> tuple[str | dict[str, Any], ...]:
        """The documents themselves, in the same order."""
        given = tuple(self.request.documents or ())
        return tuple(given[index] for index in self.order)

    @property
    def text(self) -> str:
        """The ranking as a person reads it: a line for each document."""
        shown = zip(self.results, self.documents, strict=True)
        return "\n".join(f"{one.score:.4g}  {clipped(_words(document), _SHOWN)}" for one, document in shown)


def _words(document: str | dict[str, Any]) -> str:
    return document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)


def _parse(answer: Any) -> Payload:
    """Read an answer: the specification calls the list ``results``, the documentation shows it as ``choices``."""
    body = as_mapping(answer)
    found = [as_mapping(one) for one in as_list(body.get("results")) or as_list(body.get("choices"))]
    ranked = [place for one in found if (place := _ranked(one))]
    if not ranked or len(ranked) != len(found) or len({one.index for one in ranked}) != len(ranked):
        raise ResponseFormatError("the answer holds no ranking")
    best_first = sorted(ranked, key=lambda one: -one.score)
    return Value({"results": [one.model_dump() for one in best_first], "request_id": as_text(body.get("id"))})


def _ranked(found: Mapping[str, Any]) -> Ranked | None:
    index, score = found.get("index"), found.get("relevance_score")
    if type(index) is not int or index < 0 or type(score) not in {int, float} or not math.isfinite(float(score or 0)):
        return None
    return Ranked(index=index, score=float(score or 0))


def _build(request: RerankRequest, value: Value, facts: ResultFacts) -> Ranking:
    # What names a document that was not given cannot be looked at; `_problem` says that there was one.
    given = len(request.documents or ())
    known = [one for one in value.content["results"] if one["index"] < given]
    fields: dict[str, Any] = {**facts.fields(request), **value.content, "results": known}
    return Ranking(**fields)


def _problem(result: Ranking) -> TogetherError | None:
    """Return the error of a ranking that leaves out documents which were to be in it."""
    given = len(result.request.documents or ())
    asked = min(result.request.top_n or given, given)
    if len(result.results) == asked:
        return None
    return ServerError(
        f"{result.model} ranked {len(result.results)} of {asked} documents.",
        paid="yes",
        advice='What it ranked is in the ledger; reuse="never" asks anew.',
    )


def _row(fields: Mapping[str, Any]) -> dict[str, Any]:
    results = [Ranked.model_validate(one) for one in fields.get("results") or ()]
    return {"order": [one.index for one in results], "scores": [one.score for one in results]}


SPEC = GenerationSpec(
    kind="rerank",
    request=RerankRequest,
    result=Ranking,
    path="/v1/rerank",
    parse=_parse,
    build=_build,
    keeping=Keeping(),
    columns={"order": "list_int64", "scores": "list_float64"},
    row=_row,
    problem=_problem,
    noun="ranking",
    plural="rankings",
    reuse="always",
    dedicated="ranking",
)
