"""Whether somebody is still at work on an attempt: leases that are renewed while they are, and how others judge them.

An attempt's lease is written once and names its holder. What is renewed is one object for each process and library,
``ledger/leases/<process>.json``, which lists all that the process is at work on: a thousand waiting jobs cost one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together._internal.process import ProcessId, this_process
from prefect_together.errors import TogetherError
from prefect_together.ledger.ledger import ROOT, Attempt, Ledger, decode, encode, new_token
from prefect_together.storage.storage import Storage

FIRST_BEAT = 4.0
"""Seconds before a lease is written at all: most pictures are done by then and need none."""
BEAT = 10.0
"""Seconds between renewals."""
OVERDUE = 32.0
"""Seconds without a renewal after which a holder that cannot be looked up counts as gone."""
HANDED_OUT = 3600.0
"""Seconds for which a submitted job that nobody waits for yet stays with the run that submitted it."""

_held: Counter[str] = Counter()  # what this very process is at work on, and how many of its callers are


class LocalHold:
    """What one call is at work on, as this process knows it: from before its claim is seen by others to its very end."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def add(self, attempt: Attempt) -> None:
        """Be at work on an attempt from now on."""
        self._keys.append(attempt.key)
        _held[attempt.key] += 1

    def __enter__(self) -> None:
        """Nothing is held before ``add``."""

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Be done with all of it."""
        for key in self._keys:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]


@dataclass(frozen=True)
class Topic:
    """Something that processes tell each other."""

    tell: Callable[[], Any]
    """Returns what this process has to tell, as JSON."""
    hear: Callable[[list[Any]], None]
    """Is given what the others tell that are alive."""


class Heartbeat:
    """Renews all leases of this process in one library, with one object, while there are any."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._key = _heartbeat_key(this_process())
        self._held: Counter[str] = Counter()
        self._beating: asyncio.Task[None] | None = None
        self.topics: dict[str, Topic] = {}
        """What else processes tell each other with it."""
        self._tokens: dict[str, str] = {}

    def add(self, attempt: Attempt) -> None:
        """Renew the lease of an attempt from now on."""
        self._held[attempt.key] += 1
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    def remove(self, attempt: Attempt) -> None:
        """Renew it no more."""
        self._held[attempt.key] -= 1
        if not self._held[attempt.key]:
            del self._held[attempt.key]
        if not self._held and self._beating:
            self._beating.cancel()
            self._beating = None

    async def _beat(self) -> None:
        written = False
        try:
            while True:
                await asyncio.sleep(BEAT)
                with contextlib.suppress(Exception):  # whatever it is, a missed beat is made good by the next
                    written = True
                    told = {name: topic.tell() for name, topic in self.topics.items()}
                    await self._storage.write(self._key, encode({**owned(), "holds": sorted(self._held), "told": told}))
                    await self._hear()
        finally:
            if written:  # nothing is held any more, and what lies around would say otherwise
                spawn(self._forget())

    async def _hear(self) -> None:
        """Hear what other processes tell: those that have renewed their leases since the last look, or are new."""
        others, tokens = list[dict[str, Any]](), dict[str, str]()
        for key in await self._storage.names(f"{ROOT}/leases"):
            if key == self._key:
                continue
            with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                pulse = decode(key, await self._storage.read(key))
                tokens[key] = pulse["token"]
                if pulse["token"] != self._tokens.get(key):
                    others.append(pulse.get("told", {}))
        self._tokens = tokens
        for name, topic in self.topics.items():
            topic.hear([told[name] for told in others if name in told])

    async def _forget(self) -> None:
        if self._beating is None:
            with contextlib.suppress(TogetherError):
                await self._storage.delete(self._key)


_heartbeats: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Heartbeat]] = weakref.WeakKeyDictionary()


def _heartbeat(storage: Storage) -> Heartbeat:
    here = _heartbeats.setdefault(asyncio.get_running_loop(), {})
    return here.setdefault(storage.url, Heartbeat(storage))


def exchange(storage: Storage, name: str, topic: Topic) -> None:
    """Tell other processes something with the leases of this one, while it holds any, and hear what they tell. It is advice.

    Args:
        storage: The library that they share.
        name: What it is about.
        topic: What is told, and who hears.
    """
    _heartbeat(storage).topics[name] = topic


def _heartbeat_key(owner: ProcessId) -> str:
    return f"{ROOT}/leases/{process_name(owner)}.json"


def process_name(owner: ProcessId) -> str:
    """Return what a process is called in keys: 24 hex digits that no other process has."""
    name = f"{owner.machine}\n{owner.pid}\n{owner.started}"
    return hashlib.sha256(name.encode()).hexdigest()[:24]


