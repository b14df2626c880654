"""A table of prompts becomes a table of pictures, and a clip of each if wanted: kill it at any row and start it again.

python flows/prompt_table.py --sandbox --table prompts.csv                  a local Together: nothing is paid
python flows/prompt_table.py --table prompts.csv --plan                     what it would send and cost
python flows/prompt_table.py --table prompts.csv --max-cost 20              the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import AfterValidator

from prefect_together import (
    BatchFailed,
    BatchResult,
    GeneratedImage,
    ImageModelId,
    MediaReference,
    Plan,
    RequestTable,
    VideoModelId,
    VideoRequest,
    check_table_path,
    expected,
    generate_batch,
    named_after,
    requests_from_table,
    run_as_command,
)
from prefect_together import plan as plan_batch
from prefect_together.errors import InvalidRequest


def _table(path: str) -> str:
    requests_from_table(path, constants={"prompt": "any", "model": "any"})
    return path


@flow(name="prompt-table", flow_run_name=named_after("table"))
def prompt_table(
    table: Annotated[str, AfterValidator(_table)],
    template: str | None = None,
    rows: int | None = None,
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    width: int = 512,
    height: int = 512,
    seed: int = 7,
    clip_model: VideoModelId | None = None,
    motion: str = "slow push in",
    out: str = "pictures",
    concurrency: int = 32,
    max_cost: float | None = None,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> Plan | list[BatchResult]:
    """Make a picture of every row of a table, and write a table of what came of each.

    Args:
        table: A CSV, TSV, JSON lines or Parquet file, here or in an object store.
        template: The prompt with columns in braces, e.g. "a photo of {product}"; without one, the column "prompt" is it.
        rows: How many rows to take, from the first.
        model: Together's id of the image model.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        seed: Makes each picture once for all runs; another seed makes others.
        clip_model: Together's id of a video model; with one, every picture is set in motion too.
        motion: What happens in the clips.
        out: What the tables that come out are called, without ending; a .parquet and a .csv are written. Or the table of a
            database, such as "sqlite:///shop.db#pictures"; that of the clips is called pictures-clips.
        concurrency: How many pictures or clips at once.
        max_cost: USD that this run may spend on pictures, and again on clips.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    requests = requests_from_table(
        table,
        templates={"prompt": template} if template else None,
        constants={"model": model, "width": width, "height": height, "seed": seed},
        rows=rows,
    )
    name = f"{Path(table).name} {model}"
    if plan:
        planned = plan_batch(requests, name=name, max_cost=max_cost)
        if clip_model:
            frames = _expected(requests)
            clips = [VideoRequest(prompt=motion, model=clip_model, frame_images=[frame], seed=seed) for frame in frames]
            planned += plan_batch(clips, name=f"{name} {clip_model}", max_cost=max_cost)
        return planned
    tables = _places(out)
    clip_tables = _places(out, "-clips") if clip_model else []
    for path in (*tables, *clip_tables):
        check_table_path(path)
    results = [_batch(requests, name, tables, concurrency, max_cost)]
    if clip_model:
        stills = [picture for picture in results[0].media if isinstance(picture, GeneratedImage)]
        clips = [VideoRequest(prompt=motion, model=clip_model, frame_images=[still], seed=seed) for still in stills]
        results.append(_batch(clips, f"{name} {clip_model}", clip_tables, concurrency, max_cost))
    return results


def _places(out: str, clips: str = "") -> list[str]:
    """Return where tables are written: two files, or a table of a database."""
    if re.match(r"(?i)(sqlite|duckdb|postgres(ql)?)[+:]", out):
        return [out + clips]
    out = out.removesuffix(".csv").removesuffix(".parquet")
    return [f"{out}{clips}{ending}" for ending in (".parquet", ".csv")]


def _batch(
    requests: RequestTable | list[VideoRequest], name: str, tables: list[str], concurrency: int, max_cost: float | None
) -> BatchResult:
    """Run a batch and write its tables; a batch that failed has some too, for what it paid for is in them."""
    try:
        result = generate_batch(requests, name=name, concurrency=concurrency, max_cost=max_cost)
    except BatchFailed as failed:
        if failed.result is not None:
            written = _write(failed.result, tables)
            failed.advice = f"{failed.advice} Its tables: {', '.join(written.tables)}."
        raise
    return _write(result, tables)


def _write(result: BatchResult, tables: list[str]) -> BatchResult:
    """Write every table that can be written, and then raise what kept another one from it."""
    written, problems = list[str](), list[Exception]()
    for path in tables:
        try:
            written.append(result.write_table(path))
        except Exception as error:  # noqa: PERF203 - whatever is wrong with one place: the others may be fine
            problems.append(error)
    if problems:
        raise problems[0]
    return result.model_copy(update={"tables": written})


def _expected(requests: RequestTable) -> Iterator[MediaReference]:
    """Yield the pictures that there will be; a row whose own files cannot be read says so in the plan of the pictures."""
    for row in requests:
        if row.request:
            with suppress(InvalidRequest):
                yield expected(row.request)


def report(results: list[BatchResult]) -> str:
    """Return what is printed at the end."""
    return "\n".join(f"{one}\nManifest: {one.manifest}\nTables: {', '.join(one.tables)}" for one in results)


if __name__ == "__main__":
    raise SystemExit(run_as_command(prompt_table, report, needs_key=True))
