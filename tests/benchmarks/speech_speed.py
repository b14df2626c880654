"""How fast a batch of spoken sentences is beside bare loops: ratios from one run on one server, printed; it judges nothing.

python tests/benchmarks/speech_speed.py [sentences] [rounds] [folder]

Every rival runs in a process of its own and asks for the same, 32 at once, and every answer is 300 KB of WAV, six seconds. The
SDK's loop writes each to a file and nothing else down; the batch keeps each in a library, hashed and measured. They take turns,
and the median of their rounds counts:

    sdk             the official SDK in an asyncio loop, its default transport, a file each
    sdk-aiohttp     the same with its aiohttp transport
    batch           generate_batch in a flow: an empty library
    batch-again     the same once more: everything is kept
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import servers

AT_ONCE = 32
KILOBYTES = 300
RIVALS = ("sdk", "sdk-aiohttp", "batch")
MODEL, VOICE = "hexgrad/Kokoro-82M", "af_heart"


def sentence(number: int) -> str:
    """Return what is said."""
    return f"Sentence {number} tells of the harbour, of the boats that lie in it, and of the storm that came in the night."


async def _loop(count: int, one: Callable[[int], Awaitable[None]]) -> float:
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded(number: int) -> None:
        async with slots:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(bounded(number) for number in range(count)))
    return time.perf_counter() - began


def sdk(origin: str, count: int, folder: str, *, aiohttp: bool) -> float:
    """Send with the official SDK, and write each answer to a file."""
    import together

    Path(folder).mkdir()

    async def run() -> float:
        library: Any = together
        transport = {"http_client": library.DefaultAioHttpClient()} if aiohttp else {}
        client = library.AsyncTogether(api_key="key", base_url=origin, **transport)

        async def one(number: int) -> None:
            answer = await client.audio.speech.create(model=MODEL, voice=VOICE, input=sentence(number))
            await answer.write_to_file(Path(folder, f"{number}.wav"))

        seconds = await _loop(count, one)
        await client.close()
        return seconds

    return asyncio.run(run())


def batch(origin: str, count: int, folder: str) -> dict[str, float]:
    """Run batches in a flow; return the time of each."""
    os.environ |= {
        "TOGETHER_BASE_URL": origin,
        "TOGETHER_API_KEY": "key",
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": folder,
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    from prefect import flow
    from prefect.testing.utilities import prefect_test_harness

    from prefect_together import SpeechRequest, generate_batch

    asked = [SpeechRequest(input=sentence(number), model=MODEL, voice=VOICE) for number in range(count)]
    named = {
        "imports": [request.model_copy(update={"take": 1}) for request in asked[:40]],
        "batch": asked,
        "batch-again": asked,
    }

    @flow
    def run(name: str) -> float:  # the requests themselves are more than Prefect takes as a parameter
        return generate_batch(named[name], concurrency=AT_ONCE, fail_on="any").seconds

    with prefect_test_harness(server_startup_timeout=90):
        found = {name: run(name) for name in named}
        return {name: seconds for name, seconds in found.items() if name != "imports"}


def measured(rival: str, origin: str, count: int, folder: str) -> dict[str, float]:
    """Run one rival here."""
    if rival == "batch":
        return batch(origin, count, folder)
    return {rival: sdk(origin, count, folder, aiohttp=rival == "sdk-aiohttp")}


def main(count: int, rounds: int, where: str | None) -> None:
    """Run all rivals on one server, in turns, and print what came of it."""
    taken: dict[str, list[float]] = {}
    with servers.together(KILOBYTES) as origin, tempfile.TemporaryDirectory(dir=where) as name:
        for turn in range(rounds):
            for rival in RIVALS if turn % 2 == 0 else RIVALS[::-1]:
                for what, value in servers.measured(__file__, rival, origin, count, Path(name, f"{rival}-{turn}")).items():
                    taken.setdefault(what, []).append(value)
    found = {what: median(values) for what, values in taken.items()}
    print(f"{count} sentences, {AT_ONCE} at once, median of {rounds}")
    for name, seconds in found.items():
        print(f"{name:12} {count / seconds:7.0f} recordings/s  batch is {seconds / found['batch']:5.2f} times as fast")


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(measured(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        given = sys.argv[1:]
        main(int(given[0]) if given else 1000, int(given[1]) if len(given) > 1 else 3, given[2] if len(given) > 2 else None)