class Lease:
    """Holds an attempt until the block ends, and gives it up at once where it ends badly.

    Its lease is written when the work on it takes longer than most, and renewed from then on.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._hold = LocalHold()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        # Most are over before: a timer costs them a tenth of a task.
        self._timer = asyncio.get_running_loop().call_later(FIRST_BEAT, self._begin)
        self._hold.add(self._attempt)

    async def __aexit__(self, _: object, error: BaseException | None, *__: object) -> None:
        try:
            await self._end()
            if error is not None:  # cancelled as well: whoever comes next should not have to wait
                # In a task of its own: whoever is cancelled right now still tells others that they need not wait.
                await asyncio.shield(spawn(release(self._ledger, self._attempt)))
        finally:
            self._hold.let_go()

    def _begin(self) -> None:
        self._writing = asyncio.create_task(self._write())
        _heartbeat(self._ledger.storage).add(self._attempt)

    async def _write(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # it is tried again: from here on others know who renews it
                await self._ledger.renew(self._attempt, _signed())
                return
            await asyncio.sleep(BEAT)

    async def _end(self) -> None:
        self._timer.cancel()
        if self._writing is not None:
            _heartbeat(self._ledger.storage).remove(self._attempt)
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing


async def release(ledger: Ledger, attempt: Attempt, *, handed_out: bool = False) -> None:
    """Say that nobody is at work on an attempt any more, or that its job was handed to somebody who will wait later."""
    with contextlib.suppress(TogetherError):  # others find out by themselves when the lease is overdue
        await ledger.renew(attempt, {**_signed(), "released": not handed_out, "handed_out": handed_out})


def shared_lease(record: str) -> Attempt:
    """Return what stands for all lines of a provider's batch: thousands of leases of their own would cost it dearly.

    Args:
        record: What the library's record of the batch is called.
    """
    return Attempt(record, "provider-batch", 1)


async def begin_lease(ledger: Ledger, attempt: Attempt) -> None:
    """Write a lease at once, where others may look before it is renewed for the first time."""
    await ledger.renew(attempt, _signed())


def owned() -> dict[str, Any]:
    """Return what a claim says about who makes it; ``token`` tells our own entry from an equal one of somebody else."""
    return {"owner": this_process().model_dump(), "token": new_token()}


class LeaseMonitor:
    """Judges whether the holder of one attempt is alive, over several looks.

    A holder is dead at once where its process is known to be gone. Nobody is taken for dead by a wall clock, for those
    differ between machines and jump on one: only a lease that does not *change*, by our own monotonic clock, is overdue.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._beat: str | None = None
        self._changed = time.monotonic()

    async def alive(self) -> bool | None:
        """Look once, and tell whether somebody is at work on it; None where only more looks will tell."""
        entry = await self._signed_by_holder()
        if entry is None:
            return False
        if entry.get("released"):
            return False
        owner = ProcessId.model_validate(entry["owner"])
        token, at = str(entry.get("token")), entry
        runs = owner.is_alive()
        if runs is False:
            return False
        if owner == this_process() and self._attempt.key in _held:
            return True
        if entry.get("handed_out"):
            return _age(entry) < HANDED_OUT
        if owner == this_process():
            return False
        if (pulse := await self._heartbeat(owner)) is not None:
            token, at = f"{token} {pulse['token']}", pulse
        if runs and _age(at) < OVERDUE:  # the same machine, so the same clock, and the process is there
            return True
        beat, first = token, self._beat is None
        if beat != self._beat:
            self._beat, self._changed = beat, time.monotonic()
            return None if first else True
        return None if time.monotonic() - self._changed < OVERDUE else False

    async def _signed_by_holder(self) -> dict[str, Any] | None:
        entry = await self._ledger.entry(self._attempt, "lease") or await self._ledger.entry(self._attempt, "claimed")
        if entry and (record := entry.get("provider_batch")):  # the lines of a batch have one lease together
            self._attempt = shared_lease(str(record))
            entry = await self._ledger.entry(self._attempt, "lease")
        return entry

    async def _heartbeat(self, owner: ProcessId) -> dict[str, Any] | None:
        """Return the last renewal by a process, where it is still at work on this attempt."""
        key = _heartbeat_key(owner)
        try:
            pulse = decode(key, await self._ledger.storage.read(key))
        except FileNotFoundError:
            return None
        return pulse if self._attempt.key in pulse["holds"] else None

    async def settled(self) -> bool:
        """Look until it is known whether somebody is at work on it: half a minute where the holder is on another machine."""
        while (alive := await self.alive()) is None:
            await asyncio.sleep(BEAT / 4)
        return alive


def _signed() -> dict[str, Any]:
    return {**owned(), "released": False, "handed_out": False}


def _age(entry: dict[str, Any]) -> float:
    return (datetime.now(timezone.utc) - datetime.fromisoformat(str(entry["at"]))).total_seconds()
