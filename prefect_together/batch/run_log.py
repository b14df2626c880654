"""Which runs of a named batch are under way, and which processes take part in them: an append-only log. Runs nothing.

Processes that run the same rows under the same name at the same time share one run. It is over when it is closed, or when
none of those who take part is alive any more: whoever comes then begins another one, and has what it left for comparison.

The log stands beside the manifests, and its last entry says it all::

    batches/<name>/runs/00000001.json    {"runs": {"<plan>": {"key": …, "members": ["…"], …}}}
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from pydantic import BaseModel

from prefect_together._internal.tokens import unique_token
from prefect_together.batch.manifest import folder, new_key, remove, standing
from prefect_together.errors import LibraryError
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.leases import Lease, LeaseMonitor, begin_lease
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.storage.storage import Storage

RUNS = "runs"
"""The folder of the log, beside the manifests."""
_ADVICE = "Look at it; restore it, or delete the folder while no process runs a batch of this name."


class Run(BaseModel):
    """One run of a named batch, which any number of processes share."""

    key: str
    """Where its manifest will be, without ending; what it consists of until then is in a folder of this name."""
    rows: int
    """How many rows there are."""
    size: int
    """How many rows a shard has."""
    members: list[str]
    """Who takes part."""


class Members:
    """Those who take part in runs, and whether they are alive: each has a lease, as an attempt has one.

    Args:
        ledger: The ledger of the library.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.me = unique_token()
        """What this call is called."""
        self._ledger = ledger
        self._monitors: dict[str, LeaseMonitor] = {}

    async def enter(self, stack: AsyncExitStack) -> None:
        """Have a lease of one's own, for as long as a stack is open.

        Raises:
            LibraryError: It cannot be written.
        """
        attempt = _attempt(self.me)
        await begin_lease(self._ledger, attempt)
        stack.push_async_callback(self._forget, attempt)
        await stack.enter_async_context(Lease(self._ledger, attempt))

    async def gone(self, member: str) -> bool:
        """Tell whether it is known that a member is not alive any more."""
        monitor = self._monitors.setdefault(member, LeaseMonitor(self._ledger, _attempt(member)))
        return member != self.me and await monitor.alive() is False

    async def all_gone(self, members: Sequence[str]) -> bool:
        """Tell whether it is known of all of them."""
        return all(await asyncio.gather(*(self.gone(member) for member in members)))

    async def _forget(self, attempt: Attempt) -> None:
        with suppress(LibraryError):  # what is left of it is overdue soon
            await self._ledger.storage.delete(f"{attempt.prefix}-lease.json")


class RunLog:
    """The log of one named batch.

    Args:
        storage: The library.
        name: What the batch is called.
        members: Those who take part in its runs.
    """

    def __init__(self, storage: Storage, name: str, members: Members) -> None:
        self._storage = storage
        self._name = name
        self._members = members
        self._log = AppendLog(storage, f"{folder(name)}/{RUNS}", advice=_ADVICE)

    async def enter(self, plan: str, *, rows: int, size: int) -> Run:
        """Join the run of a plan that is under way, or begin one.

        Args:
            plan: What is run and how, as a hash: equal for those who are to share the work.
            rows: How many rows there are.
            size: How many rows a shard has, where the run begins with this call.

        Raises:
            LibraryError: The log cannot be read or written.
        """
        while True:
            runs = await self._read()
            over = {name: await self._members.all_gone(run.members) for name, run in runs.items()}
            if plan in runs and not over[plan]:
                found = runs[plan]
                run = found.model_copy(update={"members": [*found.members, self._members.me]})
                going = {**runs, plan: run}
            else:
                run = Run(key=new_key(self._name), rows=rows, size=size, members=[self._members.me])
                going = {**{name: found for name, found in runs.items() if not over[name]}, plan: run}
            if await self._write(going):
                return run

    async def close(self, key: str) -> None:
        """Say that a run has come to its end, and remove what it and those before it consisted of: it has a manifest.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        while True:
            runs = await self._read()
            going = {name: run for name, run in runs.items() if run.key != key}
            if len(going) == len(runs) or await self._write(going):
                break
        kept = {run.key for run in going.values()}
        for one in (await standing(self._storage, self._name)).growing:
            if one <= key and one not in kept:
                await remove(self._storage, one)
        await remove(self._storage, key)

    async def _read(self) -> dict[str, Run]:
        await self._log.read()
        found: dict[str, Any] = self._log.last.get("runs", {})
        return {name: Run.model_validate(run) for name, run in found.items()}

    async def _write(self, runs: dict[str, Run]) -> bool:
        return await self._log.add({"runs": {name: run.model_dump() for name, run in runs.items()}})


def _attempt(member: str) -> Attempt:
    """Return what a member's lease is the lease of."""
    return Attempt(member, "batch", 1)
