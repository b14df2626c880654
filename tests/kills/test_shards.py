"""Several processes are given the same named batch: they share its rows, and what a killed one leaves the others do."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_together import BatchResult, TogetherCredentials, generate_batch, read_batch
from prefect_together.generations.registry import read_request
from prefect_together.ledger.ledger import History, Ledger
from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import IMAGES, PICTURE, job
from .batching import LLAMA
from .running import Running, Workshop, at_once

pytestmark = pytest.mark.slow

ROWS = 36
AT_ONCE = 3
PRICE = Decimal("0.03")
REQUESTS = [{**PICTURE, "prompt": f"fox {number}", "width": 64, "height": 64} for number in range(ROWS)]
"""Without seeds: all that processes share of them they share because of the name."""


def _job(together: Sandbox, library: Path, **more: Any) -> dict[str, Any]:
    named = {"name": "season", "chunk_size": 4, "concurrency": AT_ONCE, **more.pop("named", {})}
    return job(together, library, *more.pop("requests", REQUESTS), named=named, overdue=1.6, **more)


def _results(running: list[Running]) -> list[BatchResult]:
    said = [worker.ends() for worker in running]
    assert [(0, "ran")] * len(said) == [(one["code"], one.get("outcome")) for one in said], said
    return [BatchResult.model_validate(one["result"]) for one in said]


def _whole(result: BatchResult, rows: int = ROWS) -> None:
    """See every row in one manifest, in order, each with what is asked for."""
    assert list(range(1, rows + 1)) == [item.row for item in result.items]
    assert {"kept", "reused"} >= {item.outcome for item in result.items}
    home = Path(result.manifest.removeprefix("file://")).parent
    assert [Path(result.manifest).name] == [path.name for path in home.rglob("*.jsonl")]


def _senders(library: Path) -> Counter[int]:
    """Return how many requests each process sent."""
    claims = (json.loads(path.read_bytes()) for path in (library / "ledger").rglob("*-claimed.json"))
    return Counter(claim["owner"]["pid"] for claim in claims)


@pytest.mark.parametrize("machines", [[None, None], ["one", "two"]], ids=["one-machine", "two-machines"])
def test_processes_share_the_rows_and_have_one_result(
    machines: list[str | None], together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Each sends a part, every row is paid for once, and both return the same result of the whole."""
    together.fault(IMAGES, "accept_then_delay", seconds=0.2, times=ROWS)
    jobs = [_job(together, library, machine=machine) for machine in machines]
    one, other = _results(at_once(workers, jobs, library.with_name("gate")))
    assert one == other
    assert (ROWS, ROWS * PRICE) == (one.kept, one.estimated_cost)
    _whole(one)
    assert ROWS == len(together.charges())
    assert 2 == len(_senders(library))
    (again,) = _results([workers.start(_job(together, library))])
    assert (ROWS, one.manifest) == (again.reused, again.previous)


@pytest.mark.parametrize("machine", [None, "elsewhere"], ids=["same-machine", "another-machine"])
def test_what_a_killed_process_leaves_the_other_does(
    machine: str | None, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Its shard is taken over; what it said of its rows counts for the run; more is paid for only what was in flight."""
    together.fault(IMAGES, "accept_then_delay", seconds=0.2, times=2 * ROWS)
    jobs = [_job(together, library, machine=machine), _job(together, library)]
    killed, other = at_once(workers, jobs, library.with_name("gate"))
    until("both have sent something", lambda: len(_senders(library)) == 2 and len(together.charges()) > 12)
    killed.kill()
    (result,) = _results([other])
    _whole(result)
    assert ROWS <= len(together.charges()) <= ROWS + AT_ONCE
    assert ROWS - AT_ONCE - 3 <= result.kept  # it was killed before it could say what it kept last


def test_random_kills_cost_what_was_in_flight(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Two machines, one of which is killed every moment and comes back: the rest of the rows is paid for once."""
    together.fault(IMAGES, "accept_then_delay", seconds=0.1, times=3 * ROWS)
    kills = _ends_among_kills(together, workers, library)
    charged = Counter(charge.prompt for charge in together.charges())
    assert (ROWS, True) == (len(charged), sum(charged.values()) - ROWS <= kills * AT_ONCE)


def test_random_kills_cost_nothing_where_nothing_may_be_risked(together: Sandbox, workers: Workshop, library: Path) -> None:
    """With `on_unknown="fail"` no row is charged twice, and a limit that all share is never passed."""
    together.fault(IMAGES, "accept_then_delay", seconds=0.1, times=3 * ROWS)
    limit = 30 * PRICE
    _ends_among_kills(together, workers, library, on_unknown="fail", named={"limit": ["season", str(limit)]})
    charged = Counter(charge.prompt for charge in together.charges())
    assert {1} == set(charged.values())
    assert 0 < PRICE * len(charged) <= limit


def _ends_among_kills(together: Sandbox, workers: Workshop, library: Path, **more: Any) -> int:
    """Run it on two machines, kill one at random now and then, and start it again; return how many were killed."""
    chance, kills = random.Random(7), 0
    running = [workers.start(_job(together, library, machine=f"machine-{n}", **more)) for n in range(2)]
    for kills in range(1, 4):
        charges = len(together.charges())
        until("it goes on", lambda charges=charges: len(together.charges()) >= min(charges + 2, 12))
        victim = running.pop(chance.randrange(len(running)))
        victim.kill()
        running.append(workers.start(_job(together, library, machine=f"machine-{kills + 2}", **more)))
    results = _results(running)
    assert ROWS == results[-1].total
    return kills


def test_a_run_after_a_kill_looks_up_only_what_was_not_said(
    together: Sandbox, workers: Workshop, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest grows while it runs: the next run takes it from there, and its first rows can be read meanwhile."""
    together.fault(IMAGES, "accept_then_delay", seconds=0.2, times=2 * ROWS)
    first = workers.start(_job(together, library))
    until("some rows can be read", lambda: library.exists() and _so_far(library) >= 8)
    found = read_batch("season", library=library)
    assert found is not None
    assert found.running
    assert all(item.media[0].verify() for item in found.items)
    first.kill()
    known, charges = _so_far(library), len(together.charges())
    looked_up, history = set[str](), Ledger.history

    async def look(self: Ledger, fingerprint: str) -> History:
        looked_up.add(fingerprint)
        return await history(self, fingerprint)

    monkeypatch.setattr(Ledger, "history", look)
    requests = [read_request("image", {name: value for name, value in one.items() if name != "kind"}) for one in REQUESTS]
    account = TogetherCredentials(api_key=SecretStr(together.api_key), base_url=together.url)
    again = generate_batch.fn(requests, credentials=account, library=library, name="season", chunk_size=4)
    assert known <= again.reused <= charges
    assert ROWS - known >= len(looked_up)
    _whole(again)
    assert ROWS + AT_ONCE >= len(together.charges())


def _so_far(library: Path) -> int:
    found = read_batch("season", library=library)
    return 0 if found is None else found.total


def test_a_batch_at_together_is_shared_too(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Each process sends files of some of the rows; every row is charged once, and both have the same result."""
    questions = [{"kind": "chat", "model": LLAMA, "prompt": f"Name fox {n}.", "max_tokens": 60, "seed": 7} for n in range(8)]
    jobs = [_job(together, library, requests=questions, named={"via": "batch", "chunk_size": 2})] * 2
    one, other = _results(at_once(workers, jobs, library.with_name("gate")))
    assert one == other
    _whole(one, 8)
    assert (4, 8) == (len(together.batches()), len(together.charges()))
