"""A work pool of two machines on PostgreSQL and Redis: runs in it share a table, and what one machine left goes on at the other."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun, StateType

from prefect_together import BatchResult, read_batch
from prefect_together.automations import when_lost
from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import IMAGES, POLL
from .machines import Pool, skip_without_machines, work_pool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = 24
AT_ONCE = 3
MODEL = "black-forest-labs/FLUX.2-pro"
RUNS = {"auto": 3, "fail": 2}
"""How many runs have the table of each `on_unknown`; one of them is killed."""


@pytest.fixture(scope="module")
def pool(_together: Sandbox, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Run the machines for the tests of this module."""
    skip_without_machines()
    postgresql, redis_port = (request.getfixturevalue(name) for name in ("postgresql", "redis_port"))
    folder = tmp_path_factory.mktemp("machines")
    variables = {
        "TOGETHER_BASE_URL": _together.url, "TOGETHER_API_KEY": _together.api_key,
        "SUSPENDING": str(folder), "LOST": str(folder),
    }  # fmt: skip
    with work_pool(folder, postgresql, redis_port, variables) as running:
        yield running


def _shared(pool: Pool, word: str) -> list[FlowRun]:
    """Start the runs of one table."""
    table = pool.folder / f"{word}.csv"
    table.write_text("prompt\n" + "".join(f"{word} {number}\n" for number in range(ROWS)), encoding="utf-8")
    told: dict[str, Any] = {"table": str(table), "width": 64, "height": 64, "chunk_size": 3, "concurrency": AT_ONCE}
    told |= {"out": str(pool.folder / f"{word}-out.csv"), "on_unknown": word}
    return [pool.start("sharded", **told) for _ in range(RUNS[word])]


def _at_work(pool: Pool, word: str) -> int:
    """Return how many processes have claimed shards of a table."""
    claims = (pool.library / "batches").glob(f"{word}*/*/*-claimed.json")
    return len({json.loads(path.read_bytes())["member"] for path in claims})


def _senders(pool: Pool, word: str) -> dict[int, str]:
    """Return the processes that sent requests of a table, with their machines."""
    claims = [json.loads(path.read_bytes()) for path in (pool.library / "ledger").rglob("*-claimed.json")]
    return {one["owner"]["pid"]: one["owner"]["host"] for one in claims if f'"{word} ' in json.dumps(one)}


def test_runs_in_a_work_pool_share_a_table(pool: Pool, together: Sandbox) -> None:
    """One run of each table is killed: others take over what it had; one result, one manifest and one table come of it.

    Charged again is at most what was in flight, and with `on_unknown="fail"` nothing.
    """
    # Nobody gets anything before all have begun, however long that takes.
    together.fault(IMAGES, "429", hint="retry-after", wait=0.5, times=1_000_000)
    runs = {word: _shared(pool, word) for word in RUNS}
    until("all have shards", lambda: RUNS == {word: _at_work(pool, word) for word in runs}, every=0.1)
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    together.fault(IMAGES, "accept_then_delay", seconds=0.5, times=4 * ROWS)
    until("all have sent something", lambda: RUNS == {word: len(_senders(pool, word)) for word in runs}, every=0.1)
    for word in runs:
        os.kill(pool.process(runs[word][0]), signal.SIGKILL)
    assert {"machine-1", "machine-2"} == {host for word in runs for host in _senders(pool, word).values()}
    for killed, *others in runs.values():
        pool.comes_to(killed, StateType.CRASHED)
        results = [pool.result(run) for run in others]
        assert all(one == results[0] for one in results)
    _whole(pool, "auto", {"kept", "reused"})
    unknown = _whole(pool, "fail", {"kept", "reused", "unknown"})["unknown"]
    charged = Counter(charge.prompt for charge in together.charges())
    again = {word: sum(charged[f"{word} {number}"] for number in range(ROWS)) - ROWS for word in runs}
    assert 0 <= again["auto"] <= AT_ONCE
    assert -unknown <= again["fail"] <= 0
    assert {1} == {charged[prompt] for prompt in charged if prompt.startswith("fail")}
    assert unknown <= AT_ONCE


def _whole(pool: Pool, word: str, outcomes: set[str]) -> Counter[str]:
    """See every row in one manifest and one table, in order, and return what became of them."""
    result = read_batch(f"{word}.csv {MODEL}", library=pool.library)
    assert isinstance(result, BatchResult)
    assert list(range(1, ROWS + 1)) == [item.row for item in result.items]
    assert 1 == len(list((pool.library / "batches").glob(f"{word}*/**/*.jsonl")))
    table = (pool.folder / f"{word}-out.csv").read_text(encoding="utf-8").splitlines()
    assert [f"{word} {number}" for number in range(ROWS)] == [line.split(",")[0] for line in table[1:]]
    assert outcomes >= {item.outcome for item in result.items}
    return Counter(str(item.outcome) for item in result.items)


def test_what_a_dead_machine_left_goes_on_at_the_other(pool: Pool, together: Sandbox) -> None:
    """A run that died with its machine is started again, and one that waits suspended is resumed; neither pays again."""
    one, other = pool.machines
    other.pause()
    together.fault(POLL, "queued_forever")
    when_lost(restart=True, within=timedelta(seconds=10)).create()
    errand = pool.start("errand", folder=str(pool.folder), prompt="a fox")
    waits = pool.start("mapped", count=2)
    until("the first picture is there", (pool.folder / "pids").exists)
    pool.comes_to(waits, StateType.PAUSED)
    assert (1, 2) == (together.count("/v1/images"), together.count("/v2/videos"))
    one.off()
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    (pool.folder / "go").touch()
    other.resume()
    pool.comes_to(errand, StateType.CRASHED)
    until("it is started again", lambda: 2 == len(pool.runs("errand")), every=0.5)
    again = pool.runs("errand")[1]
    assert errand.parameters == again.parameters
    for run in (again, waits):
        pool.comes_to(run, StateType.COMPLETED)
    assert (2, 2) == (together.count("/v1/images"), together.count("/v2/videos"))
    assert 4 == len(together.charges())
