"""A folder, bucket or table of pictures becomes a table of alt texts, tags and printed words: the next night, only new ones.

python flows/captions.py --sandbox --pictures holidays                       a local Together: nothing is paid
python flows/captions.py --pictures s3://shop/pictures --plan                what it would send and cost
python flows/captions.py --pictures products.csv --column photo --max-cost 5   the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from prefect_together import (
    BatchFailed,
    BatchResult,
    ChatModelId,
    ChatRequest,
    Plan,
    catalog,
    check_table_path,
    generate_batch,
    named_after,
    pictures_in,
    requests_from_table,
    run_as_command,
)
from prefect_together import plan as plan_batch

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
QUESTION = """Describe this picture for a catalogue, in {language}: an alt text for people who cannot see it, tags by which
it is found, and the words that are printed or written in it."""


class Caption(BaseModel):
    """What is said of a picture: a column for each."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    alt: str
    """What is to be seen, in one sentence of at most 125 characters."""
    tags: list[str]
    """Three to eight single words, in lower case."""
    text_in_picture: str
    """All words that stand in the picture, as they stand there; empty where there are none."""


def _pictures(address: str) -> str:
    if address.lower().endswith(TABLES):
        requests_from_table(address, request=ChatRequest, constants={"prompt": "any", "model": "any"})
    elif "://" not in address:
        pictures_in(address)
    return address


def _writable(path: str) -> str:
    check_table_path(path)
    return path


def _seeing(model: str) -> str:
    for finding in catalog.preflight(model, {"prompt": "any", "images": ["any"], "response_format": {}}):
        if finding.severity == "error":
            raise ValueError(finding.message)
    return model


@flow(name="captions", flow_run_name=named_after("pictures", words="captions of {pictures}", file=True))
def captions(
    pictures: Annotated[str, Field(min_length=1), AfterValidator(_pictures)],
    column: Annotated[str, Field(min_length=1)] = "picture",
    rows: Annotated[int, Field(ge=1)] | None = None,
    model: Annotated[ChatModelId, AfterValidator(_seeing)] = "Qwen/Qwen3.5-9B",
    question: Annotated[str, Field(min_length=1)] = QUESTION,
    language: str = "English",
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    out: Annotated[str, AfterValidator(_writable)] = "captions.csv",
    concurrency: Annotated[int, Field(ge=1)] = 32,
    max_cost: Annotated[Decimal, Field(gt=0)] | None = None,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> BatchResult | Plan:
    """Describe pictures, and write a table of what is said of each.

    A picture is known by its bytes: under another name, or another night, it is not paid for again. A URL is known as such.

    Args:
        pictures: A folder, a bucket such as s3://shop/pictures, or a CSV, TSV, JSON lines or Parquet file.
        column: The column of a table that has the pictures: paths, URLs or addresses in a bucket.
        rows: How many pictures to take, from the first.
        model: Together's id of a chat model that sees pictures.
        question: What is asked of each picture; {language} is the language.
        language: In which language to answer.
        seed: Makes each caption once for all runs; another seed makes others.
        out: The table to write, ending in .csv, .tsv, .jsonl or .parquet: with the columns of the table that came in.
        concurrency: How many pictures at once.
        max_cost: USD that this run may spend.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    asked: dict[str, Any] = {"model": model, "response_format": Caption, "seed": seed}
    asked["prompt"] = question.replace("{language}", language)
    is_table = pictures.lower().endswith(TABLES)
    source: Any = pictures if is_table else [{column: picture} for picture in pictures_in(pictures)]
    # Other columns are carried along: a prompt among them is that of the picture, and not what is asked here.
    table = requests_from_table(
        source, request=ChatRequest, columns={"images": column}, constants=asked, rows=rows, by_name=False
    )
    name = f"captions of {Path(pictures).name if is_table else pictures}"
    if plan:
        return plan_batch(table, name=name, max_cost=max_cost)
    try:
        result = generate_batch(table, name=name, concurrency=concurrency, max_cost=max_cost)
    except BatchFailed as failed:
        if failed.result is not None:  # what it paid for is in there
            failed.result.write_table(out)
        raise
    get_run_logger().info("The captions: %s", result.write_table(out))
    return result


def report(result: BatchResult) -> str:
    """Return what is printed at the end."""
    return f"Manifest: {result.manifest}\n{result}"


if __name__ == "__main__":
    raise SystemExit(run_as_command(captions, report, needs_key=True))
