"""A large table becomes pictures by several processes that share its rows: kill any of them, and the others go on.

python flows/sharded.py --sandbox --workers 2                     a local Together, rows of its own: nothing is paid
python flows/sharded.py --table prompts.parquet --workers 4 --max-cost 20        the real one: set TOGETHER_API_KEY

Each worker is a process of this machine. On several machines, start it as a deployment once for each of them, with the same
parameters and a library that all can reach: prefect deploy -n sharded, prefect deployment run sharded/sharded
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from prefect import flow, get_client
from prefect.task_runners import ProcessPoolTaskRunner

from prefect_together import (
    BatchResult,
    RequestTable,
    SpendLimit,
    generate_batch,
    named_after,
    requests_from_table,
    run_as_command,
)

EXAMPLE = 120
"""Rows of the table that is made where none is given."""
PROCESSES: Any = ProcessPoolTaskRunner(max_workers=64)  # Prefect declares it as no runner of its own futures
ANIMALS = ("fox", "owl", "hare", "stork", "otter", "lynx", "heron", "badger")


@flow(name="sharded", flow_run_name=named_after("table"), task_runner=PROCESSES)
def sharded(
    table: str = "example",
    template: str | None = None,
    model: str = "black-forest-labs/FLUX.2-pro",
    width: int = 512,
    height: int = 512,
    seed: int = 7,
    out: str | None = None,
    workers: int = 1,
    concurrency: int = 32,
    chunk_size: int | None = None,
    max_cost: float | None = None,
) -> BatchResult:
    """Make a picture of every row of a table; all who run this with the same table at the same time share its rows.

    Args:
        table: A CSV, TSV, JSON lines or Parquet file that all processes can reach; "example" makes one of 120 rows.
        template: The prompt with columns in braces, e.g. "a photo of {product}"; without one, the column "prompt" is it.
        model: Together's id of the image model.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        seed: Makes each picture once for all runs; another seed makes others.
        out: Where to write the table that comes out, ending in .parquet or .csv.
        workers: How many processes this run starts; 1: it works by itself.
        concurrency: How many pictures at once, in each process.
        chunk_size: How many rows a process takes at a time.
        max_cost: USD that all processes together may spend on this table.
    """
    requests = _requests(table, template, {"model": model, "width": width, "height": height, "seed": seed})
    name = f"{Path(table).name} {model}"
    limit = None if max_cost is None else SpendLimit(name=name, usd=Decimal(str(max_cost)))
    if workers == 1:
        result = generate_batch(requests, name=name, concurrency=concurrency, chunk_size=chunk_size, limit=limit)
    else:
        with get_client(sync_client=True) as client:  # else each worker would start a temporary server of its own
            os.environ.setdefault("PREFECT_API_URL", str(client.api_url))
        shares = generate_batch.map(
            [requests] * workers, name=name, concurrency=concurrency, chunk_size=chunk_size, limit=limit
        )
        result = shares.result()[0]  # each of them has the same: what came of the whole table
    return result.model_copy(update={"tables": [result.write_table(out)]}) if out else result


def _requests(table: str, template: str | None, constants: dict[str, object]) -> RequestTable:
    if table == "example":
        rows = [{"prompt": f"a {ANIMALS[number % len(ANIMALS)]} in the snow, number {number}"} for number in range(EXAMPLE)]
        return requests_from_table(rows, constants={**constants, "width": 256, "height": 256})
    return requests_from_table(table, templates={"prompt": template} if template else None, constants=constants)


def report(result: BatchResult) -> str:
    """Return what is printed at the end."""
    return "\n".join([str(result), f"Manifest: {result.manifest}", *(f"Table: {table}" for table in result.tables)])


if __name__ == "__main__":
    raise SystemExit(run_as_command(sharded, report))
