"""Topics become rows of a data set by one model, judged by another: filtered, without doubles, with what each of them cost.

python flows/synthesize.py --sandbox --topics "['tides', 'volcanoes']"             a local Together: nothing is paid
python flows/synthesize.py --table topics.csv --count 20 --plan                   what it would send and cost
python flows/synthesize.py --table topics.csv --count 20 --out rows.parquet       the real one: set TOGETHER_API_KEY
python flows/synthesize.py --batch --writer meta-llama/Llama-3.3-70B-Instruct-Turbo   in batches at Together, half price
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from prefect_together import (
    BatchFailed,
    BatchItem,
    BatchResult,
    ChatModelId,
    ChatRequest,
    GeneratedText,
    Plan,
    catalog,
    check_requests,
    check_table_path,
    expected,
    generate_batch,
    money,
    requests_from_table,
    run_as_command,
    write_table,
)
from prefect_together import plan as plan_batch
from prefect_together.errors import InvalidRequest

TOPICS = ["the tides", "volcanoes"]
QUESTION = """Write a question and its answer about {topic} (number {number} of {count} on that).

Both are for people who learn. The question can be answered without anything else and is none that the others ask; the answer
is right, complete and short."""
RUBRIC = """Judge this question and its answer about {topic}. Give a score from 0 to 10, where 10 is right, complete and
clear, and 0 is wrong, and say why in one sentence.

Question: {question}
Answer: {answer}"""


class Row(BaseModel):
    """A row of the data set: what the writer answers by."""

    question: str
    answer: str


class Verdict(BaseModel):
    """What the judge says of a row."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    score: Annotated[int, Field(ge=0, le=10)]
    """10 is right, complete and clear; 0 is wrong."""
    reason: str
    """Why, in one sentence."""


COLUMNS: dict[str, Any] = {
    "topic": str, "number": int, "status": str, **dict.fromkeys(Row.model_fields, str), "score": int, "reason": str,
    "text": str, "writer": str, "input_tokens": int, "cached_tokens": int, "output_tokens": int, "cost": Decimal,
    "judge": str, "judge_input_tokens": int, "judge_cached_tokens": int, "judge_output_tokens": int,
    "judge_cost": Decimal, "error": str,
}  # fmt: skip


class Made(BaseModel):
    """A row, and how it came about."""

    topic: str
    number: int
    asked: ChatRequest
    status: str = ""
    """good, rejected, double, not judged; or what became of the request: invalid, failed, refused, unknown, skipped."""
    row: Row | None = None
    verdict: Verdict | None = None
    answers: list[GeneratedText] = []
    looks: list[GeneratedText] = []
    error: str | None = None

    def take(self, item: BatchItem) -> None:
        """Take what the writer answered; what is not by the schema stays, as text."""
        self.answers = [answer for answer in item.results if isinstance(answer, GeneratedText)]
        good = item.outcome in {"kept", "reused"}
        self.status, self.error = "written" if good else item.outcome, item.error
        self.row = self.answers[-1].parse(Row) if good else None

    def judged_by(self, item: BatchItem, threshold: int) -> None:
        """Take what the judge answered."""
        self.looks = [answer for answer in item.results if isinstance(answer, GeneratedText)]
        self.error = item.error
        self.verdict = self.looks[-1].parse(Verdict) if item.outcome in {"kept", "reused"} else None
        self.status = "not judged" if self.verdict is None else "good" if self.verdict.score >= threshold else "rejected"

    def record(self) -> dict[str, Any]:
        """Return its row of the table."""
        last = self.answers[-1].text if self.answers and self.row is None else None
        found: dict[str, Any] = self.model_dump(include={"topic", "number", "status", "error"})
        found |= {**(self.row.model_dump() if self.row else {}), **(self.verdict.model_dump() if self.verdict else {})}
        found |= {"text": last, "writer": self.asked.model, "judge": self.looks[-1].model if self.looks else None}
        found |= _used(self.answers, "")
        found |= _used(self.looks, "judge_")
        return {name: found.get(name) for name in COLUMNS}


