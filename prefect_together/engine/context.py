"""What one generation is made with: the request, where it goes, where results are kept, by which rules."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prefect_together import catalog
from prefect_together._internal.logs import Log
from prefect_together.catalog.spelling import looks_like
from prefect_together.engine.lifecycle_events import LifecycleEvent, Listener, ignore
from prefect_together.errors import APIError, InvalidRequest
from prefect_together.generations.policy import OnUnknown, Policy, Reuse
from prefect_together.generations.registry import AnySpec, spec_of
from prefect_together.generations.request import Request
from prefect_together.generations.spec import BatchProtocol
from prefect_together.ledger.ledger import ANY

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient
    from prefect_together.ledger.budget import Budget
    from prefect_together.storage.storage import Storage


@dataclass(frozen=True)
class RunInfo:
    """Who asks: the runs it belongs to, and where to say what happens."""

    log: Log
    flow_run: str | None = None
    """The outermost flow run: its retries and its subflows belong to it."""
    task_run: str | None = None
    listener: Listener = ignore
    """Is told what happens, for those who watch."""
    flow_run_name: str | None = None
    """What people call the flow run."""
    flow_run_url: str | None = None
    """Where Prefect's UI shows the flow run, if there is one."""

    def emit(self, event: LifecycleEvent) -> None:
        """Tell whoever listens what happened; a listener that fails harms nobody."""
        try:
            self.listener(event)
        except Exception as error:  # listeners decorate: whatever they raise, what is paid for goes on
            self.log.debug("Nobody heard that it was %s: %s: %s", event.what, type(error).__name__, error)


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """All that several requests of one caller have in common."""

    client: TogetherClient
    storage: Storage
    run: RunInfo
    policy: Policy = field(default_factory=Policy)
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    share: str | None = None
    """The name that stands for the run where several runs share what has no seed: a batch that is run again."""
    budget: Budget | None = None
    """What may be spent, where that is limited."""
    batched: bool = False
    """Whether requests go into a provider's batch, in which those to some models cost less."""
    in_scope: str | None = None
    """The scope of an earlier attempt that is gone on with, whoever asked then."""

    def of(self, request: Request) -> GenerationContext:
        """Return the context of one request."""
        common = {name: getattr(self, name) for name in _COMMON}
        return GenerationContext(request=request, **common)


_COMMON = tuple(one.name for one in fields(RunContext))


@dataclass(frozen=True, kw_only=True)
class GenerationContext(RunContext):
    """What one generation is made with."""

    request: Request

    @cached_property
    def spec(self) -> AnySpec:
        """The request's type.

        Raises:
            InvalidRequest: This release does not know it.
        """
        return spec_of(self.request)

    def scope(self) -> str:
        """Return who may share the result: everybody, this run, or this call alone.

        A request with a seed is reproducible, so it is made once. One without a seed means "a fresh one": once per run,
        so that retries of the run never pay again and the next run does. Some types are always made once, see ``reuse`` of
        their ``GenerationSpec``.
        """
        if self.in_scope is not None:
            return self.in_scope
        if self.reuse == "always" or (self.reuse == "auto" and self.spec.shared(self.request)):
            return ANY
        if self.share is not None and self.reuse != "never":
            return f"batch-{self.share}"
        run = self.run.task_run if self.reuse == "never" else self.run.flow_run or self.run.task_run
        if run is None:
            return f"call-{uuid.uuid4()}"
        return f"call-{run}" if self.reuse == "never" else f"run-{run}"

    @cached_property
    def _given(self) -> dict[str, Any]:
        """What the catalogue judges and prices: tokens are counted for it, and one request is priced several times."""
        return self.request.given()

    @cached_property
    def estimate(self) -> Decimal | None:
        """What the request costs by the catalogue, in USD, or None where no price is known."""
        return self._discounted(catalog.estimate(self.request.model, self._given))

    @cached_property
    def at_most(self) -> Decimal | None:
        """The most that it costs by the catalogue, in USD, or None where no price is known: what is put at risk."""
        return self._discounted(catalog.estimate_at_most(self.request.model, self._given))

    @cached_property
    def repairs_at_most(self) -> list[Decimal | None]:
        """The most that each request costs by the catalogue that may follow this one because of what is answered, in USD.

        They go out one by one, whatever this one goes out in.
        """
        repairs = self.spec.repairs(self.request) if self.spec.repairs else ()
        return [catalog.estimate_at_most(self.request.model, fields) for fields in repairs]

    @property
    def discount(self) -> Decimal:
        """The part of the list price that is taken off, because the request goes into a provider's batch."""
        return catalog.batch_discount(self.request.model) if self.batched else Decimal(0)

    def _discounted(self, usd: Decimal | None) -> Decimal | None:
        return None if usd is None else usd * (1 - self.discount)

    def check(self) -> None:
        """Say what cannot be sent, or the model will not take, before anything is claimed or sent.

        Raises:
            InvalidRequest: The request is of no type that this release knows, or a documented rule is broken, and the
                policy says that this is an error.
        """
        spec_of(self.request)
        for finding in self.findings():
            self.run.log.warning("%s", finding)

    def advise(self, error: Exception) -> None:
        """Say what to do where nobody serves the model: another that is spelled alike, or an own endpoint."""
        if not isinstance(error, APIError) or error.code != "model_not_available":
            return
        model, what = self.request.model, self.spec.dedicated
        if what:
            how = "start a dedicated endpoint with one, and give the endpoint's name as model"
            error.advice = f"Together serves no model for {what} to all: {how}."
        elif catalog.find(model) is None and (near := looks_like(model, self.request.kind)):
            error.advice = f"Did you mean {near.id}? Else choose another model, or start a dedicated endpoint for this one."

    def findings(self) -> list[str]:
        """Return what the catalogue warns of.

        Raises:
            InvalidRequest: It is to go into a batch at Together and is of a type that none takes; or a documented rule is
                broken, and the policy says that this is an error.
        """
        if self.batched:
            self.batch_protocol()
        return [] if self.policy.preflight == "off" else findings_of(self.request, self._given, self.policy)

    def batch_protocol(self) -> BatchProtocol:
        """Return how the request goes into a batch at Together.

        Raises:
            InvalidRequest: None takes its type, or this one of it.
        """
        protocol = self.spec.batch
        refusal = "" if protocol is None else protocol.refusal and protocol.refusal(self.request)
        if protocol is None or refusal:
            what = f"{type(self.request).__name__} cannot go into batches at Together"
            raise InvalidRequest(f'{what}{f", {refusal}" if refusal else ""}: send it with via="requests".')
        return protocol


def findings_of(request: Request, given: Mapping[str, Any], policy: Policy) -> list[str]:
    """Return what the catalogue warns of in a request.

    Args:
        request: What is asked.
        given: What the request itself calls ``given``.
        policy: What a documented rule that is broken leads to.

    Raises:
        InvalidRequest: One is broken, and the policy says that this is an error; or no release knows the request's type.
    """
    found = catalog.preflight(request.model, given)
    if spec_of(request).dedicated:  # what the catalogue knows is what a model does where it is served to all
        found = [finding for finding in found if finding.field == "model"]
    errors = [finding.message for finding in found if finding.severity == "error"]
    if errors and policy.preflight == "error":
        raise InvalidRequest(errors[0])
    return [finding.message for finding in found]
