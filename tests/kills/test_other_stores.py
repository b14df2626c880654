"""The library's contract on stores of other makers: an S3 that is not moto's, and Azure by Microsoft's emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import ConfigurationError
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage
from tests.other_stores import azurite, ministack, nanio
from tests.waiting import until

from .asking import DEAR, IMAGES, PICTURE, job
from .running import Workshop, at_once

pytestmark = pytest.mark.slow
STORES = {"ministack": ministack, "azurite": azurite}
SMALL = {**PICTURE, "width": 64, "height": 64}


@pytest.fixture(scope="module", params=STORES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run one of the stores, and return where a bucket is in it."""
    with STORES[request.param](tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def store(running: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return where a library of this test alone is."""
    return {**running, "library": f"{running['library']}/{request.node.name.partition('[')[0]}"}


async def test_what_a_library_asks_of_a_store(store: dict[str, Any]) -> None:
    """Created once among all who try; written, streamed, read in parts, listed over several pages, removed."""
    storage = Storage(store["library"], store["options"], remembered=False)
    won = await asyncio.gather(*(storage.create("x/one.json", str(number).encode()) for number in range(16)))
    assert [True] == [one for one in won if one]
    assert str(won.index(True)).encode() == await storage.read("x/one.json")
    await storage.write("x/ä b+c%20&.json", b"first")
    await storage.write("x/ä b+c%20&.json", b"second")
    assert b"eco" == await storage.read_range("x/ä b+c%20&.json", 1, 3)
    assert ["x/one.json", "x/ä b+c%20&.json"] == await storage.names("x")
    assert [b"second", None] == await storage.read_all(["x/ä b+c%20&.json", "x/none"])

    async def film() -> AsyncIterator[bytes]:
        for number in range(12):
            yield bytes([number]) * 1024 * 1024

    await storage.write_stream("films/long.mp4", film())
    assert 12 * 1024 * 1024 == await storage.size("films/long.mp4")
    many = [f"many/{number:04d}.json" for number in range(1050)]
    await asyncio.gather(*(storage.write(key, b"{}") for key in many))
    assert many == await storage.names("many")
    await storage.remove([*many, "many/none.json"])
    assert [] == await storage.names("many")
    await storage.delete("x/one.json")
    await storage.delete("x/one.json")
    assert await storage.create("x/one.json", b"again")


def test_a_batch_with_a_limit(store: dict[str, Any], together: Sandbox, workers: Workshop) -> None:
    """Each row is paid for once, and found by the next run of its name."""
    rows = [{**SMALL, "seed": seed} for seed in range(6)]
    named = {"name": "foxes", "limit": ["autumn", 0.18]}
    told = {**job(together, store["library"], *rows, options=store["options"]), "named": named}
    results = [workers.start(told).ends()["result"] for _ in range(2)]
    assert [(6, 0), (0, 6)] == [(result["kept"], result["reused"]) for result in results]
    assert 6 == len(together.charges())


def test_processes_that_ask_for_the_same_pay_once(
    store: dict[str, Any], together: Sandbox, workers: Workshop, tmp_path: Path
) -> None:
    """One claim wins."""
    told = job(together, store["library"], {**PICTURE, "seed": 7}, options=store["options"])
    running = at_once(workers, [told] * 3, tmp_path / "gate")
    assert 1 == len({worker.stored()[0]["uri"] for worker in running})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("point", ["after-accepted", "polling", "downloading", "after-file"])
def test_killed_and_started_again(point: str, store: dict[str, Any], together: Sandbox, workers: Workshop) -> None:
    """From the record of the answer on nothing is paid again."""
    told = job(together, f"{store['library']}-{point}", {**DEAR, "seed": 7}, options=store["options"])
    assert point == workers.start({**told, "kill": point}).ends()["at"]
    workers.start(told).stored()
    assert 1 == len(together.charges())


def test_killed_during_the_post(store: dict[str, Any], together: Sandbox, workers: Workshop) -> None:
    """The claim tells that it may have been charged."""
    together.fault(IMAGES, "accept_then_delay", seconds=30)
    told = job(together, store["library"], {**PICTURE, "seed": 7}, options=store["options"], on_unknown="fail")
    worker = workers.start(told)
    until("it is charged", together.charges)
    worker.kill()
    assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert 1 == len(together.charges())


def test_a_store_that_creates_what_is_there_is_refused(tmp_path: Path, together: Sandbox, workers: Workshop) -> None:
    """In one sentence, before anything is sent: it takes the condition and does not heed it."""
    with nanio(tmp_path) as store:
        said = workers.start(job(together, store["library"], PICTURE, options=store["options"])).ends()
    assert (ConfigurationError.__name__, 0) == (said["outcome"], len(together.charges()))
    assert (
        "s3://films/media lets two writers create the same object, so nothing there can tell who pays: choose a store with "
        "conditional writes (If-None-Match)."
    ) == said["message"]