def _used(answers: list[GeneratedText], prefix: str) -> dict[str, Any]:
    """Return the tokens and the cost of answers, repairs included; nothing where one of them is not known."""
    usages = [answer.usage for answer in answers if answer.usage]
    costs = [answer.cost for answer in answers if answer.cost is not None]
    found: dict[str, Any] = {}
    if usages and len(usages) == len(answers):
        names = ("input_tokens", "cached_tokens", "output_tokens")
        found = {f"{prefix}{name}": sum(getattr(usage, name) for usage in usages) for name in names}
    if costs and len(costs) == len(answers):
        found[f"{prefix}cost"] = sum(costs, Decimal(0))
    return found


def _table(path: str) -> str:
    requests_from_table(path, request=ChatRequest, constants={"prompt": "any", "model": "any"}, by_name=False)
    return path


def _writable(path: str) -> str:
    check_table_path(path)
    return path


@flow(name="synthesize", flow_run_name="synthesize")
def synthesize(
    topics: Annotated[list[str], Field(min_length=1)] = TOPICS,
    table: Annotated[str, AfterValidator(_table)] | None = None,
    column: str = "topic",
    count: Annotated[int, Field(ge=1, le=1000)] = 3,
    writer: ChatModelId = "zai-org/GLM-5.3-Flash",
    judge: ChatModelId = "openai/gpt-oss-120b",
    threshold: Annotated[int, Field(ge=0, le=10)] = 6,
    rejected: bool = False,  # noqa: FBT001, FBT002 - a box to tick in the form
    seed: Annotated[int, Field(ge=0, le=2147480000)] = 7,
    out: Annotated[str, AfterValidator(_writable)] = "rows.jsonl",
    concurrency: Annotated[int, Field(ge=1)] = 32,
    max_cost: Annotated[Decimal, Field(gt=0)] | None = None,
    batch: bool = False,  # noqa: FBT001, FBT002 - a box to tick in the form
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[Made] | Plan:
    """Write rows on topics, have them judged by another model, and keep the good ones, each once.

    Args:
        topics: What the rows are about. As an option: a list, or a YAML or JSON file with one.
        table: A CSV, TSV, JSON lines or Parquet file with the topics instead, here or in an object store.
        column: The column of that table with the topics.
        count: How many rows to write on each topic; each has a seed of its own.
        writer: Together's id of the chat model that writes the rows.
        judge: Together's id of the chat model that judges them; another one than the writer.
        threshold: The least score of a row that is kept; 0 to 10.
        rejected: Whether rows below it, and doubles, are in the table as well; what is not by the schema always is.
        seed: Makes each row and each judgement once for all runs; another seed makes others.
        out: The table to write, ending in .parquet, .csv, .tsv or .jsonl.
        concurrency: How many requests at once.
        max_cost: USD that this run may spend on rows, and again on judgements.
        batch: Whether to send them in batches at Together: they take minutes to a day, and cost half by some models, such as
            ``meta-llama/Llama-3.3-70B-Instruct-Turbo``.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    if writer == judge:
        raise InvalidRequest(f"judge: {judge} would judge what it wrote: name another model.")
    made = [
        Made(topic=topic, number=number, asked=_question(topic, number, count, writer, seed))
        for topic in (_read(table, column) if table else topics)
        for number in range(1, count + 1)
    ]
    judged_by = ChatRequest(prompt=RUBRIC, model=judge, response_format=Verdict, temperature=0, seed=seed)
    check_requests(*(row.asked for row in made[:1]), judged_by)  # before the writer is paid
    via: Literal["batch", "requests"] = "batch" if batch else "requests"
    if plan:
        return _planned(made, judge, seed, max_cost, via)
    write = generate_batch.with_options(task_run_name="rows")
    try:
        written = write([row.asked for row in made], concurrency=concurrency, max_cost=max_cost, via=via)
    except BatchFailed as failed:
        if failed.result is not None:  # what it paid for is in there
            _take(made, failed.result, out)
        raise
    _take(made, written, out)
    _mark_doubles(made)
    looked = [(row, _look(row, judge, seed)) for row in made if row.status == "written"]
    if looked:
        look = generate_batch.with_options(task_run_name="judgements")
        asked = [request for _, request in looked]
        judged = look(asked, concurrency=concurrency, max_cost=max_cost, fail_on="never", via=via)
        for (row, _), item in zip(looked, judged.stream(), strict=True):
            row.judged_by(item, threshold)
    rows = [row.record() for row in made if rejected or row.status not in {"rejected", "double"}]
    get_run_logger().info("%d rows: %s", len(rows), write_table(rows, out, columns=COLUMNS))
    return made


def _take(made: list[Made], result: BatchResult, out: str) -> None:
    """Take what was written, and write it down: it is paid for, whatever becomes of the judgements."""
    for row, item in zip(made, result.stream(), strict=True):
        row.take(item)
    write_table((row.record() for row in made), out, columns=COLUMNS)


def _read(table: str, column: str) -> list[str]:
    """Return the topics of a table, each once and without gaps."""
    rows = requests_from_table(
        table, request=ChatRequest, templates={"prompt": f"{{{column}}}"}, constants={"model": "any"}, by_name=False
    )
    return list(dict.fromkeys(row.request.title() for row in rows if row.request))


def _question(topic: str, number: int, count: int, writer: str, seed: int) -> ChatRequest:
    asked = QUESTION.format(topic=topic, number=number, count=count)
    return ChatRequest(prompt=asked, model=writer, response_format=Row, seed=seed + number - 1)


def _look(row: Made, judge: str, seed: int) -> ChatRequest:
    assert row.row  # noqa: S101 - what is judged was written
    asked = RUBRIC.format(topic=row.topic, question=row.row.question, answer=row.row.answer)
    return ChatRequest(prompt=asked, model=judge, response_format=Verdict, temperature=0, seed=seed)


def _mark_doubles(made: list[Made]) -> None:
    """Mark rows whose question came before: case, spaces and forms of letters do not make another one of it."""
    seen: set[str] = set()
    for row in made:
        if row.row is None:
            continue
        key = " ".join(unicodedata.normalize("NFKC", row.row.question).casefold().split())
        if key in seen:
            row.status = "double"
        seen.add(key)


def _planned(made: list[Made], judge: str, seed: int, max_cost: Decimal | None, via: Literal["batch", "requests"]) -> Plan:
    """Return the plan of the rows, and of the judgements of those that are written: the others are not known yet."""
    found = plan_batch([row.asked for row in made], max_cost=max_cost, via=via)
    for row in made:
        answer = expected(row.asked)
        if answer is not None:
            row.status = "invalid" if answer.fault() else "written"
            row.row = answer.parse(Row) if row.status == "written" else None
    _mark_doubles(made)
    looks = [_look(row, judge, seed) for row in made if row.status == "written"]
    found += plan_batch(looks, max_cost=max_cost, via=via)
    left = sum(row.status == "" for row in made)
    if not left:
        return found
    price = catalog.token_price(judge)
    rate = f"at ${price.input} in and ${price.output} out for a million tokens" if price else "at a price that is not known"
    return found.noting(f"Then up to {left:,} judgements by {judge}, {rate}: what they judge is still to be written.")


def report(made: list[Made]) -> str:
    """Return what came of the rows, and the money."""
    counts = Counter(row.status for row in made)
    return f"{', '.join(f'{count:,} {status}' for status, count in counts.items())}.\n" + money(
        answer for row in made for answer in (*row.answers, *row.looks)
    )


if __name__ == "__main__":
    raise SystemExit(run_as_command(synthesize, report, needs_key=True))
