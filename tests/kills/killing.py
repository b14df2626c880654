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
        create_images, create_video = TogetherClient.create_images, TogetherClient.create_video

        async def made(self: TogetherClient, body: dict[str, Any], slot: Any = None) -> Any:
            answer = await create_images(self, body, slot)
            die()
            return answer

        async def submitted(self: TogetherClient, body: dict[str, Any], slot: Any = None) -> Any:
            answer = await create_video(self, body, slot)
            die()
            return answer

        TogetherClient.create_images, TogetherClient.create_video = made, submitted
    if point == "polling":
        video = TogetherClient.video

        async def polled(self: TogetherClient, job_id: str) -> Any:
            answer = await video(self, job_id)
            die()
            return answer

        TogetherClient.video = polled
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
