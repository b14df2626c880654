"""What every result has in common, whatever its type: what made it, what it cost, and how a person calls it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import ShownInNotebooks, View
from prefect_together._internal.text import clipped, slug
from prefect_together.catalog.money import dollars
from prefect_together.errors import Paid, TogetherError
from prefect_together.generations.description import Description
from prefect_together.generations.formats import Shape
from prefect_together.generations.kept_file import KeptFile, StoredFile
from prefect_together.generations.request import MediaReference, Request
from prefect_together.generations.result_reference import ResultReference

_TITLE = 200  # characters of a title that another result's reference keeps


@dataclass(frozen=True)
class Cost:
    """What one request cost, in USD: as Together reported it, and by the catalogue. None is not known."""

    reported: Decimal | None = None
    estimated: Decimal | None = None

    def shared(self, results: int) -> Cost:
        """Return the part of one result where one request made several."""
        return Cost(*(amount if amount is None else amount / results for amount in (self.reported, self.estimated)))


@dataclass(frozen=True)
class ResultFacts:
    """What is known of a result beside its request and its bytes."""

    fingerprint: str
    cost: Cost
    job_id: str | None = None
    index: int = 0
    """Its place among the results of one request, from 0."""
    reported: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What Together's answer says about it."""
    discount: Decimal = Decimal(0)
    """The part of the list price that was taken off, because it went into a provider's batch."""
    kept_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    """When a value was kept (UTC); a file says that itself."""

    def fields(self, request: Request) -> dict[str, Any]:
        """Return the fields that every result has."""
        return {
            "created_at": self.kept_at,
            "model": request.model,
            "seed": getattr(request, "seed", None),
            "cost": self.cost.reported,
            "estimated_cost": self.cost.estimated,
            "job_id": self.job_id,
            "fingerprint": self.fingerprint,
            "request": request,
        }

    def file_fields(self, request: Request, stored: StoredFile) -> dict[str, Any]:
        """Return the fields that every kept file has."""
        return {
            **self.fields(request),
            "uri": stored.uri,
            "sha256": stored.sha256,
            "size": stored.size,
            "media_type": stored.media_type,
            "created_at": stored.created_at,
            "source_url": stored.source_url,
            "block": stored.block,
            "width": stored.shape.width,
            "height": stored.shape.height,
        }


class Generated(ShownInNotebooks, Described, BaseModel):
    """One result, with what made it and what it cost. Money is USD; None means not known, never free."""

    model_config = ConfigDict(frozen=True)

    kind: ClassVar[str]
    """Its generation type."""

    created_at: AwareDatetime
    """When it was kept (UTC)."""
    model: str
    """Together's model id."""
    seed: int | None = None
    """The seed that was asked for, if one was."""
    cost: Decimal | None = None
    """USD that Together reported for it, or None: image answers carry no cost, video answers not always."""
    estimated_cost: Decimal | None = None
    """USD by the catalogue's list price, or None where no price is known."""
    paid_before: Decimal | None = None
    """USD of its cost that were paid before this call: for parts of it that were there, where it is made of several."""
    job_id: str | None = None
    """Together's id of the job, where there was one."""
    fingerprint: str
    """What was asked, as a hash: the name of its folder in the ledger."""
    reused: bool = False
    """Whether it was paid for before this call, so that this call sent and paid nothing."""
    scope: str | None = None
    """Who may share it: ``any``, one run, one named batch or one call; None where that is not known."""
    request: Request
    """What was asked."""

    def price(self) -> str:
        """Return what it cost, in words that keep reported, estimated and unknown apart."""
        if self.cost is not None:
            return dollars(self.cost)
        return "cost unknown" if self.estimated_cost is None else f"about {dollars(self.estimated_cost)}"

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return self.kind

    @property
    def maker(self) -> str:
        """What made it, for people: the model without its organisation."""
        return self.model.rpartition("/")[2]

    @property
    def name(self) -> str:
        """What it is called where names have no spaces, such as ``a-fox-in-the-snow-4248ac``; no other is called so."""
        return f"{slug(self.title())}-{self.fingerprint[:6]}"

    @property
    def shape(self) -> Shape:
        """What it measures; nothing, where it is no file."""
        return Shape()

    def title(self) -> str:
        """Return what a person would call it: the words that were asked with, and what it was made of."""
        return self.request.label()

    def made_from(self) -> tuple[MediaReference, ...]:
        """Return the kept files that it was made from, in the order in which they were given."""
        return tuple(use.value for use in self.request.media_inputs() if isinstance(use.value, MediaReference))

    def words_from(self) -> tuple[ResultReference, ...]:
        """Return the results that the words of its request came from."""
        return self.request.words_from()

    def cited(self) -> ResultReference:
        """Return the reference to it that a request can be based on."""
        lasts = self.request.seeded if self.scope is None else self.scope == "any" or self.scope.startswith("batch-")
        anew = not lasts or any(source.asked_anew for source in self.words_from())
        title = clipped(self.title(), _TITLE)
        return ResultReference(kind=self.kind, fingerprint=self.fingerprint, scope=self.scope, title=title, asked_anew=anew)

    def description(self) -> Description:
        """Return what only this type says of its results, for people."""
        return Description()

    def span_attributes(self) -> dict[str, Any]:
        """Return what only this type says of its results in a trace span."""
        return {}


