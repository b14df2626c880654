"""The heartbeat of a process: one object for each library in which it says what it is at work on, and hears other processes.

``ledger/leases/<process>.json`` lists all that the process is at work on: a thousand waiting jobs cost one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together._internal.process import ProcessId, this_process
from prefect_together.errors import TogetherError
from prefect_together.ledger.ledger import ROOT, Attempt, decode, encode, new_token
from prefect_together.storage.storage import Storage

BEAT = 10.0
"""Seconds between renewals."""
PATIENCE = 32.0
"""Seconds without a renewal after which a holder that cannot be looked up counts as gone, where it says nothing else."""
LEAST_PATIENCE = 3 * BEAT
"""Seconds that a holder has to ask for at least: two renewals may fail, or come late, while it lives."""


MUCH = 2
"""Who has so many requests under way tells others soon, and not only when one of them takes long."""
SOON = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each of the first renewals then: who begin together hear of each other within their first requests."""
OLD = 10 * BEAT
"""Seconds after which nobody hears what a process told that did not renew it: clocks differ less, and it is advice."""


@dataclass(frozen=True)
class Topic:
    """Something that processes tell each other."""

    tell: Callable[[], Any]
    """Returns what this process has to tell, as JSON."""
    hear: Callable[[list[Any]], None]
    """Is given what the others tell that are alive."""


class Heartbeat:
    """Renews all leases of this process in one library, with one object, while there are any or much is under way."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._key = heartbeat_key(this_process())
        self._held: Counter[str] = Counter()
        self._under_way = 0
        self._soon = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self.topics: dict[str, Topic] = {}
        """What else processes tell each other with it."""
        self._tokens: dict[str, str] = {}

    def begin(self) -> None:
        """Have one more request under way."""
        self._under_way += 1
        if self._under_way == MUCH and not self._soon.is_set():
            self._soon.set()
            self._begin()

    def end(self) -> None:
        """Have one less under way."""
        self._under_way -= 1
        self._end()

    def add(self, attempt: Attempt) -> None:
        """Renew the lease of an attempt from now on."""
        self._held[attempt.key] += 1
        self._begin()

    def remove(self, attempt: Attempt) -> None:
        """Renew it no more."""
        self._held[attempt.key] -= 1
        if not self._held[attempt.key]:
            del self._held[attempt.key]
        self._end()

    def _begin(self) -> None:
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    def _end(self) -> None:
        if not self._under_way:
            self._soon.clear()
        if self._beating and not self._held and not self._soon.is_set():
            self._beating.cancel()
            self._beating = None

    async def _beat(self) -> None:
        written = False
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._soon.wait(), BEAT)
        try:
            for pause in itertools.chain(SOON if self._soon.is_set() else (0.0,), itertools.repeat(BEAT)):
                await asyncio.sleep(pause)
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
                if pulse["token"] != self._tokens.get(key) and not _is_over(pulse):
                    others.append(pulse.get("told", {}))
        self._tokens = tokens
        for name, topic in self.topics.items():
            topic.hear([told[name] for told in others if name in told])

    async def _forget(self) -> None:
        if self._beating is None:
            with contextlib.suppress(TogetherError):  # a sign of life that is not renewed is overdue soon
                await self._storage.delete(self._key)


_heartbeats: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Heartbeat]] = weakref.WeakKeyDictionary()


def heartbeat_of(storage: Storage) -> Heartbeat:
    """Return the heartbeat of this process in a library."""
    here = _heartbeats.setdefault(asyncio.get_running_loop(), {})
    return here.setdefault(storage.url, Heartbeat(storage))


def exchange(storage: Storage, name: str, topic: Topic) -> None:
    """Tell other processes something with the leases of this one, while it holds any, and hear what they tell. It is advice.

    Args:
        storage: The library that they share.
        name: What it is about.
        topic: What is told, and who hears.
    """
    heartbeat_of(storage).topics[name] = topic


def heartbeat_key(owner: ProcessId) -> str:
    """Return where the heartbeat of a process is."""
    return f"{ROOT}/leases/{process_name(owner)}.json"


def process_name(owner: ProcessId) -> str:
    """Return what a process is called in keys: 24 hex digits that no other process has."""
    name = f"{owner.machine}\n{owner.pid}\n{owner.started}"
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _is_over(pulse: Mapping[str, Any]) -> bool:
    """Tell whether a process is known to be gone, or told something so long ago that it probably is."""
    age = datetime.now(timezone.utc) - datetime.fromisoformat(str(pulse["at"]))
    return age.total_seconds() > OLD or ProcessId.model_validate(pulse["owner"]).is_alive() is False


def owned() -> dict[str, Any]:
    """Return what a claim says about who makes it; ``token`` tells our own entry from an equal one of somebody else."""
    return {"owner": this_process().model_dump(), "token": new_token(), "patience": patience()}


_setting: list[Callable[[], float]] = []


def patience_from(setting: Callable[[], float]) -> None:
    """Ask a setting from now on how long others are to wait for this process; nothing below knows of settings."""
    _setting[:] = [setting]


def patience() -> float:
    """Return for how many seconds without a renewal others are to take this process for alive."""
    return _setting[0]() if _setting else PATIENCE


def patience_with(entry: Mapping[str, Any]) -> float:
    """Return for how many seconds the holder that wrote an entry is to be waited for."""
    return float(entry.get("patience", PATIENCE))  # entries of before there was a setting say nothing
