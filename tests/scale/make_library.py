"""Makes a library of many generations of text that nobody paid for, through the ledger's own writer, as the package writes it.

python tests/scale/make_library.py FOLDER ATTEMPTS [--open COUNT] [--packed]

Of the attempts, COUNT are not kept: a third each was claimed by a process that is gone, is unknown, and was refused. With --packed
all others are written as packs, by the packs' own writer, spread over a year; else as small entries, all of today.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from prefect_together.catalog import models
from prefect_together.engine.attempt import result_fields
from prefect_together.generations.generated_text import SPEC
from prefect_together.generations.registry import spec_named
from prefect_together.generations.results import Cost, ResultFacts
from prefect_together.generations.spec import Value
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.pack_format import PackWriter
from prefect_together.ledger.packs import ROOT as PACKED
from prefect_together.ledger.packs import SUFFIX
from prefect_together.storage.storage import Storage

_SAID = 50_000
_WORDS = [
    "a",
    "fox",
    "in",
    "the",
    "snow",
    "under",
    "an",
    "old",
    "lamp",
    "keeps",
    "watch",
    "while",
    "rain",
    "falls",
    "on",
    "the",
    "quiet",
    "harbour",
    "and",
    "boats",
    "return",
    "late",
]


def template() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a claim and a result hold, by the types themselves."""
    model = next(model.id for model in models() if model.kind == "chat")
    request = spec_named("chat").request(model=model, prompt="PROMPT", seed=1)
    message = {"role": "assistant", "content": "ANSWER"}
    usage = {"prompt_tokens": 50, "completion_tokens": 80, "total_tokens": 130}
    answer = Value({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage, "id": "id"})
    result = SPEC.build(request, answer, ResultFacts("f" * 40, Cost(None)))
    claim = {"account": "0123456789ab", "realm": "loopback", "kind": "chat", "model": model, "title": "PROMPT"}
    claim |= {"request": request.model_dump(mode="json", exclude_unset=True), "estimated_cost": "0.0001", "flow_run": None}
    return claim, result_fields(result)


def told(
    claim: dict[str, Any], result: dict[str, Any], fingerprint: str, chance: random.Random
) -> tuple[dict[str, Any], ...]:
    """Return the claim and the result of one of them, with words of its own."""
    prompt = " ".join(chance.choices(_WORDS, k=30))
    asked = {**owned(), **claim, "title": prompt, "request": {**claim["request"], "prompt": prompt}}
    said = {**result["choices"][0], "content": " ".join(chance.choices(_WORDS, k=60))}
    return asked, {"media": [{**result, "fingerprint": fingerprint, "request": asked["request"], "choices": [said]}]}


async def make_small(storage: Storage, numbers: range, kept_from: int) -> None:
    """Write attempts as small entries."""
    ledger, chance, began = Ledger(storage), random.Random(7), time.monotonic()
    claim, result = template()
    for number in numbers:
        fingerprint = hashlib.sha256(b"%d" % number).hexdigest()[:40]
        asked, kept = told(claim, result, fingerprint, chance)
        attempt = Attempt(fingerprint, "any", 1)
        await ledger.record(attempt, "claimed", asked)
        if number >= kept_from:
            await ledger.record(attempt, "stored", kept)
        elif number % 3:
            await ledger.record(attempt, "unknown" if number % 3 == 1 else "refused", {"why": "It was made up"})
        if number % _SAID == _SAID - 1:
            print(f"  {number + 1:,} after {time.monotonic() - began:.0f} s", file=sys.stderr)


async def make_packs(storage: Storage, count: int) -> None:
    """Write kept attempts as packs."""
    claim, result = template()
    chance, began = random.Random(7), datetime(2026, 1, 1, tzinfo=timezone.utc)
    for prefix in range(256):
        writer = PackWriter()
        digits = (hashlib.sha256(b"%d %d" % (prefix, number)).hexdigest()[:38] for number in range(count // 256))
        for fingerprint in sorted(f"{prefix:02x}{some}" for some in digits):
            asked, kept = told(claim, result, fingerprint, chance)
            at = {"version": 1, "at": (began + timedelta(seconds=chance.randrange(365 * 24 * 3600))).isoformat()}
            writer.add((fingerprint, "any", 1), {"claimed": {**at, **asked}, "stored": {**at, "token": "made", **kept}})
        await storage.create(f"{PACKED}/{prefix:02x}/00000001{SUFFIX}", writer.finish())


async def make(storage: Storage, count: int, still_open: int, *, packed: bool) -> None:
    """Write so many attempts."""
    await make_small(storage, range(still_open if packed else count), still_open)
    if packed:
        await make_packs(storage, count - still_open)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("attempts", type=int)
    parser.add_argument("--open", type=int, default=0, metavar="COUNT")
    parser.add_argument("--packed", action="store_true")
    given = parser.parse_args()
    asyncio.run(make(Storage(given.folder), given.attempts, given.open, packed=given.packed))
