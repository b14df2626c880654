"""The switchboard: which fault strikes which route next, and with what; strikes nobody itself.

    sandbox.fault("POST /v1/images/generations", "accept_then_close", times=2)
    sandbox.fault("POST /v2/videos", "429", hint="retry-after", wait=2)
    sandbox.fault("GET file", "truncated", match="the second prompt")

A fault strikes the next `times` requests to its route (those whose prompt or model contains `match`, if given), in the
order the faults were given; then everything is normal again. A refused request (a 400, say) uses up no fault. Nothing
that was accepted goes uncounted: a POST that is accepted and then cut is a charge.

Without `times` a fault strikes once; `queued_forever` on polls and a `redirect` that loops strike until they are
cleared.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

IMAGES = "POST /v1/images/generations"
VIDEOS = "POST /v2/videos"
POLL = "GET /v2/videos"
FILE = "GET file"
MODELS = "GET /v1/models"
WHOAMI = "GET /v3/whoami"

HINTS = ("none", "retry-after", "retry-after-date", "retry-after-ms", "x-ratelimit-reset")
FOREVER = 1_000_000_000
ERRORS = frozenset(str(status) for status in range(400, 600))

_API = frozenset({IMAGES, VIDEOS, POLL, MODELS, WHOAMI})
_JOB = frozenset({VIDEOS, POLL})
_FILE = frozenset({FILE})


@dataclass(frozen=True)
class _Kind:
    """Where a fault can strike and what it can be told."""

    routes: frozenset[str]
    options: Mapping[str, Any]
    """Option names with their defaults."""


KINDS: dict[str, _Kind] = {
    # Anything at the API. On a GET there is nothing to accept.
    "close_before_accepting": _Kind(_API, {"reset": False}),
    "accept_then_close": _Kind(_API, {"reset": False}),
    "accept_then_delay": _Kind(_API, {"seconds": 5.0}),
    "html": _Kind(_API, {"charged": True}),
    "invalid_json": _Kind(_API, {"charged": True}),
    "edge_block": _Kind(_API, {}),
    # Jobs: on the POST for the whole life of the job it makes, on the GET for so many polls.
    "queued_forever": _Kind(_JOB, {}),
    "unknown_status": _Kind(_JOB, {}),
    "no_status": _Kind(_JOB, {}),
    "failed": _Kind(_JOB, {}),
    "cancelled": _Kind(_JOB, {}),
    "completed_without_url": _Kind(_JOB, {}),
    "cost": _Kind(_JOB, {"value": "missing"}),
    "unix_timestamps": _Kind(_JOB, {}),
    "not_found": _Kind(frozenset({POLL}), {}),
    # Files.
    "truncated": _Kind(_FILE, {}),
    "truncated_silently": _Kind(_FILE, {}),
    "wrong_kind": _Kind(_FILE, {}),
    "expired": _Kind(_FILE, {}),
    "redirect": _Kind(_FILE, {"location": "loop"}),
    "slow": _Kind(_FILE, {"seconds": 5.0}),
    "huge": _Kind(_FILE, {"bytes": 1_000_000_000}),
    "sleep": _Kind(_API | _FILE, {"seconds": 5.0}),
}
_STATUS = _Kind(_API | _FILE, {"hint": None, "wait": 1.0, "charged": False, "code": None})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, ready to strike."""

    route: str
    name: str
    match: str | None
    options: Mapping[str, Any]

    @property
    def status(self) -> int | None:
        """The HTTP status, for a fault that is named by one."""
        return int(self.name) if self.name.isdecimal() else None


@dataclass
class _Pending:
    fault: Fault
    left: int


class Switchboard:
    """Holds the faults that are still to strike; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []

    def add(self, route: str, fault: str, *, times: int | None, match: str | None, options: Mapping[str, Any]) -> None:
        """Queue a fault; raise ValueError, with the words that would be right, for one that does not exist."""
        kind = KINDS.get(fault)
        if kind is None and fault in ERRORS:
            kind = _STATUS
        if kind is None:
            raise ValueError(f"No fault is called {fault!r}. There are: a status such as '429', {', '.join(KINDS)}.")
        if route not in kind.routes:
            raise ValueError(f"{fault!r} cannot strike {route!r}, only: {', '.join(sorted(kind.routes))}.")
        for name in options:
            if name not in kind.options:
                raise ValueError(f"{fault!r} takes no {name!r}, only: {', '.join(['times', 'match', *kind.options])}.")
        if options.get("hint") not in (None, *HINTS):
            raise ValueError(f"A hint is one of: {', '.join(HINTS)}.")
        if times is not None and times < 1:
            raise ValueError("times must be at least 1.")
        loop = fault == "redirect" and options.get("location", "loop") == "loop"
        left = times or (FOREVER if loop or (fault == "queued_forever" and route == POLL) else 1)
        ready = Fault(route=route, name=fault, match=match, options={**kind.options, **options})
        with self._lock:
            self._pending.append(_Pending(ready, left))

    def take(
        self, route: str, text: str, *, names: frozenset[str] | None = None, without: frozenset[str] = frozenset()
    ) -> Fault | None:
        """Return the fault that strikes this request, if any, and count it.

        Args:
            route: One of the constants above.
            text: What `match` is looked for in: prompt and model.
            names: Take the route's next fault only if it is one of these.
            without: Leave the route's next fault alone if it is one of these.
        """
        with self._lock:
            for pending in self._pending:
                fault = pending.fault
                if fault.route != route or (fault.match is not None and fault.match not in text):
                    continue
                if (names is not None and fault.name not in names) or fault.name in without:
                    return None
                pending.left -= 1
                if not pending.left:
                    self._pending.remove(pending)
                return fault
        return None

    def pending(self) -> list[dict[str, Any]]:
        """Return what is still to strike, as JSON values."""
        with self._lock:
            return [{**asdict(pending.fault), "left": pending.left} for pending in self._pending]

    def clear(self) -> None:
        """Make everything normal."""
        with self._lock:
            self._pending.clear()
