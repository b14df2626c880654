"""How a batch grows: time per picture in a large batch and in a full library, and memory of large pictures; judges nothing.

python tests/benchmarks/batch_growth.py [pictures] [times as many] [in the full library] [rounds]

    small     so many pictures of 2 KB, an empty library
    large     ten times as many
    full      as many as in small, into a library that holds a hundred thousand others
    heavy     a thousand pictures of 1 MB: what they add to the process, at their highest

Each runs in a process and a flow of its own, after forty pictures that bring in what is imported late.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from servers import Highest, measured, medians, prefect, settings, together

AT_ONCE = 32
MODEL = "black-forest-labs/FLUX.2-pro"


async def fill(folder: str, count: int) -> None:
    """Put pictures into a library that nobody made: a file, a claim and a reference for each, as the package writes them."""
    from prefect_together.engine.attempt import result_fields
    from prefect_together.engine.ingest import FileNaming
    from prefect_together.generations.fingerprint import fingerprint_of
    from prefect_together.generations.formats import Shape
    from prefect_together.generations.image import SPEC, ImageRequest
    from prefect_together.generations.kept_file import StoredFile
    from prefect_together.generations.results import Cost, ResultFacts
    from prefect_together.ledger.heartbeats import owned
    from prefect_together.ledger.ledger import Attempt, Ledger
    from prefect_together.storage.storage import Storage

    storage = Storage(folder)
    ledger = Ledger(storage)

    async def one(number: int) -> None:
        request = ImageRequest(prompt=f"an older picture {number}", model=MODEL, seed=1, width=256, height=256)
        fingerprint = await fingerprint_of(request, environment="loopback")
        attempt, key = Attempt(fingerprint, "any", 1), FileNaming(SPEC, request.title(), fingerprint).key("jpg")
        now = datetime.now(timezone.utc)
        kept = StoredFile(storage.uri(key), key, f"{number:064x}", 3, "image/jpeg", Shape(256, 256), now)
        claim = {"kind": "image", "model": MODEL, "request": request.model_dump(mode="json", exclude_unset=True)}
        result = SPEC.build(request, kept, ResultFacts(fingerprint, Cost()))
        await storage.write(key, b"old")
        await ledger.record(attempt, "claimed", {**owned(), **claim})
        await ledger.record(attempt, "stored", {"media": [result_fields(result)]})

    async def some(numbers: Iterator[int]) -> None:
        for number in numbers:
            await one(number)

    numbers = iter(range(count))
    await asyncio.gather(*(some(numbers) for _ in range(AT_ONCE)))


def run(origin: str, count: int, filled: int) -> dict[str, float]:
    """Run one batch here."""
    with tempfile.TemporaryDirectory() as name:
        os.environ |= settings(origin, name)
        from prefect import flow

        from prefect_together import ImageRequest, generate_batch

        asyncio.run(fill(f"{name}/library", filled))

        @flow
        def pictures(first: int, last: int) -> float:
            numbers = range(first, last)
            some = [ImageRequest(prompt=f"picture {n}", model=MODEL, seed=1, width=256, height=256) for n in numbers]
            return generate_batch(some, concurrency=AT_ONCE, fail_on="any").seconds

        pictures(count, count + 40)
        highest, used = Highest(), time.process_time()
        seconds = pictures(0, count)
        return {
            "each": 1000 * seconds / count,
            "cpu": 1000 * (time.process_time() - used) / count,
            "memory": highest.megabytes(),
            "files": sum(1 for _ in Path(name, "library").rglob("*.jpg")),
        }


def main(count: int, times: int, filled: int, rounds: int) -> None:
    """Run all and print what came of it."""
    rivals = {"small": (count, 0), "large": (count * times, 0), "full": (count, filled), "heavy": (1000, 0)}
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in rivals}
    with prefect() as server, together(2) as light, together(1000) as heavy:
        for number in range(rounds):
            for rival in list(rivals) if number % 2 == 0 else list(rivals)[::-1]:
                told = (heavy if rival == "heavy" else light, *rivals[rival])
                server.settle()
                found[rival].append(measured(__file__, rival, *told, env={"PREFECT_API_URL": server.url}))
                print(f"  {rival:8} {found[rival][-1]}", file=sys.stderr)
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{'':8} {'pictures':>9} {'files':>8} {'each':>9} {'CPU':>9} {'÷ small':>8} {'CPU ÷':>6} {'memory':>8}")
    for rival, numbers in middle.items():
        print(
            f"{rival:8} {rivals[rival][0]:9,} {numbers['files']:8,.0f} {numbers['each']:6.2f} ms {numbers['cpu']:6.2f} ms "
            f"{numbers['each'] / middle['small']['each']:8.2f} {numbers['cpu'] / middle['small']['cpu']:6.2f} "
            f"{numbers['memory']:5.0f} MB"
        )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
    else:
        given = [int(value) for value in sys.argv[1:]]
        main(*(given + [1000, 10, 100_000, 1][len(given) :]))
