"""The switchboard: which fault strikes which route next, and with what; strikes nobody itself.

    sandbox.fault("POST /v1/images/generations", "accept_then_close", times=2)
    sandbox.fault("POST /v2/videos", "429", hint="retry-after", wait=2)
    sandbox.fault("GET file", "truncated", match="the second prompt")

A fault strikes the next `times` requests to its route (those whose prompt or model contains `match`, if given), in the
order the faults were given; then everything is normal again. With `every=2` it strikes every second of them, the first
included, so that a server can be seen to waver. A refused request (a 400, say) uses up no fault. Nothing
that was accepted goes uncounted: a POST that is accepted and then cut is a charge.

Uploads are matched by file name and purpose; batches by the input file's name and id and the model of its first line. A
fault of `POST /v1/batches` stays with the batch that it strikes. An error status given for the endpoint to which the lines
of batches go strikes one line, matched by its custom_id and body: it is a line of the error file then. A spoiled answer
(`json_cut`, `no_usage`, `no_duration`, ...) strikes a line as it strikes a call. Speech is matched by text, voice and model,
what is heard by the recording's name or address and the model.

Without `times` a fault strikes once; `queued_forever` on polls and a `redirect` that loops strike until they are
cleared.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Flag, auto
from typing import Any

FILE = "GET file"
"""The route of every hosted file."""
SEND = "PUT file"
"""The route to which the bytes of an announced file are sent; all others are those of the endpoints."""
CONTENT_FAULTS = frozenset({"truncated", "truncated_silently"})
"""What can happen to an uploaded file's bytes as to a hosted file's."""

HINTS = ("none", "retry-after", "retry-after-date", "retry-after-ms", "x-ratelimit-reset")
FOREVER = 1_000_000_000
ERRORS = frozenset(str(status) for status in range(400, 600))


class Place(Flag):
    """Where a fault can strike; a route is one or more of these."""

    CALL = auto()
    """Any request to the API."""
    JOB = auto()
    """What makes a job, for the whole life of that job, or what tells of one, for so many answers."""
    POLL = auto()
    """What tells of a job."""
    FILE = auto()
    """A hosted file."""
    BATCH = auto()
    """What makes a batch, for the whole life of that batch."""
    CONTENT = auto()
    """What gives the bytes of an uploaded file, or of one that a batch wrote."""
    CHAT = auto()
    """An answer in words."""
    SPEECH = auto()
    """An answer in sound."""
    TRANSCRIPT = auto()
    """What was heard in a recording."""


@dataclass(frozen=True)
class _Kind:
    """Where a fault can strike and what it can be told."""

    places: Place
    options: Mapping[str, Any]
    """Option names with their defaults."""


KINDS: dict[str, _Kind] = {
    # Anything at the API. On a GET there is nothing to accept.
    "close_before_accepting": _Kind(Place.CALL, {"reset": False}),
    "accept_then_close": _Kind(Place.CALL, {"reset": False}),
    "accept_then_delay": _Kind(Place.CALL, {"seconds": 5.0}),
    "html": _Kind(Place.CALL, {"charged": True}),
    "invalid_json": _Kind(Place.CALL, {"charged": True}),
    "edge_block": _Kind(Place.CALL, {}),
    "answer_cut": _Kind(Place.CALL, {}),
    # Jobs.
    "queued_forever": _Kind(Place.JOB, {}),
    "unknown_status": _Kind(Place.JOB, {}),
    "no_status": _Kind(Place.JOB, {}),
    "failed": _Kind(Place.JOB | Place.BATCH, {}),
    "cancelled": _Kind(Place.JOB | Place.BATCH, {}),
    "completed_without_url": _Kind(Place.JOB, {}),
    "cost": _Kind(Place.JOB, {"value": "missing"}),
    "unix_timestamps": _Kind(Place.JOB, {}),
    "not_found": _Kind(Place.POLL, {}),
    # Answers in words.
    "stream_cut": _Kind(Place.CHAT | Place.SPEECH, {}),
    "stream_error": _Kind(Place.CHAT | Place.SPEECH, {}),
    "thought_only": _Kind(Place.CHAT, {}),
    "json_cut": _Kind(Place.CHAT, {}),
    "json_fenced": _Kind(Place.CHAT, {}),
    "json_wrong": _Kind(Place.CHAT, {}),
    "no_usage": _Kind(Place.CHAT, {}),
    # Sound: a WAV whose header states a length of 4 GB or 0, and events of a stream as the SDK declares them.
    "lying_header": _Kind(Place.SPEECH, {"value": 0xFFFFFFFF}),
    "declared_chunks": _Kind(Place.SPEECH, {}),
    # Transcripts: without the lists that were asked for, and without the length of the recording.
    "null_segments": _Kind(Place.TRANSCRIPT, {}),
    "no_duration": _Kind(Place.TRANSCRIPT, {}),
    # Batches: failed at a malformed line; cancelled or expired when half of the lines are answered.
    "errors_only": _Kind(Place.BATCH, {}),
    "stuck_validating": _Kind(Place.BATCH, {"seconds": 3600.0}),
    "progress_backwards": _Kind(Place.BATCH, {}),
    "late_output": _Kind(Place.BATCH, {"seconds": 3.0}),
    "duplicate_ids": _Kind(Place.BATCH, {}),
    "missing_ids": _Kind(Place.BATCH, {}),
    "empty": _Kind(Place.CONTENT | Place.SPEECH, {}),
    # Files.
    "truncated": _Kind(Place.FILE | Place.CONTENT, {}),
    "truncated_silently": _Kind(Place.FILE | Place.CONTENT | Place.SPEECH, {}),
    "wrong_kind": _Kind(Place.FILE, {}),
    "expired": _Kind(Place.FILE | Place.BATCH, {}),
    "redirect": _Kind(Place.FILE, {"location": "loop"}),
    "slow": _Kind(Place.FILE | Place.CHAT | Place.SPEECH, {"seconds": 5.0}),
    "huge": _Kind(Place.FILE, {"bytes": 1_000_000_000}),
    "sleep": _Kind(Place.CALL | Place.FILE, {"seconds": 5.0}),
}
_STATUS = _Kind(Place.CALL | Place.FILE, {"hint": None, "wait": 1.0, "charged": False, "code": None, "message": None})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, ready to strike."""

    route: str
    name: str
    match: str | None
    options: Mapping[str, Any]
    every: int = 1
    """Of how many requests it strikes the first."""

    @property
    def status(self) -> int | None:
        """The HTTP status, for a fault that is named by one."""
        return int(self.name) if self.name.isdecimal() else None

    @property
    def places(self) -> Place:
        """Where it can strike."""
        return KINDS.get(self.name, _STATUS).places

    @property
    def changes_job(self) -> bool:
        """Whether it changes how a job looks, rather than the answer that tells of it."""
        return Place.JOB in self.places


