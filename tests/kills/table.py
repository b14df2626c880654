"""What happens when a process is killed: every point, kind, rule and way to start again, with its price. Runs nothing.

The tests are parametrised over ``ROWS``, and the documentation is generated from it; nothing of Prefect is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "inline", "video"]
Restart = Literal["seeded", "unseeded", "retry", "reconcile"]
Rule = Literal["auto", "fail", "resubmit"]
Outcome = Literal["stored", "UnknownOutcome", "undecided"]

KINDS: dict[Kind, str] = {
    "image": "a picture of $0.03, fetched from its link",
    "inline": "a picture of $0.03 that comes inside the answer",
    "video": "a clip of $0.30",
}
"""What is asked for; by default one accident may cost up to $0.10."""

RESTARTS: dict[Restart, str] = {
    "seeded": "a new run of a request with a seed",
    "unseeded": "a new run of a request without a seed",
    "retry": "a retry of the same flow run, without a seed",
    "reconcile": "no run at all: reconcile, which knows nothing but the library",
}

POINTS: dict[str, str] = {
    "before-claim": "before the claim",
    "after-claim": "after the claim and before the POST",
    "during-post": "during the POST, when it is charged",
    "after-answer": "after the answer and before it is recorded",
    "after-accepted": "after the answer is recorded",
    "polling": "while polling",
    "downloading": "during the download",
    "after-file": "after the file is kept and before that is recorded",
    "after-record": "after it is recorded",
    "before-adopting": "when a new run is about to take over what the killed one left",
    "adopting": "in the middle of that, with the left one marked as taken",
    "adopting-claimed": "in the middle of that, with the new claim made",
    "adopted": "after that",
}
"""Where a process is killed, in the order of a generation's life."""


@dataclass(frozen=True)
class Row:
    """One way to break it, and what comes of it."""

    id: str
    point: str
    """Where the first run is killed: a key of ``POINTS``."""
    kind: Kind
    restart: Restart
    """How it is started again."""
    on_unknown: Rule
    charges: int
    """How often it was paid for in the end, first run included."""
    outcome: Outcome
    """What the last run, and every further one of the same request, comes to; ``undecided`` is reconcile's word."""
    promise: str
    then: str | None = None
    """Where a second run is killed as well, before the last one."""


_NOTHING_SENT = "Nothing was sent yet: the next run sends it, and that is the only charge."
_FORGIVEN = "Nobody can know whether it was charged; one accident of $0.03 is forgiven: it is sent again."
_TOO_DEAR = "Nobody can know whether it was charged, and $0.30 are not risked: nothing is sent until somebody decides."
_FAIL = 'Nobody can know whether it was charged, and on_unknown="fail" risks nothing: nothing is sent.'
_RESUBMIT = 'Nobody can know whether it was charged; somebody decided by on_unknown="resubmit": it is sent again.'
_FETCHED = "It is paid for and the answer is on record: the next run fetches it and pays nothing."
_JOB = "The job is on record: the next run goes on waiting for it and pays nothing."
_REUSED = "It is kept and on record: the next run takes it from the library."
_FRESH = (
    "It is kept and on record for the run that made it; a new run without a seed asks for a fresh one and pays for that."
)
_RECONCILED = "Reconcile finds it in the ledger, fetches it and pays nothing."
_LISTED = "Nobody can know whether it was charged: reconcile lists it for a decision and sends nothing."
_TAKEN_OVER = "A run that dies while it takes over a paid job loses nothing: the one after it takes it over."


def _across(
    point: str,
    kind: Kind,
    charges: int,
    outcome: Outcome,
    promise: str,
    *,
    on_unknown: Rule = "auto",
    restarts: tuple[Restart, ...] = ("seeded", "unseeded", "retry"),
    then: str | None = None,
) -> list[Row]:
    """Return the rows of one promise that holds however it is started again."""
    rows: list[Row] = []
    for restart in restarts:
        parts = [point, *([then] if then else []), kind, restart, *([on_unknown] if on_unknown != "auto" else [])]
        rows.append(Row("-".join(parts), point, kind, restart, on_unknown, charges, outcome, promise, then))
    return rows


