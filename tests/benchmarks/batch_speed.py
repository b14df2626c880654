"""How fast a batch of pictures is beside bare loops: ratios from one run on one server, printed; it judges nothing.

python tests/benchmarks/batch_speed.py [pictures] [KB of each] [rounds]

Every rival runs in a process of its own, makes the same requests, 32 at once, fetches every file and writes it into a folder
on a disk, never one in memory: ledgers are made of files. They take turns, and the median of their rounds counts; the CPU is
that of the rival's process, of the batch with what Prefect does for its flow and its task:

    server          requests and files over bare sockets, nothing read or written: what the server can serve
    bare            our HTTP client in an asyncio loop, without ledger or library: the limit
    sdk             the official SDK in an asyncio loop, its default transport
    sdk-aiohttp     the same with its aiohttp transport
    batch           generate_batch in a flow: an empty library
    batch-again     the same once more: everything is kept
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from servers import disk

HERE = Path(__file__).parent
AT_ONCE = 32
RIVALS = ("server", "bare", "sdk", "sdk-aiohttp", "batch")
_used = 0.0
"""Seconds of CPU of the last loop."""
MODEL = "black-forest-labs/FLUX.2-pro"


async def _loop(count: int, one: Callable[[int], Awaitable[None]]) -> float:
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded(number: int) -> None:
        async with slots:
            await one(number)

    global _used
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(bounded(number) for number in range(count)))
    _used = time.process_time() - used
    return time.perf_counter() - began


def server(origin: str, count: int, _: Path) -> float:
    """Ask for a picture and for its file over kept connections, as fast as the server answers."""
    host, port = origin.removeprefix("http://").split(":")
    asks = (b"POST /v1/images/generations HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"GET /file/x.jpg HTTP/1.1\r\n\r\n")
    left = iter(range(count))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024 * 1024)
        for _ in left:
            for ask in asks:
                writer.write(ask)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.close()

    async def run() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(connection() for _ in range(AT_ONCE)))
        return time.perf_counter() - began

    return asyncio.run(run())


def bare(origin: str, count: int, folder: Path) -> float:
    """Send with our client, write plain files."""
    from prefect_together.generations.image import SPEC
    from prefect_together.generations.spec import Links
    from prefect_together.http.client import TogetherClient

    async def run() -> float:
        client = TogetherClient("key", origin)

        async def one(number: int) -> None:
            body = {"model": MODEL, "prompt": f"picture {number}", "seed": 1, "width": 256, "height": 256}
            answer = await client.send_paid("/v1/images/generations", {**body, "response_format": "url"}, SPEC.parse)
            assert isinstance(answer, Links)
            async with client.files.open(answer.urls[0]) as hosted:
                data = b"".join([chunk async for chunk in hosted.chunks])
            (folder / f"{number}.jpg").write_bytes(data)

        seconds = await _loop(count, one)
        await client.aclose()
        return seconds

    return asyncio.run(run())


def sdk(origin: str, count: int, folder: Path, *, aiohttp: bool) -> float:
    """Send with the official SDK, write plain files."""
    import httpx
    import together

    async def run() -> float:
        library: Any = together
        transport = {"http_client": library.DefaultAioHttpClient()} if aiohttp else {}
        client = library.AsyncTogether(api_key="key", base_url=f"{origin}/v1", **transport)
        files = library.DefaultAioHttpClient() if aiohttp else httpx.AsyncClient()

        async def one(number: int) -> None:
            answer = await client.images.generate(
                model=MODEL, prompt=f"picture {number}", seed=1, width=256, height=256, response_format="url"
            )
            data = (await files.get(answer.data[0].url)).content
            (folder / f"{number}.jpg").write_bytes(data)

        seconds = await _loop(count, one)
        await client.close()
        return seconds

    return asyncio.run(run())


def batch(origin: str, count: int, folder: Path) -> dict[str, float]:
    """Run a batch twice in a flow; return both times, and what the first used and added to the memory of the process."""
    os.environ |= {
        "TOGETHER_BASE_URL": origin,
        "TOGETHER_API_KEY": "key",
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(folder),
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    from prefect import flow
    from prefect.testing.utilities import prefect_test_harness

    from prefect_together import ImageRequest, generate_batch

    requests = [ImageRequest(prompt=f"picture {n}", model=MODEL, seed=1, width=256, height=256) for n in range(count)]

    @flow
    def run(some: Any) -> float:
        return generate_batch(some, concurrency=AT_ONCE, fail_on="any").seconds

    with prefect_test_harness(server_startup_timeout=90):
        run([request.model_copy(update={"take": 1}) for request in requests[:40]])  # imports, connections
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        used = time.process_time()
        first = run(requests)
        used = time.process_time() - used
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        return {"batch": first, "batch-again": run(requests), "memory": grown, "batch-cpu": used}


def measured(rival: str, origin: str, count: int, folder: Path) -> dict[str, float]:
    """Run one rival here."""
    if rival == "batch":
        return batch(origin, count, folder)
    loops: dict[str, Callable[[str, int, Path], float]] = {
        "server": server,
        "bare": bare,
        "sdk": partial(sdk, aiohttp=False),
        "sdk-aiohttp": partial(sdk, aiohttp=True),
    }
    return {rival: loops[rival](origin, count, folder), f"{rival}-cpu": _used}


def main(count: int, kilobytes: int, rounds: int) -> None:
    """Run all rivals on one server, in turns, and print what came of it."""
    command = [sys.executable, str(HERE / "fake_server.py"), str(kilobytes)]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert serving.stdout
    origin = serving.stdout.readline().strip()
    taken: dict[str, list[float]] = {}
    # Nothing is deleted before the end: a file system that has just lost thousands of files makes new ones slowly.
    where, kind = disk()
    with tempfile.TemporaryDirectory(dir=where) as name:
        try:
            for turn in range(rounds):
                for rival in RIVALS if turn % 2 == 0 else RIVALS[::-1]:
                    folder = Path(name, f"{rival}-{turn}")
                    folder.mkdir()
                    begun = [sys.executable, __file__, "--rival", rival, origin, str(count), str(folder)]
                    shown = subprocess.run(begun, capture_output=True, text=True, check=False)
                    if shown.returncode:
                        print(f"{rival}: {shown.stderr.strip().splitlines()[-1]}")
                        continue
                    for what, value in json.loads(shown.stdout.strip().splitlines()[-1]).items():
                        taken.setdefault(what, []).append(value)
        finally:
            serving.kill()
    found = {what: median(values) for what, values in taken.items()}
    print(f"{count} pictures of {kilobytes} KB, {AT_ONCE} at once, into a folder on {kind}, median of {rounds}")
    for name in (*RIVALS, "batch-again"):
        if name in found:
            cpu = f"{found[f'{name}-cpu'] / count * 1000:5.2f} ms of CPU each" if found.get(f"{name}-cpu") else ""
            speed, ratio = count / found[name], found[name] / found["batch"]
            print(f"{name:12} {speed:7.0f} pictures/s  batch is {ratio:5.2f} times as fast  {cpu}")
    print(f"memory of the batch above the idle process: {found['memory']:.0f} MB")


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(measured(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))))
    else:
        given = [int(word) for word in sys.argv[1:]]
        main(*given, *(1000, 100, 3)[len(given) :])
