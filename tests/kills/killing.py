"""Lets a process kill itself at an exact point of a generation; used by ``worker.py``, starts nothing itself."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

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

    if point == "after-answer":
        send_paid = TogetherClient.send_paid

        async def sent(self: TogetherClient, path: str, body: dict[str, Any], parse: Parse, permit: Any = None) -> Any:
            answer = await send_paid(self, path, body, parse, permit)
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
