"""Lets a process kill itself at an exact point of a generation; used by ``worker.py``, starts nothing itself."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from prefect_together.engine import batch_sending, batch_taking
from prefect_together.engine.batch_record import BatchRecord
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.ledger import Attempt, Event, Ledger
from prefect_together.storage.storage import Storage

Parse = Callable[[Any], Any]


def arm(point: str, by: signal.Signals, say: Callable[[dict[str, Any]], None]) -> None:
    """Let this process kill itself at a point: the package's own functions are wrapped, and nothing else is changed."""
    once = iter([True])

    def die() -> None:
        if not next(once, False):
            return  # stopped and woken again: it goes on as if nothing had happened
        say({"at": point})
        # To this thread: the others would not be stopped before it had gone on for a moment.
        signal.pthread_kill(threading.get_ident(), by)
        if by is signal.SIGKILL:
            time.sleep(60)  # the signal is a matter of microseconds

    record = Ledger.record
    before: dict[str, Event] = {"before-claim": "claimed", "after-file": "stored", "before-adopting": "adopted"}
    after: dict[str, Event] = {
        "after-claim": "claimed",
        "after-accepted": "accepted",
        "after-record": "stored",
        "adopting": "adopted",
        "adopting-claimed": "claimed",
        "adopted": "accepted",
    }

    async def recorded(self: Ledger, attempt: Attempt, event: Event, entry: dict[str, Any]) -> bool:
        taking_over = bool(entry.get("adopted")) or event == "adopted"
        if event == before.get(point) and taking_over == ("adopting" in point):
            die()
        written = await record(self, attempt, event, entry)
        if event == after.get(point) and taking_over == point.startswith("adopt"):
            die()
        return written

    Ledger.record = recorded

    _arm_batches(point, die)
    _arm_packing(point, die)

    if point == "after-answer":
        send_paid = TogetherClient.send_paid

        async def sent(self: TogetherClient, *given: Any, **named: Any) -> Any:
            answer = await send_paid(self, *given, **named)
            die()
            return answer

        TogetherClient.send_paid = sent
    if point == "polling":
        get = TogetherClient.get

        async def polled(self: TogetherClient, path: str, parse: Parse) -> Any:
            answer = await get(self, path, parse)
            die()
            return answer

        TogetherClient.get = polled
    if point == "downloading":
        write, write_stream = Storage.write, Storage.write_stream

        async def written(self: Storage, key: str, data: bytes) -> None:
            if not key.startswith("ledger/"):
                die()  # small pictures are written in one go
            await write(self, key, data)

        async def streamed(self: Storage, key: str, chunks: AsyncIterator[bytes]) -> None:
            async def cut() -> AsyncIterator[bytes]:
                got = 0
                async for chunk in chunks:
                    if got:
                        die()
                    got += len(chunk)
                    yield chunk

            await write_stream(self, key, cut())

        Storage.write, Storage.write_stream = written, streamed


def _arm_packing(point: str, die: Callable[[], None]) -> None:
    """Arm the points of packing: before and after the pack is written, in the middle of removing, and before the old pack is."""
    create, remove = Storage.create, Storage.remove

    async def created(self: Storage, key: str, data: bytes) -> bool:
        packs = key.startswith("ledger/packed/")
        if packs and point == "before-pack":
            die()
        written = await create(self, key, data)
        if packs and point == "after-pack":
            die()
        return written

    async def removed(self: Storage, keys: Sequence[str]) -> None:
        packs = any(key.startswith("ledger/packed/") for key in keys)
        if packs and point == "before-old-pack":
            die()
        if keys and not packs and point == "removing":
            await remove(self, keys[::2])
            die()
        await remove(self, keys)

    Storage.create, Storage.remove = created, removed


def _arm_batches(point: str, die: Callable[[], None]) -> None:
    """Arm the points of a provider's batch: before and after each entry of its record, its upload, and while it is taken."""
    when, _, what = point.partition(":")
    if when in {"before-step", "after-step"}:
        advance = BatchRecord.advance

        async def advanced(self: BatchRecord, state: Any, **facts: Any) -> bool:
            if when == "before-step" and state == what:
                die()
            written = await advance(self, state, **facts)
            if when == "after-step" and state == what:
                die()
            return written

        BatchRecord.advance = advanced
    if point == "waiting":
        status_of = batch_taking.status_of

        async def asked(*args: Any) -> Any:
            status = await status_of(*args)
            die()
            return status

        batch_taking.status_of = asked
    if point == "fetching":
        fetch_whole = batch_taking.fetch_whole

        async def fetched(*args: Any) -> None:
            await fetch_whole(*args)
            die()

        batch_taking.fetch_whole = fetched
    if point == "uploaded":
        upload = batch_sending.upload

        async def uploaded(*args: Any, **more: Any) -> str:
            file_id = await upload(*args, **more)
            die()
            return file_id

        batch_sending.upload = uploaded
    if point == "some-claimed":
        record, left = Ledger.record, iter(range(1, 100))

        async def claimed(self: Ledger, attempt: Attempt, event: Event, entry: dict[str, Any]) -> bool:
            written = await record(self, attempt, event, entry)
            if event == "claimed" and next(left) == 3:
                die()
            return written

        Ledger.record = claimed
    if point == "some-stored":
        kept, stored = Ledger.record, iter(range(1, 100))

        async def some(self: Ledger, attempt: Attempt, event: Event, entry: dict[str, Any]) -> bool:
            written = await kept(self, attempt, event, entry)
            if event == "stored" and next(stored) == 3:
                die()
            return written

        Ledger.record = some
