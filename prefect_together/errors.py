"""Every error this package raises on purpose; it neither sends, reads nor retries anything.

The tree::

    TogetherError                 .retryable, .paid ("nothing" | "maybe" | "yes" | None), .advice
    ├── InvalidRequest            what was asked cannot be sent (also a ValueError)
    ├── ConfigurationError        no key, an unsafe address, a missing extra, an unknown option
    ├── APIError                  Together answered with an error: .status, .code, .request_id
    │   ├── BadRequest            400, 404, 413 …: a parameter, a model, a path
    │   ├── AuthenticationError   401
    │   ├── InsufficientBalance   402
    │   ├── PermissionDenied      403
    │   │   └── DataSharingBlocked    403 third_party_data_sharing_blocked
    │   ├── ContentPolicyError    422, or a provider's moderation
    │   ├── RateLimited           429 or 503 for longer than we are willing to wait
    │   └── ServerError           5xx on a request that costs nothing
    ├── ConnectionFailed          Together could not be reached; nothing was sent
    ├── BudgetExceeded            it would cost more than may be spent; nothing was sent
    ├── BatchFailed               a batch went as ``fail_on`` says that it must not: .result
    ├── UnknownOutcome            a paid request was sent and no answer came: it may have been charged
    ├── GenerationFailed          the job was accepted, then failed or was cancelled: .job_id, .code
    ├── GenerationTimeout         the job still runs; it carries the job, and a later run goes on waiting
    ├── InvalidOutput             an answer was paid for and is not what was asked for: .result
    │   └── ReasoningExhausted    all of its tokens went into thinking
    ├── MediaError                a file that was paid for could not be fetched, or is not what it should be
    └── LibraryError              the media library (or its ledger) could not be read or written

``retryable`` is set on each instance and is what the tasks' ``retry_condition_fn`` reads: it is true only where trying
again cannot pay again. Every error pickles: the message is the only positional argument, the rest lives in attributes.
"""

from __future__ import annotations

import os
import traceback
from decimal import Decimal
from importlib import import_module
from types import FrameType
from typing import Any, ClassVar, Literal

Paid = Literal["nothing", "maybe", "yes"]
TRACEBACKS = "TOGETHER_TRACEBACKS"
"""The environment variable that asks for whole tracebacks."""
_BETWEEN = {"prefect", "prefect_together", "anyio", "asyncio", "concurrent", "contextlib", "threading", "runpy", "IPython"}
"""Packages whose frames lie between a user's code and an error: what called it, and what it calls."""

_PAID_SENTENCE: dict[Paid, str] = {
    "nothing": "Nothing was paid.",
    "maybe": "It may have been charged.",
    "yes": "It was paid for once and is not paid for again.",
}


class TogetherError(Exception):
    """What happened, what was paid for it, and what to do next.

    Args:
        what: What happened, as one sentence.
        paid: Whether money may have been spent by the request that failed; None, and no word of it, where it is not known.
        advice: What to do next, as one sentence.
        retryable: Whether trying again can succeed without paying again.
    """

    _paid_by_default: ClassVar[Paid | None] = None
    """What every error of the class knows by what it is."""
    _tells_money: ClassVar[bool] = True
    """Whether the text says what was paid."""
    money: str = ""  # what was paid, where the sentence for ``paid`` would not be true

    def __init__(self, what: str, *, paid: Paid | None = None, advice: str = "", retryable: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.paid: Paid | None = paid or self._paid_by_default
        self.advice = advice
        self.retryable = retryable

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self._paid_sentence(), self.advice) if part)

    def without_money(self) -> str:
        """Return what happened and what to do, for texts that say themselves what was paid."""
        return " ".join(part for part in (self.what, self.advice) if part)

    def _paid_sentence(self) -> str:
        return self.money or (_PAID_SENTENCE[self.paid] if self.paid and self._tells_money else "")

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: IPython asks for it by this name."""
        return traceback_of(self).splitlines()


def traceback_of(error: BaseException) -> str:
    """Return a traceback with the lines of the user's own code alone, where the error is ours; whole where asked for."""
    if not isinstance(error, TogetherError) or os.environ.get(TRACEBACKS):
        return "".join(traceback.format_exception(error))
    own = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_the_users(frame)]
    head = ["Traceback (most recent call last):\n"] if own else []
    last = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
    return "".join([*head, *traceback.StackSummary.extract(iter(own)).format(), last])


def _is_the_users(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] not in _BETWEEN


