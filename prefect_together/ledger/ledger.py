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

Settled attempts may be packed, many in one object, and are then found there: see ``packs``.

The scope is ``any`` for requests that are reused for ever, else the run or the named batch that wants a fresh one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from prefect_together._internal.json import read, readable
from prefect_together._internal.tokens import unique_token
from prefect_together.errors import LibraryError
from prefect_together.ledger.pack_format import Name
from prefect_together.ledger.packs import Packs
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
OPEN: frozenset[State] = frozenset({"claimed", "accepted", "unknown", "lost"})
"""What is not settled: somebody works on it, or somebody has to decide about it. All else may be packed."""
UNDECIDED: frozenset[State] = frozenset({"unknown", "lost"})
"""What somebody has to decide about."""
SAYING = frozenset(_PRECEDENCE)
"""Entries that say by themselves that there is an attempt; a lease or a decision alone does not."""


@cache  # of few sets, and of very many attempts
def _state_by(events: frozenset[str]) -> State:
    known: tuple[State, ...] = tuple(state for state in _PRECEDENCE if state in events)
    state: State = known[0] if known else "claimed"
    return "resolved" if state in {"lost", "unknown", "claimed"} and "resolved" in events else state


@dataclass(frozen=True, slots=True)
class Attempt:
    """One paid request that was sent, or is about to be."""

    fingerprint: str
    scope: str
    number: int
    events: frozenset[str] = frozenset()
    packed: frozenset[str] = field(default=frozenset(), compare=False)
    """Which of them were found in a pack."""

    @property
    def state(self) -> State:
        """What became of it."""
        return _state_by(self.events)

    @property
    def key(self) -> str:
        """Its name for people and commands."""
        return f"{self.fingerprint}/{self.scope}/{self.number:04d}"

    @property
    def name(self) -> Name:
        """Its name as packs have it."""
        return self.fingerprint, self.scope, self.number

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

    __slots__ = ("_packs", "storage")

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._packs = Packs.of(storage)

    async def history(self, fingerprint: str) -> History:
        """Return what is known of a request: by a listing, and a look into one pack where there is one."""
        below = folder(fingerprint)
        _, small = await self.storage.children(below)  # before the pack: see `packs`
        packed = {name: frozenset(entries) for name, entries in await self._packs.at(fingerprint)}
        return History(fingerprint, tuple(attempts((f"{below}/{name}" for name in small), packed)))

    async def record(self, attempt: Attempt, event: Event, entry: dict[str, Any]) -> bool:
        """Write an entry; return False if somebody else's was there already.

        An object store that repeats a write whose answer was lost reports our own entry as already there, so a token tells
        ours from theirs; a caller that tries again gives the same one.

        Raises:
            LibraryError: It could not be written.
        """
        if "token" not in entry:
            entry = {"token": new_token(), **entry}
        key = f"{attempt.prefix}-{event}.json"
        created = await self.storage.create(key, written(entry, self.storage, encode))
        if not created and (await self._small(key) or {}).get("token") != entry["token"]:
            return False
        # The name was free. It may have been somebody else's, and packed since: an entry that was packed was there first.
        first = (await self._packed(attempt)).get(event)
        if first is None or first.get("token") == entry["token"]:
            return True
        await self.storage.delete(key)
        return False

    async def renew(self, attempt: Attempt, entry: dict[str, Any]) -> None:
        """Overwrite the lease of an attempt."""
        await self.storage.write(f"{attempt.prefix}-lease.json", encode(entry))

    async def entry(self, attempt: Attempt, event: Event) -> dict[str, Any] | None:
        """Return an entry, or None where there is none.

        Raises:
            LibraryError: It cannot be read, or is of a newer version than this package understands.
        """
        key = f"{attempt.prefix}-{event}.json"
        entry = None if event in attempt.packed else await self._small(key)
        if entry is None and event != "lease":
            entry = (await self._packed(attempt)).get(event)
        return None if entry is None else to_addresses(checked(key, entry), self.storage)

    async def _small(self, key: str) -> dict[str, Any] | None:
        """Return an entry that is an object of its own."""
        try:
            return decode(key, await self.storage.read(key))
        except FileNotFoundError:
            return None

    async def _packed(self, attempt: Attempt) -> dict[str, dict[str, Any]]:
        """Return the entries of an attempt that are packed."""
        packed = await self._packs.at(attempt.fingerprint)
        return dict(packed).get(attempt.name, {})


def new_token() -> str:
    """Return what tells one entry from an equal one of somebody else."""
    return unique_token()


def folder(fingerprint: str) -> str:
    """Return where the entries of a request are."""
    return f"{ROOT}/{fingerprint[:2]}/{fingerprint}"


def attempts(names: Iterable[str], packed: Mapping[Name, frozenset[str]] = MappingProxyType({})) -> Iterator[Attempt]:
    """Read attempts off the names of their entries; what has no such name is none of ours and is passed over.

    Args:
        names: The keys of small entries.
        packed: The entries that are packed, by their attempts.
    """
    events: dict[Name, set[str]] = {name: set(known) for name, known in packed.items()}
    for key in names:
        if (found := entry_named(key)) is not None:
            events.setdefault(found[0], set()).add(found[1])
    for name, known in sorted(events.items()):
        if known & SAYING:
            yield Attempt(*name, entry_set(known), packed.get(name, frozenset()))


_sets: dict[frozenset[str], frozenset[str]] = {}


def entry_set(events: Iterable[str]) -> frozenset[str]:
    """Return a set of entries: the same object for equal ones, of which there are few and of attempts very many."""
    found = frozenset(events)
    return _sets.setdefault(found, found)


def entry_named(key: str) -> tuple[Name, str] | None:
    """Return the attempt and the event that the key of a small entry names, or None where it is none of ours."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != ROOT:
        return None
    scope, *last = parts[3].removesuffix(".json").rsplit("-", 2)
    return ((parts[2], scope, int(last[0])), last[1]) if scope and len(last) == 2 and last[0].isdecimal() else None


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
        return checked(key, read(data))
    except ValueError:
        raise _unreadable(key) from None


def checked(key: str, entry: Any) -> dict[str, Any]:
    """Return an entry that is one; raises as ``decode``."""
    try:
        newer = entry["version"] > VERSION
    except (TypeError, KeyError):
        raise _unreadable(key) from None
    if newer:
        raise LibraryError(f"The ledger entry {key} was written by a newer release.", advice="Upgrade prefect-together.")
    return entry


def _unreadable(key: str) -> LibraryError:
    return LibraryError(f"The ledger entry {key} cannot be read.", advice="Look at it; restore it or delete it.")
