"""Makes a library of many generations of text that nobody paid for, through the ledger's own writer, as the package writes it.

python tests/scale/make_library.py FOLDER ATTEMPTS [--open COUNT] [--packed]

Of the attempts, COUNT are open: a third each was claimed by a process that is gone, is unknown, or is settled as refused. All
others are kept. With --packed, the kept ones are packed whenever fifty thousand have been written.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
import time
from typing import Any

from prefect_together.catalog import models
from prefect_together.engine.attempt import result_fields
from prefect_together.generations.generated_text import SPEC
from prefect_together.generations.registry import spec_named
from prefect_together.generations.results import Cost, ResultFacts
from prefect_together.generations.spec import Value
from prefect_together.ledger.leases import owned
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.packing import pack
from prefect_together.storage.storage import Storage

_AT_ONCE = 50_000
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


async def make(storage: Storage, count: int, still_open: int, *, packed: bool) -> None:
    """Write so many attempts."""
    ledger, (claim, result), chance = Ledger(storage), template(), random.Random(7)
    began = time.monotonic()
    for number in range(count):
        fingerprint = hashlib.sha256(b"%d" % number).hexdigest()[:40]
        attempt = Attempt(fingerprint, "any", 1)
        prompt = " ".join(chance.choices(_WORDS, k=30)) + f" {number}"
        asked = {**claim, "title": prompt, "request": {**claim["request"], "prompt": prompt}}
        await ledger.record(attempt, "claimed", {**owned(), **asked})
        if number >= still_open:
            said = {**result["choices"][0], "content": " ".join(chance.choices(_WORDS, k=60))}
            kept = {**result, "fingerprint": fingerprint, "request": asked["request"], "choices": [said]}
            await ledger.record(attempt, "stored", {"media": [kept]})
        elif number % 3:
            await ledger.record(attempt, "unknown" if number % 3 == 1 else "refused", {"why": "It was made up"})
        if packed and (number % _AT_ONCE == _AT_ONCE - 1 or number == count - 1):
            await pack(storage)
        if number % _AT_ONCE == _AT_ONCE - 1:
            print(f"  {number + 1:,} of {count:,} after {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("attempts", type=int)
    parser.add_argument("--open", type=int, default=0, metavar="COUNT")
    parser.add_argument("--packed", action="store_true")
    given = parser.parse_args()
    asyncio.run(make(Storage(given.folder), given.attempts, given.open, packed=given.packed))