ROWS: tuple[Row, ...] = (
    # Nothing is sent before the claim is made.
    *_across("before-claim", "image", 1, "stored", _NOTHING_SENT),
    *_across("before-claim", "video", 1, "stored", _NOTHING_SENT),
    # From the claim to the record of the answer, nobody can know. Here, nothing had been charged yet ...
    *_across("after-claim", "image", 1, "stored", _FORGIVEN),
    *_across("after-claim", "image", 0, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("after-claim", "image", 1, "stored", _RESUBMIT, on_unknown="resubmit"),
    *_across("after-claim", "video", 0, "UnknownOutcome", _TOO_DEAR),
    *_across("after-claim", "video", 0, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("after-claim", "video", 1, "stored", _RESUBMIT, on_unknown="resubmit"),
    # ... here it had been.
    *_across("during-post", "image", 2, "stored", _FORGIVEN),
    *_across("during-post", "image", 1, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("during-post", "image", 2, "stored", _RESUBMIT, on_unknown="resubmit"),
    *_across("during-post", "video", 1, "UnknownOutcome", _TOO_DEAR),
    *_across("during-post", "video", 1, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("during-post", "video", 2, "stored", _RESUBMIT, on_unknown="resubmit"),
    *_across("after-answer", "image", 2, "stored", _FORGIVEN),
    *_across("after-answer", "image", 1, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("after-answer", "image", 2, "stored", _RESUBMIT, on_unknown="resubmit"),
    *_across("after-answer", "video", 1, "UnknownOutcome", _TOO_DEAR),
    *_across("after-answer", "video", 1, "UnknownOutcome", _FAIL, on_unknown="fail"),
    *_across("after-answer", "video", 2, "stored", _RESUBMIT, on_unknown="resubmit"),
    # A second accident in a row is not forgiven.
    *_across(
        "during-post",
        "image",
        2,
        "UnknownOutcome",
        "One accident of $0.03 is forgiven and a second in a row is not: a machine that keeps dying pays twice at most.",
        restarts=("seeded", "retry"),
        then="during-post",
    ),
    *_across(
        "during-post",
        "image",
        3,
        "stored",
        "Each new run without a seed asks for a picture of its own: three runs pay three times at most, accidents included.",
        restarts=("unseeded",),
        then="during-post",
    ),
    # From the record of the answer on, nothing is paid again, whatever the rule.
    *_across("after-accepted", "image", 1, "stored", _FETCHED),
    *_across("after-accepted", "image", 1, "stored", _FETCHED, on_unknown="fail"),
    *_across("after-accepted", "video", 1, "stored", _JOB),
    *_across("after-accepted", "video", 1, "stored", _JOB, on_unknown="fail"),
    *_across("polling", "video", 1, "stored", _JOB),
    *_across("polling", "video", 1, "stored", _JOB, on_unknown="resubmit"),
    *_across("downloading", "image", 1, "stored", _FETCHED),
    *_across("downloading", "video", 1, "stored", _FETCHED),
    *_across("after-file", "image", 1, "stored", _FETCHED),
    *_across("after-file", "video", 1, "stored", _FETCHED),
    *_across("after-record", "image", 1, "stored", _REUSED, restarts=("seeded", "retry")),
    *_across("after-record", "video", 1, "stored", _REUSED, restarts=("seeded", "retry")),
    *_across("after-record", "image", 2, "stored", _FRESH, restarts=("unseeded",)),
    *_across("after-record", "video", 2, "stored", _FRESH, restarts=("unseeded",)),
    # A picture that comes inside the answer has no link to fetch it by: it is on record when it is kept.
    *_across("after-file", "inline", 2, "stored", _FORGIVEN),
    *_across("after-record", "inline", 1, "stored", _REUSED, restarts=("seeded", "retry")),
    # Reconcile needs no run.
    *_across("after-claim", "image", 0, "undecided", _LISTED, restarts=("reconcile",)),
    *_across("during-post", "image", 1, "undecided", _LISTED, restarts=("reconcile",)),
    *_across("during-post", "video", 1, "undecided", _LISTED, restarts=("reconcile",)),
    *_across("after-answer", "video", 1, "undecided", _LISTED, restarts=("reconcile",)),
    *_across("after-accepted", "image", 1, "stored", _RECONCILED, restarts=("reconcile",)),
    *_across("polling", "video", 1, "stored", _RECONCILED, restarts=("reconcile",)),
    *_across("downloading", "image", 1, "stored", _RECONCILED, restarts=("reconcile",)),
    *_across("downloading", "video", 1, "stored", _RECONCILED, restarts=("reconcile",)),
    *_across("after-file", "video", 1, "stored", _RECONCILED, restarts=("reconcile",)),
    # A new run that takes over what a killed one left may be killed as well.
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="before-adopting"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="adopting"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="adopting-claimed"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="adopted"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="downloading"),
    *_across("downloading", "image", 1, "stored", _TAKEN_OVER, restarts=("unseeded",), then="adopting"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("reconcile",), then="adopting"),
    *_across("polling", "video", 1, "stored", _TAKEN_OVER, restarts=("reconcile",), then="adopting-claimed"),
)
"""Every row is a test."""
