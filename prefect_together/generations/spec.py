"""What tells one generation type from another, as one value for each type. No I/O, no client, no Prefect.

Three questions tell the types apart: how a request goes out, what a good answer holds, and where the result is kept. The
engine knows no type: it dispatches on the four payloads alone, and reads everything else from the type's ``GenerationSpec``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

from prefect_together._internal.answer_file import AnswerFile
from prefect_together._internal.upload import Encoding
from prefect_together.errors import TogetherError
from prefect_together.generations.parts import Parts
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GenerationJob, ResultFacts

ColumnType = Literal[
    "string", "int64", "float64", "bool_", "list_string", "list_int64", "list_float64", "list_bool_", "money", "fine_money"
]
"""Types of a table's columns, in Arrow's words; money is a decimal, a fine one where a token costs next to nothing."""

COMMON_COLUMNS: Mapping[str, ColumnType] = {
    "status": "string",
    "model": "string",
    "seed": "int64",
    "cost": "money",
    "estimated_cost": "money",
    "seconds_taken": "float64",
    "reused": "bool_",
    "error": "string",
    "job_id": "string",
    "more_uris": "string",
}
"""Columns of every table that comes out, besides those of its generation type."""
FILE_COLUMNS: Mapping[str, ColumnType] = {
    "uri": "string",
    "sha256": "string",
    "media_type": "string",
    "size": "int64",
    "width": "int64",
    "height": "int64",
}
"""The columns of a type whose results are pictures or videos."""

RequestT = TypeVar("RequestT", bound=Request)
ResultT = TypeVar("ResultT", bound=Generated)


class ResponseFormatError(ValueError):
    """A good answer whose content is not what the API promises. After a paid POST this makes the outcome unknown.

    Args:
        message: What is wrong with it.
        received: What came of it, where that is worth keeping.
    """

    def __init__(self, message: str, *, received: str = "") -> None:
        super().__init__(message)
        self.received = received


@dataclass(frozen=True)
class Value:
    """A small answer that is kept in the ledger itself."""

    content: dict[str, Any] = field(repr=False)
    """Plain JSON, from which the type builds its result."""
    cost: Decimal | None = None
    """USD that the answer itself states; None where it states none."""


@dataclass(frozen=True)
class Blobs:
    """Files that came inside the answer: whoever loses them cannot fetch them again."""

    items: tuple[bytes | str | AnswerFile, ...] = field(repr=False)
    """Their bytes, text in base64, or a file that was the answer itself."""
    urls: tuple[str, ...] = ()
    """Hosted files that the same answer names."""
    content: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What else the answer says, such as the times of words; given to ``build`` as ``ResultFacts.reported``."""
    cost: Decimal | None = None
    """USD that the answer itself states; None where it states none."""


@dataclass(frozen=True)
class Links:
    """Files that Together hosts for a while."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is accepted and paid for, and has to be waited for."""

    id: str


@dataclass(frozen=True)
class Line(Job):
    """A request that is accepted as a line of a provider's batch, whose id is that of the job."""

    record: str
    """What the library's record of the batch is called."""


Payload = Value | Blobs | Links | Job
"""The only four things that a good answer can be."""


