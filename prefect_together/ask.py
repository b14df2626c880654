"""One question put to Together: the request, where it goes, where results are kept, by which rules. Does nothing itself."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from prefect_together import catalog
from prefect_together.budget import Purse
from prefect_together.errors import InvalidRequest
from prefect_together.happenings import Happening, Tell, nobody
from prefect_together.ledger import ANY
from prefect_together.requests import Request

if TYPE_CHECKING:
    from prefect_together.client import TogetherClient
    from prefect_together.storage import Storage

Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"
"""Prefect's run logger, or a plain one outside of runs."""

Reuse = Literal["auto", "always", "run", "never"]
"""Whose result may be taken: ``auto`` is ``always`` for requests with a seed, else ``run``."""

OnUnknown = Literal["auto", "fail", "resubmit"]
"""What to do when a paid request was sent and nobody knows the outcome."""

Preflight = Literal["error", "warn", "off"]
"""What a documented rule that a request breaks leads to."""

ProvenanceChoice = Literal["none", "sidecar", "embed"]
"""How files say what made them: not at all, in a JSON file beside them, or in XMP inside them, which changes their bytes."""


@dataclass(frozen=True)
class Pace:
    """Seconds between polls: they grow from the first to the longest."""

    first: float = 2.0
    longest: float = 15.0

    def pauses(self) -> Iterator[float]:
        """Yield pauses without end, jittered so that many waiters do not ask together."""
        pause = self.first
        while True:
            yield pause * random.uniform(0.85, 1.15)  # noqa: S311 - not a secret
            pause = min(self.longest, pause * 1.3)


@dataclass(frozen=True)
class Rules:
    """What is allowed, as the settings say."""

    resubmit_below: Decimal = Decimal("0.10")
    """USD: the most that one accident may cost under ``on_unknown="auto"``."""
    max_download_bytes: int = 4 * 1024**3
    """The largest file that is taken."""
    preflight: Preflight = "error"
    """What a documented rule that a request breaks leads to."""
    provenance: ProvenanceChoice = "none"
    """How files say what made them."""
    pace: Pace = field(default_factory=Pace)
    """How often a job is asked for."""


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