class InvalidRequest(TogetherError, ValueError):
    """What was asked cannot be sent: which field, which value, what is allowed. Raised before anything is sent."""

    _paid_by_default = "nothing"
    _tells_money = False  # one clear sentence is what a person who mistyped a field wants to read


class ConfigurationError(TogetherError, ValueError):
    """Something around the request is missing or unsafe: a key, an address, an extra. Raised before anything is sent."""

    _paid_by_default = "nothing"
    _tells_money = False


class APIError(TogetherError):
    """Together answered with an error.

    Args:
        what: What happened, as one sentence.
        paid: Whether money may have been spent; by default ``"nothing"``, as refusals are free.
        advice: What to do next.
        retryable: Whether trying again can succeed without paying again.
        status: The HTTP status.
        code: Together's ``error.code`` or ``error.type``, as the server wrote it.
        request_id: What Together's support asks for.
        retry_after: Seconds the server asked us to wait, if it did.
    """

    _paid_by_default = "nothing"

    def __init__(
        self,
        what: str,
        *,
        paid: Paid | None = None,
        advice: str = "",
        retryable: bool = False,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequest(APIError):
    """Together refused the request: a parameter, a model or a path. Refusals are free."""


class AuthenticationError(APIError):
    """Together does not know this key (401)."""


class InsufficientBalance(APIError):
    """The account has no credit left, or reached its spending limit (402)."""


class PermissionDenied(APIError):
    """Together, or the network in front of it, forbids this request (403)."""


class DataSharingBlocked(PermissionDenied):
    """The model is hosted by a partner and the organisation has not allowed sharing data with partners (403)."""


class ContentPolicyError(APIError):
    """A safety checker refused the prompt or the picture (422, or a provider's moderation)."""


class RateLimited(APIError):
    """Together was too busy (429 or 503) for longer than we are willing to wait. Nothing was accepted."""


class ServerError(APIError):
    """Together answered a request that costs nothing with a 5xx."""


class ConnectionFailed(TogetherError, ConnectionError):
    """Together could not be reached: no connection was opened, so nothing was sent."""

    _paid_by_default = "nothing"


class BudgetExceeded(TogetherError):
    """It would cost more than ``max_cost`` or a ``SpendLimit`` leaves, so it was not sent."""

    _paid_by_default = "nothing"


class UnknownOutcome(TogetherError):
    """A paid request was sent and no usable answer came back, so it may have been charged.

    Args:
        what: What happened, as one sentence.
        paid: ``"maybe"``, always.
        advice: What to do next.
        retryable: False, always.
        key: The ledger key of the attempt, for ``prefect-together reconcile``.
        at_risk: What it may have cost in USD by the catalogue, or None where the price is unknown.
        received: The text that had come of an answer before it broke off; it is in the ledger too.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid = "maybe",
        advice: str = "",
        retryable: bool = False,
        key: str | None = None,
        at_risk: Decimal | None = None,
        received: str = "",
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.key = key
        self.at_risk = at_risk
        self.received = received


class GenerationFailed(TogetherError):
    """The job was accepted and then failed or was cancelled. Whether Together bills failed jobs is not documented.

    Args:
        what: What happened, as one sentence.
        paid: ``"maybe"`` unless Together reported a cost.
        advice: What to do next.
        retryable: False, always.
        job_id: Together's id of the job.
        status: ``failed`` or ``cancelled``.
        code: Together's error code, such as ``unsupportedParameter``.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid = "maybe",
        advice: str = "",
        retryable: bool = False,
        job_id: str | None = None,
        status: str = "failed",
        code: str | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.job_id = job_id
        self.status = status
        self.code = code


class MediaError(TogetherError):
    """A file that was paid for could not be fetched, is cut off, is of the wrong kind, or has changed since.

    Args:
        what: What happened, as one sentence.
        paid: ``"yes"`` where the file is of a generation that was accepted.
        advice: What to do next.
        retryable: Whether fetching it again can help.
        status: The HTTP status of the file's host, where that is the reason.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid | None = None,
        advice: str = "",
        retryable: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.status = status


class LibraryError(TogetherError):
    """The media library, or the ledger in it, could not be read or written."""


# These carry a value of a part above this one, and live beside it; they are errors like all others, and found here too.
_BESIDE_THEIR_VALUES = {
    "BatchFailed": "prefect_together.batch.results",
    "GenerationTimeout": "prefect_together.generations.results",
    "InvalidOutput": "prefect_together.generations.generated_text",
    "ReasoningExhausted": "prefect_together.generations.generated_text",
}


def __getattr__(name: str) -> Any:
    if name not in _BESIDE_THEIR_VALUES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_BESIDE_THEIR_VALUES[name]), name)
