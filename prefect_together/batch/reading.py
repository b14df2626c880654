"""What came of a named batch so far, read from its library at any time. Runs nothing."""

from __future__ import annotations

from prefect_together.batch.conclusion import conclusion
from prefect_together.batch.manifest import standing
from prefect_together.batch.results import BatchResult, read_lines
from prefect_together.batch.totals import Came, Totals
from prefect_together.generations.registry import read_result
from prefect_together.storage.storage import Storage


async def last_run(storage: Storage, name: str) -> tuple[str, bool] | None:
    """Return the key of the manifest of a batch's last run, and whether that has come to its end; None where there is none.

    Args:
        storage: The library.
        name: What the batch is called.
    """
    found = await standing(storage, name)
    keys = sorted({*found.whole, *found.growing})
    return (keys[-1], keys[-1] in found.whole) if keys else None


async def ended(storage: Storage, key: str, name: str) -> BatchResult | None:
    """Return the result of a run that wrote down how it ended."""
    found = await conclusion(storage, key)
    return found and found.result(storage, key, name)


def counted(storage: Storage, key: str, name: str, *, running: bool) -> BatchResult:
    """Return what the lines of a manifest add up to."""
    totals, uri = Totals(), storage.uri(f"{key}.jsonl")
    for line in read_lines(uri):
        results = [read_result(line["kind"], fields) for fields in line.get("files", ())]
        totals.take(line, Came(results=results, problem=line.get("error")))
    return totals.result(manifest=uri, block=storage.block, name=name, running=running)
