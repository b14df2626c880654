"""One question put to Together: the request, where it goes, where results are kept, by which rules. Does nothing itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from prefect_together import catalog
from prefect_together._internal.logs import Log
from prefect_together.engine.lifecycle_events import Happening, Tell, nobody
from prefect_together.errors import InvalidRequest
from prefect_together.generations import Request
from prefect_together.generations.policy import OnUnknown, Reuse, Rules
from prefect_together.ledger.budget import Purse
from prefect_together.ledger.ledger import ANY

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient
    from prefect_together.storage.storage import Storage


@dataclass(frozen=True)
class Caller:
    """Who asks: the runs it belongs to, and where to say what happens."""

    log: Log
    flow_run: str | None = None
    """The outermost flow run: its retries and its subflows belong to it."""
    task_run: str | None = None
    tell: Tell = nobody
    """Is told what happens, for those who watch."""


@dataclass(frozen=True)
class Ask:
    """One question put to Together."""

    request: Request
    client: TogetherClient
    storage: Storage
    caller: Caller
    rules: Rules = field(default_factory=Rules)
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    share: str | None = None
    """The name that stands for the run where several runs share what has no seed: a batch that is run again."""
    purse: Purse | None = None
    """What may be spent, where that is limited."""
    in_scope: str | None = None
    """The scope of an earlier attempt that is gone on with, whoever asked then."""

    def scope(self) -> str:
        """Return who may share the result: everybody, this run, or this call alone.

        A request with a seed is reproducible, so it is made once. One without a seed means "a fresh one": once per run,
        so that retries of the run never pay again and the next run does.
        """
        if self.in_scope is not None:
            return self.in_scope
        if self.reuse == "always" or (self.reuse == "auto" and self.request.seeded):
            return ANY
        if self.share is not None and self.reuse != "never":
            return f"batch-{self.share}"
        run = self.caller.task_run if self.reuse == "never" else self.caller.flow_run or self.caller.task_run
        if run is None:
            return f"call-{uuid.uuid4()}"
        return f"call-{run}" if self.reuse == "never" else f"run-{run}"

    def estimate(self) -> Decimal | None:
        """Return what the request costs by the catalogue, in USD, or None where no price is known."""
        return self._estimate

    @cached_property
    def _estimate(self) -> Decimal | None:
        return catalog.estimate(self.request.model, self.request.given())

    def tell(self, happening: Happening) -> None:
        """Tell whoever listens what happened; a listener that fails harms nobody."""
        try:
            self.caller.tell(happening)
        except Exception as error:  # listeners decorate: whatever they raise, what is paid for goes on
            self.caller.log.debug("Nobody heard that it was %s: %s: %s", happening.what, type(error).__name__, error)

    def check(self) -> None:
        """Say what the model will not take, before anything is sent.

        Raises:
            InvalidRequest: A documented rule is broken, and the rules say that this is an error.
        """
        if self.rules.preflight == "off":
            return
        for finding in catalog.preflight(self.request.model, self.request.given()):
            if finding.severity == "error" and self.rules.preflight == "error":
                raise InvalidRequest(finding.message)
            self.caller.log.warning("%s", finding.message)
