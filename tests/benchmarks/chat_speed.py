"""How fast a batch of questions is beside bare loops: ratios from one run on one server, printed; it judges nothing.

python tests/benchmarks/chat_speed.py [questions] [rounds] [folder]

Every rival runs in a process of its own and asks the same, 32 at once; the SDK's loops write nothing down, and the batch keeps
each answer in a library in the folder, which should not be in memory. They take turns, and the median of their rounds counts:

    bare            our HTTP client in an asyncio loop, without ledger or library: the limit
    sdk             the official SDK in an asyncio loop, its default transport
    sdk-aiohttp     the same with its aiohttp transport
    batch           generate_batch in a flow: an empty library
    batch-again     the same once more: everything is kept
    schema          generate_batch with a schema, by which each answer is checked
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import servers

AT_ONCE = 32
RIVALS = ("bare", "sdk", "sdk-aiohttp", "batch")
MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
SCHEMA = {
    "type": "object",
    "properties": {"words": {"type": "string"}, "score": {"type": "integer", "minimum": 0, "maximum": 10}},
    "required": ["words", "score"],
    "additionalProperties": False,
}


def question(number: int) -> str:
    """Return what is asked."""
    return f"Question {number}: " + "tell me what a fox does in the snow, in a few words. " * 4


async def _loop(count: int, one: Callable[[int], Awaitable[None]]) -> float:
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded(number: int) -> None:
        async with slots:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(bounded(number) for number in range(count)))
    return time.perf_counter() - began


def bare(origin: str, count: int) -> float:
    """Send with our client, and read the answer."""
    from prefect_together.generations.answers import parse
    from prefect_together.http.client import TogetherClient

    async def run() -> float:
        client = TogetherClient("key", origin)

        async def one(number: int) -> None:
            said = [{"role": "user", "content": question(number)}]
            body = {"model": MODEL, "messages": said, "seed": 1, "max_tokens": 200}
            await client.send_paid("/v1/chat/completions", body, parse)

        seconds = await _loop(count, one)
        await client.aclose()
        return seconds

    return asyncio.run(run())


def sdk(origin: str, count: int, *, aiohttp: bool) -> float:
    """Send with the official SDK, and read the answer."""
    import together

    async def run() -> float:
        library: Any = together
        transport = {"http_client": library.DefaultAioHttpClient()} if aiohttp else {}
        client = library.AsyncTogether(api_key="key", base_url=f"{origin}/v1", **transport)

        async def one(number: int) -> None:
            said = [{"role": "user", "content": question(number)}]
            answer = await client.chat.completions.create(model=MODEL, messages=said, seed=1, max_tokens=200)
            assert answer.choices[0].message.content

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

    from prefect_together import ChatRequest, generate_batch

    plain = [ChatRequest(prompt=question(n), model=MODEL, seed=1, max_tokens=200) for n in range(count)]
    with_schema = [
        ChatRequest(prompt=question(n), model=MODEL, seed=1, max_tokens=200, response_format=SCHEMA) for n in range(count)
    ]

    asked = {
        "imports": [request.model_copy(update={"take": 1}) for request in plain[:40]],
        "batch": plain,
        "batch-again": plain,
        "schema": with_schema,
    }

    @flow
    def run(name: str) -> float:  # the requests themselves are more than Prefect takes as a parameter
        return generate_batch(asked[name], concurrency=AT_ONCE, fail_on="any").seconds

    with prefect_test_harness(server_startup_timeout=90):
        found = {name: run(name) for name in asked}
        return {name: seconds for name, seconds in found.items() if name != "imports"}


def measured(rival: str, origin: str, count: int, folder: str) -> dict[str, float]:
    """Run one rival here."""
    if rival == "batch":
        return batch(origin, count, folder)
    loops: dict[str, Callable[[str, int], float]] = {
        "bare": bare,
        "sdk": partial(sdk, aiohttp=False),
        "sdk-aiohttp": partial(sdk, aiohttp=True),
    }
    return {rival: loops[rival](origin, count)}


def main(count: int, rounds: int, where: str | None) -> None:
    """Run all rivals on one server, in turns, and print what came of it."""
    taken: dict[str, list[float]] = {}
    with servers.together(1) as origin, tempfile.TemporaryDirectory(dir=where) as name:
        for turn in range(rounds):
            for rival in RIVALS if turn % 2 == 0 else RIVALS[::-1]:
                for what, value in servers.measured(__file__, rival, origin, count, Path(name, f"{rival}-{turn}")).items():
                    taken.setdefault(what, []).append(value)
    found = {what: median(values) for what, values in taken.items()}
    print(f"{count} questions, {AT_ONCE} at once, median of {rounds}")
    for name, seconds in found.items():
        print(f"{name:12} {count / seconds:7.0f} answers/s  batch is {seconds / found['batch']:5.2f} times as fast")


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(measured(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        given = sys.argv[1:]
        main(int(given[0]) if given else 1000, int(given[1]) if len(given) > 1 else 3, given[2] if len(given) > 2 else None)
