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
from typing import Annotated, Any, Literal

from prefect import flow, get_client
from prefect.task_runners import ProcessPoolTaskRunner
from pydantic import AfterValidator, Field

from prefect_together import (
    BatchResult,
    ImageModelId,
    Plan,
    RequestTable,
    SpendLimit,
    check_table_path,
    generate_batch,
    named_after,
    requests_from_table,
    run_as_command,
)
from prefect_together import plan as plan_requests

EXAMPLE = 120
"""Rows of the table that is made where none is given."""
MOST = 64
"""Processes that one run may start."""
PROCESSES: Any = ProcessPoolTaskRunner(max_workers=MOST)  # Prefect declares it as no runner of its own futures
ANIMALS = ("fox", "owl", "hare", "stork", "otter", "lynx", "heron", "badger")


def _table(path: str) -> str:
    if path != "example":
        requests_from_table(path, constants={"prompt": "any", "model": "any"})
    return path


def _writable(path: str) -> str:
    check_table_path(path)
    return path


@flow(name="sharded", flow_run_name=named_after("table"), task_runner=PROCESSES)
def sharded(
    table: Annotated[str, AfterValidator(_table)] = "example",
    template: str | None = None,
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    width: Annotated[int, Field(ge=64, le=4096)] = 512,
    height: Annotated[int, Field(ge=64, le=4096)] = 512,
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    out: Annotated[str, AfterValidator(_writable)] | None = None,
    workers: Annotated[int, Field(ge=1, le=MOST)] = 1,
    concurrency: Annotated[int, Field(ge=1)] = 32,
    chunk_size: Annotated[int, Field(ge=1)] | None = None,
    max_cost: Annotated[Decimal, Field(gt=0)] | None = None,
    on_unknown: Literal["auto", "fail", "resubmit"] = "auto",
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> BatchResult | Plan:
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
        on_unknown: What becomes of rows that a dead process was sending: "auto" sends cheap ones again, "fail" none.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    requests = _requests(table, template, {"model": model, "width": width, "height": height, "seed": seed})
    name = f"{Path(table).name} {model}"
    if plan:
        return plan_requests(requests, name=name, max_cost=max_cost, on_unknown=on_unknown)
    limit = None if max_cost is None else SpendLimit(name=name, usd=max_cost)
    if workers == 1:
        result = generate_batch(
            requests, name=name, concurrency=concurrency, chunk_size=chunk_size, limit=limit, on_unknown=on_unknown
        )
    else:
        with get_client(sync_client=True) as client:  # else each worker would start a temporary server of its own
            os.environ.setdefault("PREFECT_API_URL", str(client.api_url))
        shares = generate_batch.map(
            [requests] * workers, name=name, concurrency=concurrency, chunk_size=chunk_size, limit=limit,
            on_unknown=on_unknown,
        )  # fmt: skip
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
    raise SystemExit(run_as_command(sharded, report, needs_key=True))
