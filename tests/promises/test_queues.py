"""Requests that wait for their turn: they have claimed nothing yet, so whoever stops them loses nothing."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import anyio

from prefect_together.engine.context import Ask, Caller
from prefect_together.engine.lifecycle import obtain
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.ledger import ROOT
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import IMAGES, picture


async def test_who_is_stopped_in_the_queue_has_claimed_and_paid_nothing(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Eight requests for one slot, all cancelled while the first is being answered: one claim, one charge.

    A claim of a request that was never sent would look like a request whose answer was lost.
    """
    together_sandbox.fault(IMAGES, "sleep", seconds=4)
    client = TogetherClient(together_sandbox.api_key, together_sandbox.url, max_connections=1)
    storage = Storage(str(tmp_path / "queue"))
    caller = Caller(logging.getLogger("queue"), "flow", "task")
    asks = [Ask(picture(f"number {number}"), client, storage, caller) for number in range(8)]
    waiting = [asyncio.create_task(obtain(ask)) for ask in asks]
    with anyio.fail_after(60):
        while not await storage.names(ROOT):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)  # whoever else would claim does so now
        assert 1 == sum(name.endswith("-claimed.json") for name in await storage.names(ROOT))
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        while not any(name.endswith("-accepted.json") for name in await storage.names(ROOT)):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)  # whoever else would send does so now
    assert 1 == sum(name.endswith("-claimed.json") for name in await storage.names(ROOT))
    assert 1 == len(together_sandbox.charges())

    media = await obtain(asks[0])
    assert 1 == len(together_sandbox.charges())
    assert media[0].reused
    await asyncio.gather(*(obtain(ask) for ask in asks[1:]))
    assert 8 == len(together_sandbox.charges())
    await client.aclose()
