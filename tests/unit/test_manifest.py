"""Which manifest of a batch is the last one."""

from __future__ import annotations

from pathlib import Path

from prefect_together.batch.manifest import earlier, folder, new_key
from prefect_together.storage.storage import Storage


async def test_the_last_manifest_is_the_one_that_was_written_last(tmp_path: Path) -> None:
    """Also of runs that follow each other within a second, and behind those whose names go no further than seconds."""
    storage = Storage(str(tmp_path))
    await storage.write(f"{folder('season')}/20261122T123000-ffffff.jsonl", b"")
    keys = [new_key("season") for _ in range(20)]
    assert sorted(keys) == keys
    for key in keys:
        await storage.write(f"{key}.jsonl", b"")
        assert (storage.uri(f"{key}.jsonl"), []) == await earlier(storage, "season")


async def test_what_was_killed_since_is_known_too(tmp_path: Path) -> None:
    """Behind the last manifest of a run that came to its end come those that grew since then, and none from before."""
    storage = Storage(str(tmp_path))
    old, whole, killed, mine = [new_key("season") for _ in range(4)]
    for name in (f"{old}/000000-0001-000001", whole, f"{killed}/000000-0001-000001", f"{mine}/000000-0001-000001"):
        await storage.write(f"{name}.jsonl", b"")
    await storage.write(f"{folder('season')}/runs/00000001.json", b"{}")
    expected = storage.uri(f"{whole}.jsonl"), [storage.uri(f"{killed}.jsonl")]
    assert expected == await earlier(storage, "season", but=mine)
