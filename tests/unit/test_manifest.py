"""Which manifest of a batch is the last one."""

from __future__ import annotations

from pathlib import Path

from prefect_together.batch.manifest import folder, latest, new_key
from prefect_together.storage.storage import Storage


async def test_the_last_manifest_is_the_one_that_was_written_last(tmp_path: Path) -> None:
    """Also of runs that follow each other within a second, and behind those whose names go no further than seconds."""
    storage = Storage(str(tmp_path))
    await storage.write(f"{folder('season')}/20261122T123000-ffffff.jsonl", b"")
    keys = [new_key("season") for _ in range(20)]
    assert sorted(keys) == keys
    for key in keys:
        await storage.write(f"{key}.jsonl", b"")
        assert storage.uri(f"{key}.jsonl") == await latest(storage, "season")