@dataclass
class _Pending:
    fault: Fault
    left: int
    met: int = 0
    """Requests that it could have struck."""


class Switchboard:
    """Holds the faults that are still to strike; safe to use from any thread.

    Args:
        routes: What can go wrong at each route of the API.
    """

    def __init__(self, routes: Mapping[str, Place]) -> None:
        self._routes = {**routes, FILE: Place.FILE, SEND: Place.CALL}
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []

    def add(
        self,
        route: str,
        fault: str,
        *,
        times: int | None,
        match: str | None,
        options: Mapping[str, Any],
        every: int | None = None,
    ) -> None:
        """Queue a fault; raise ValueError, with the words that would be right, for one that does not exist."""
        kind = KINDS.get(fault)
        if kind is None and fault in ERRORS:
            kind = _STATUS
        if kind is None:
            raise ValueError(f"No fault is called {fault!r}. There are: a status such as '429', {', '.join(KINDS)}.")
        possible = sorted(name for name, places in self._routes.items() if places & kind.places)
        if route not in possible:
            raise ValueError(f"{fault!r} cannot strike {route!r}, only: {', '.join(possible)}.")
        for name in options:
            if name not in kind.options:
                raise ValueError(
                    f"{fault!r} takes no {name!r}, only: {', '.join(['times', 'match', 'every', *kind.options])}."
                )
        if options.get("hint") not in (None, *HINTS):
            raise ValueError(f"A hint is one of: {', '.join(HINTS)}.")
        if min(1 if times is None else times, 1 if every is None else every) < 1:
            raise ValueError("times and every must be at least 1.")
        loop = fault == "redirect" and options.get("location", "loop") == "loop"
        polls = fault == "queued_forever" and Place.POLL in self._routes[route]
        left = times or (FOREVER if loop or polls else 1)
        ready = Fault(route=route, name=fault, match=match, options={**kind.options, **options}, every=every or 1)
        with self._lock:
            self._pending.append(_Pending(ready, left))

    def take(
        self, route: str, text: str, *, names: frozenset[str] | None = None, without: frozenset[str] = frozenset()
    ) -> Fault | None:
        """Return the fault that strikes this request, if any, and count it.

        Args:
            route: The endpoint's route, or `FILE`.
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
                pending.met += 1
                if (pending.met - 1) % fault.every:
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