@dataclass(frozen=True)
class JobStatus:
    """What asking for a job answers.

    ``status`` is an open string: Together's spec has three values, its documentation five, and it may be missing
    (together-api.md 3.3).
    """

    id: str | None
    status: str
    made: Links | Blobs | Value | None = None
    """What the job made, once that is there. ``completed`` may come a moment before it."""
    cost: Decimal | None = None
    """USD as Together reports it; None is not known."""
    error_message: str | None = None
    error_code: str | None = None
    reported: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the answer says about the result, for ``build``."""

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self.status == "completed" and self.made is not None

    @property
    def over(self) -> bool:
        """Whether there will be no result."""
        return self.status in {"failed", "cancelled", "canceled"}


@dataclass(frozen=True, kw_only=True)
class JobProtocol:
    """How a job is asked for.

    Args:
        path: Of the GET, with ``{id}`` for the quoted id.
        parse: Reads the answer of the POST and of the GET. Pure; raises ``ResponseFormatError``.
        job: The class of the job that a caller is handed.
        pace: Names what jobs take alike long, such as length and size; durations are learnt for each name.
    """

    path: str
    parse: Callable[[Any], JobStatus]
    job: type[GenerationJob]
    pace: Callable[[Any], str]


@dataclass(frozen=True, kw_only=True)
class BatchProtocol:
    """How a request goes into a provider's batch; what a line of its output holds is read as an answer to the POST is.

    Args:
        endpoint: What is named as the endpoint of the batch.
        method: What its lines name as their method, where they have to; ``FILE`` for those that name a file.
        without: Fields of the body that a line does not have: those that say how to answer.
        refusal: Why a request cannot be a line, in words; None where it can.
    """

    endpoint: str
    method: str | None = None
    without: tuple[str, ...] = ()
    refusal: Callable[[Any], str | None] | None = None

    def line(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the line of one request.

        Args:
            name: Its ``custom_id``.
            body: Its body, as it would be sent by itself.
        """
        method = {} if self.method is None else {"method": self.method}
        return {"custom_id": name, **method, "body": {key: body[key] for key in body if key not in self.without}}


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where results are kept, and how long Together keeps them.

    Args:
        media_types: Formats of the files that may come, the usual one first; empty for values, which need no file.
        links_live: How long nobody has ever seen a hosted link live: what is gone after that is lost for good.
        links_fresh: How long a hosted link is trusted as the input of another request: well below what is reported.
    """

    media_types: tuple[str, ...] = ()
    links_live: timedelta = timedelta(0)
    links_fresh: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class GenerationSpec(Generic[RequestT, ResultT]):
    """Everything that the rest of the package has to know about one generation type.

    Args:
        kind: Names it in the ledger, tags and the catalogue: a word that is never changed.
        folder: Where its files are in a library, such as ``images``; never changed either. Empty for values.
        request: Its request.
        result: What a caller gets for each thing that was made.
        path: Of the paid POST.
        parse: What the POST's answer holds: JSON, or ``Events``. Pure; raises ``ResponseFormatError``.
        parse_of: The same where it depends on what is asked.
        build: Makes a result of what was kept: a ``StoredFile`` where files come, the ``Value`` where one does. Pure.
        keeping: Formats and lifetimes.
        columns: Which fields of a result stand in the table that a batch makes, and of what type they are there.
        columns_of: The same where they depend on what is asked; takes the fields of a request, as they were given.
        row: What stands in those columns for a result that was written down; left out, its fields of the same names.
        noun: What a person calls one result.
        plural: What a person calls several.
        reuse: Under ``reuse="auto"``, whose result may be taken: with a ``"seed"`` everybody's, or ``"always"``.
        job: How a job is asked for, where the answer may be one.
        batch: How a request goes into a provider's batch, where it can.
        cost: USD that an answer proves, where it does not state them; None is not known.
        problem: The error of a result that was paid for and is not what was asked for, or None.
        follow_up: The request for a better result, where one has a problem and may be asked for again; or None.
        accept: The media types that the POST's answer may be of.
        encoding: How the POST's body is written: as JSON, or as a form, in which files are sent as they are.
        head: Sets right how a file that came inside the answer begins: takes the request, its first bytes and its size, and
            returns what is to stand there and in place of how many bytes.
        parts: How a request for more than one POST takes is made of several.
        repairs: What the catalogue prices, as the fields of a request, for each follow-up that there may be at most.
        dedicated: What models of the type are for, such as ``embeddings``, where Together serves none to all and whoever
            asks for one is told to start an endpoint; empty where it does.
    """

    kind: str
    request: type[RequestT]
    result: type[ResultT]
    path: str
    parse: Callable[[Any], Payload]
    build: Callable[[RequestT, Any, ResultFacts], ResultT]
    keeping: Keeping
    columns: Mapping[str, ColumnType]
    noun: str
    plural: str
    folder: str = ""
    reuse: Literal["seed", "always"] = "seed"
    job: JobProtocol | None = None
    batch: BatchProtocol | None = None
    parse_of: Callable[[RequestT], Callable[[Any], Payload]] | None = None
    columns_of: Callable[[Mapping[str, Any]], Mapping[str, ColumnType]] | None = None
    row: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    cost: Callable[[RequestT, Payload], Decimal | None] | None = None
    problem: Callable[[ResultT], TogetherError | None] | None = None
    follow_up: Callable[[RequestT, ResultT], RequestT | None] | None = None
    accept: str = "application/json"
    encoding: Encoding = "json"
    head: Callable[[RequestT, bytes, int], tuple[bytes, int]] | None = None
    parts: Parts[RequestT, ResultT] | None = None
    repairs: Callable[[RequestT], Sequence[Mapping[str, Any]]] | None = None
    dedicated: str = ""

    def count(self, number: int) -> str:
        """Return a number of results in words, such as ``2 clips``."""
        return f"{number:,} {self.noun if number == 1 else self.plural}"

    def parse_for(self, request: RequestT) -> Callable[[Any], Payload]:
        """Return what reads the answer to a request."""
        return self.parse_of(request) if self.parse_of else self.parse

    def columns_for(self, given: Mapping[str, Any]) -> Mapping[str, ColumnType]:
        """Return the columns of a batch's table, for what its requests ask for.

        Args:
            given: Fields of a request, by name.
        """
        return self.columns_of(given) if self.columns_of else self.columns

    def cells(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what stands in those columns for the results of one request, as they were written down."""
        if not results:
            return {}
        # Where a better result was asked for, it is the one that counts.
        shown = results[-1] if self.follow_up else results[0]
        return self.row(shown) if self.row else {name: shown.get(name) for name in self.columns}

    def shared(self, request: Request) -> bool:
        """Tell whether the result of a request belongs to everybody when the caller does not say."""
        return self.reuse == "always" or request.seeded