class GeneratedMedia(Generated, KeptFile):
    """A kept file together with what made it and what it cost."""

    _paid = "yes"
    _advice = 'Restore it from a backup, or ask with reuse="never" for a new one.'

    @property
    def shape(self) -> Shape:
        """What it measures."""
        return Shape(self.width, self.height)

    def __str__(self) -> str:
        shape = self.shape
        measures = [f"{shape.width}x{shape.height}"] if shape.width else []
        measures += [f"{shape.seconds:g} s"] if shape.seconds else []
        return f"{self.uri} ({', '.join([self.media_type, *measures, f'{self.size} bytes', self.price()])})"


class GeneratedValue(Generated):
    """A small answer that is kept in the ledger itself: there is no file."""

    @property
    def text(self) -> str:
        """The answer as a person reads it."""
        return ""

    def description(self) -> Description:
        """Return what it says."""
        return Description(texts=(self.text,) if self.text.strip() else ())

    def __str__(self) -> str:
        return f"{clipped(self.description().line(), 80)!r} ({self.maker}, {self.price()})"


class GenerationJob(ShownInNotebooks, Described, BaseModel):
    """A job that Together has accepted and is at work on. It is paid for, and can be waited for from any process."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Together's id of the job."""
    request: Request
    """What was asked."""
    submitted_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
    """When it was accepted (UTC, this machine's clock)."""
    fingerprint: str = ""
    """What was asked, as a hash: the name of its folder in the ledger."""
    attempt: str = "job/1"
    """Which attempt of the ledger it is, as ``scope/number``."""
    reused: bool = False
    """Whether it was accepted before this call, so that this call sent and paid nothing."""

    def __str__(self) -> str:
        return f"{clipped(self.request.label(), 80)!r} ({self.request.model.rpartition('/')[2]}, {', '.join(self._facts())})"

    def notebook_view(self) -> View:
        """Return what a notebook shows: what was asked, and which job it is."""
        advice = "What it makes is not in the library yet: waiting for this job fetches it, and pays nothing more."
        facts = [self.request.model.rpartition("/")[2], *self._facts()]
        return View(
            self.request.label(), facts, notes=[advice], where=f"ledger {self.fingerprint[:16]}" if self.fingerprint else ""
        )

    def _facts(self) -> tuple[str, ...]:
        paid = "accepted before" if self.reused else "paid"
        return f"job {self.id}", f"accepted {self.submitted_at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC", paid


class GenerationTimeout(TogetherError, TimeoutError):
    """The job was still running when the time was up. Nothing is lost: a later run goes on waiting without paying.

    Args:
        what: What happened, as one sentence.
        paid: ``"yes"``: the job was accepted.
        advice: What to do next.
        retryable: False: waiting longer is a decision, not a retry.
        job: The job, to be passed to ``wait_for_video``.
        waits_for: What the library calls what still runs: attempts by their keys, batches by their records.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid = "yes",
        advice: str = "",
        retryable: bool = False,
        job: GenerationJob | None = None,
        waits_for: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.job = job
        self.waits_for = waits_for
