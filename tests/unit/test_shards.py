"""Shards whose run others end while one process is stopped: it finds that out, and neither fails nor begins anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch.conclusion import Conclusion
from prefect_together.batch.run_log import Members, Run, RunLog
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.batch.shards import Lines, Shard, Shards
from prefect_together.batch.totals import Totals
from prefect_together.ledger.ledger import Ledger
from prefect_together.storage.storage import Storage

NAME, PLAN = "season", "plan"


async def _ends(_: Totals, __: Lines) -> Conclusion:
    return Conclusion(totals=Totals())


class Taking:
    """One call that takes part in a run of two rows, one shard each."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(str(folder))
        self.members = Members(Ledger(self.storage))
        self.log = RunLog(self.storage, NAME, self.members)

    async def join(self, run: Run | None = None) -> Shards:
        """Take part, in a run that is known already or in the one under way."""
        self.run = run or await self.log.enter(PLAN, rows=2, size=1)
        self.shards = Shards(self.storage, self.run, self.members)
        return self.shards

    async def finish(self, shard: Shard) -> None:
        """Do a shard."""
        lines = ShardLines(self.storage, self.shards.prefix(shard))
        lines.put(shard.number + 1, {"row": shard.number + 1, "outcome": "kept"})
        await lines.save()
        await self.shards.finish(shard, lines)
        lines.close()

    async def end(self) -> None:
        """Do all that is left, and end the run."""
        while shard := await self.shards.claim():
            if shard.numbers:
                await self.finish(shard)
            else:
                await self.shards.conclude(shard, _ends)
        await self.log.close(self.run.key)


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "batches").rglob("*-claimed.json"))


async def test_a_run_that_ended_before_a_claim_is_not_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looked before the end, and claims after what the run consisted of is gone, has nothing to do and leaves nothing."""
    quick, slow = Taking(tmp_path), Taking(tmp_path)
    await quick.join()
    shards, looked = await slow.join(quick.run), Shards._look  # pyright: ignore[reportPrivateUsage]

    async def look(self: Shards) -> Any:
        seen = await looked(self)
        if self is shards:
            await quick.end()
        return seen

    monkeypatch.setattr(Shards, "_look", look)
    assert await shards.claim() is None
    assert [] == _left(tmp_path)


async def test_whose_claim_is_gone_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who saw a shard claimed, and asks by whom after the run has ended, hears that it has."""
    quick, slow = Taking(tmp_path), Taking(tmp_path)
    await quick.join()
    mine = [await quick.shards.claim(), await quick.shards.claim()]
    shards, looked = await slow.join(quick.run), Shards._look  # pyright: ignore[reportPrivateUsage]

    async def look(self: Shards) -> Any:
        seen = await looked(self)
        if self is shards:
            for shard in mine:
                assert shard is not None
                await quick.finish(shard)
            await quick.end()
        return seen

    monkeypatch.setattr(Shards, "_look", look)
    assert await shards.claim() is None


async def test_parts_that_go_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was taken for dead and ends its shard removes its parts: who took the shard over looks its rows up instead."""
    slow, quick = Taking(tmp_path), Taking(tmp_path)
    await slow.join()
    shard = await slow.shards.claim()
    assert shard is not None
    lines = ShardLines(slow.storage, slow.shards.prefix(shard))
    lines.put(1, {"row": 1, "outcome": "kept"})
    await lines.save()
    shards, looked = await quick.join(slow.run), Shards._look  # pyright: ignore[reportPrivateUsage]
    second = Shard(shard.number, 2, shard.numbers)
    assert {1} == set(await shards.left(second))

    async def look(self: Shards) -> Any:
        seen = await looked(self)
        await lines.forget_parts()
        return seen

    monkeypatch.setattr(Shards, "_look", look)
    assert {} == await shards.left(second)
    lines.close()


async def test_who_makes_the_manifest_second(tmp_path: Path) -> None:
    """Who was stopped before it made the manifest, and finds it made and the shards gone, has nothing to do."""
    slow, quick = Taking(tmp_path), Taking(tmp_path)
    await slow.join()
    while (shard := await slow.shards.claim()) and shard.numbers:
        await slow.finish(shard)
    assert shard is not None
    await quick.join(slow.run)
    await quick.shards.conclude(shard, _ends)
    await quick.log.close(quick.run.key)
    assert not await slow.shards.conclude(shard, _ends)
