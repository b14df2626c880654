"""What was asked, sent, accepted and kept: append-only entries in the library. Decides nothing and sends nothing.

Every entry is one create-only object, so of all who write the same entry, on whatever machine, one wins; that is the only
lock there is. Names alone tell the state, so that a scan reads nothing::

    ledger/7f/7f3a…/<scope>-0001-claimed.json     somebody is about to send it
                            0001-lease.json       … and is still at it, or has given it up (overwritten; see leases)
                            0001-accepted.json    Together took it: a job id, or where the pictures are
                            0001-stored.json      the files are kept: the references
                            0001-failed.json      the job failed
                            0001-refused.json     it was refused, nothing was paid
                            0001-unknown.json     it was sent and nobody knows the outcome
                            0001-lost.json        it was paid for, and its files expired before they were fetched
                            0001-resolved.json    somebody decided what to do about an unknown or lost one
                            0001-adopted.json     another run took over the accepted job

The scope is ``any`` for requests that are reused for ever, else the run or the named batch that wants a fresh one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from prefect_together._internal.json import read, readable
from prefect_together._internal.process import unique_token
from prefect_together.errors import LibraryError
from prefect_together.storage.references import to_addresses, written
from prefect_together.storage.storage import Storage

Event = Literal["claimed", "lease", "accepted", "stored", "failed", "refused", "unknown", "lost", "resolved", "adopted"]
State = Literal["stored", "adopted", "failed", "resolved", "lost", "accepted", "refused", "unknown", "claimed"]

ROOT = "ledger"
ANY = "any"
VERSION = 1

# What an attempt is when it has several entries: the first of these that it has. An answer that came in after others took
# its sender for dead outranks their "unknown"; a decision about something lost outranks its acceptance.
_PRECEDENCE: tuple[State, ...] = ("stored", "adopted", "failed", "lost", "accepted", "refused", "unknown", "claimed")


@dataclass(frozen=True)
class Attempt:
    """One paid request that was sent, or is about to be."""

    fingerprint: str
    scope: str
    number: int
    events: frozenset[str] = frozenset()

    @property
    def state(self) -> State:
        """What became of it."""
        known: tuple[State, ...] = tuple(state for state in _PRECEDENCE if state in self.events)
        state: State = known[0] if known else "claimed"
        return "resolved" if state in {"lost", "unknown", "claimed"} and "resolved" in self.events else state

    @property
    def key(self) -> str:
        """Its name for people and commands."""
        return f"{self.fingerprint}/{self.scope}/{self.number:04d}"

    @property
    def prefix(self) -> str:
        """Where its entries are, up to the event's name."""
        return f"{folder(self.fingerprint)}/{self.scope}-{self.number:04d}"


@dataclass(frozen=True)
class History:
    """All attempts at one request, oldest first within each scope."""

    fingerprint: str
    attempts: tuple[Attempt, ...]

    def within(self, scope: str) -> tuple[Attempt, ...]:
        """Return the attempts of one scope."""
        return tuple(attempt for attempt in self.attempts if attempt.scope == scope)

    def stored(self, scope: str) -> Attempt | None:
        """Return the last attempt that was kept and whose files a scope may have: its own, or for ``ANY`` everybody's."""
        shared = self.attempts if scope == ANY else self.within(scope)
        return next((attempt for attempt in reversed(shared) if attempt.state == "stored"), None)

    def latest(self, *, but: str) -> list[Attempt]:
        """Return the last attempt of every other scope."""
        return list({attempt.scope: attempt for attempt in self.attempts if attempt.scope != but}.values())

    def next(self, scope: str) -> Attempt:
        """Return the attempt that would come next in a scope."""
        numbers = [attempt.number for attempt in self.within(scope)]
        return Attempt(self.fingerprint, scope, max(numbers, default=0) + 1)


class Ledger:
    """The ledger of one library."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def history(self, fingerprint: str) -> History:
        """Return what is known of a request, with one listing and no read."""
        return History(fingerprint, tuple(attempts(await self.storage.names(folder(fingerprint)))))

    async def record(self, attempt: Attempt, event: Event, entry: dict[str, Any]) -> bool:
        """Write an entry; return False if somebody else's was there already.

        An object store that repeats a write whose answer was lost reports our own entry as already there, so a token tells
        ours from theirs; a caller that tries again gives the same one.

        Raises:
            LibraryError: It could not be written.
        """
        if "token" not in entry:
            entry = {"token": new_token(), **entry}
        if await self.storage.create(f"{attempt.prefix}-{event}.json", written(entry, self.storage, encode)):
            return True
        return (await self.entry(attempt, event) or {}).get("token") == entry["token"]

    async def renew(self, attempt: Attempt, entry: dict[str, Any]) -> None:
        """Overwrite the lease of an attempt."""
        await self.storage.write(f"{attempt.prefix}-lease.json", encode(entry))

    async def entry(self, attempt: Attempt, event: Event) -> dict[str, Any] | None:
        """Return an entry, or None where there is none.

        Raises:
            LibraryError: It cannot be read, or is of a newer version than this package understands.
        """
        key = f"{attempt.prefix}-{event}.json"
        try:
            return to_addresses(decode(key, await self.storage.read(key)), self.storage)
        except FileNotFoundError:
            return None


def new_token() -> str:
    """Return what tells one entry from an equal one of somebody else."""
    return unique_token()


def folder(fingerprint: str) -> str:
    """Return where the entries of a request are."""
    return f"{ROOT}/{fingerprint[:2]}/{fingerprint}"


def attempts(names: Iterable[str]) -> Iterator[Attempt]:
    """Read attempts off the names of their entries; what has no such name is none of ours and is passed over."""
    events: dict[tuple[str, str, int], set[str]] = {}
    for name in names:
        parts = name.split("/")
        if len(parts) != 4 or parts[0] != ROOT:
            continue
        scope, *last = parts[3].removesuffix(".json").rsplit("-", 2)
        if scope and len(last) == 2 and last[0].isdecimal():
            events.setdefault((parts[2], scope, int(last[0])), set()).add(last[1])
    for (fingerprint, scope, number), known in sorted(events.items()):
        if known & set(_PRECEDENCE):
            yield Attempt(fingerprint, scope, number, frozenset(known))


def encode(entry: dict[str, Any]) -> bytes:
    """Return an entry as JSON that a person can read, with its version and time in front."""
    stamped = {"version": VERSION, "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), **entry}
    return readable(stamped)


def decode(key: str, data: bytes) -> dict[str, Any]:
    """Read an entry.

    Raises:
        LibraryError: It is no entry, or a newer one than this package understands.
    """
    try:
        entry = read(data)
        newer = entry["version"] > VERSION
    except (ValueError, TypeError, KeyError):
        advice = "Look at it; restore it or delete it."
        raise LibraryError(f"The ledger entry {key} cannot be read.", advice=advice) from None
    if newer:
        raise LibraryError(f"The ledger entry {key} was written by a newer release.", advice="Upgrade prefect-together.")
    return entry
