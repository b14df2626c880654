"""A picture is made, judged by a model that sees it, and made again with a better prompt: bounded in rounds and in money.

python flows/make_judge_fix.py --sandbox                                       a local Together: nothing is paid
python flows/make_judge_fix.py --prompt "a fox in the snow" --plan             what it would send and cost
python flows/make_judge_fix.py --table prompts.csv --budget 5 --out rounds.csv   the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, Field

from prefect_together import (
    BatchItem,
    ChatModelId,
    ChatRequest,
    GeneratedImage,
    GeneratedText,
    ImageModelId,
    ImageRequest,
    MediaReference,
    Plan,
    SpendLimit,
    catalog,
    check_table_path,
    expected,
    generate_batch,
    money,
    publish_grid,
    requests_from_table,
    run_as_command,
    write_table,
)
from prefect_together import plan as plan_requests

RUBRIC = """Judge this picture. It was asked for with the words: {wish}

Give a score from 0 to 10 for how well it shows what was asked for and how well it is made, name its faults, and write a
better prompt with which to make it again: whole, in plain words, without the faults."""
COLUMNS: dict[str, Any] = {
    "row": int, "wish": str, "round": int, "prompt": str, "picture": str, "score": int, "faults": list[str],
    "better_prompt": str, "best": bool, "picture_cost": Decimal, "picture_estimated_cost": Decimal, "judge_cost": Decimal,
    "error": str,
}  # fmt: skip


Look = Callable[[MediaReference, str], ChatRequest]
"""The question about a picture that was asked for in these words: the same one for the same bytes."""


class Judgement(BaseModel):
    """What the judge says of a picture."""

    score: Annotated[int, Field(ge=0, le=10)]
    faults: list[str]
    better_prompt: str


class Turn(BaseModel):
    """One round of one wish: the picture, and what the judge said of it."""

    row: int
    wish: str
    round: int
    request: ImageRequest | None = None
    picture: GeneratedImage | None = None
    answers: list[GeneratedText] = []
    judgement: Judgement | None = None
    error: str | None = None
    best: bool = False

    def __str__(self) -> str:
        said = f"{self.judgement.score} of 10" if self.judgement else "not judged" if self.picture else "no picture"
        costs = [f"picture {self.picture.price()}"] if self.picture else []
        costs += [f"judge {answer.price()}" for answer in self.answers]
        why = f": {self.error}" if self.error else ""
        return f"round {self.round}: {said}{' (' + ', '.join(costs) + ')' if costs else ''}{why}"

    def record(self) -> dict[str, Any]:
        """Return its row of the table."""
        costs = [answer.cost for answer in self.answers if answer.cost is not None]
        found = self.model_dump(include={"row", "wish", "round", "best", "error"})
        found |= {"prompt": self.request.prompt if self.request else None}
        found |= {"judge_cost": sum(costs, Decimal(0)) if costs and len(costs) == len(self.answers) else None}
        found |= self.judgement.model_dump() if self.judgement else {}
        if self.picture:
            found |= {"picture": self.picture.uri, "picture_cost": self.picture.cost}
            found |= {"picture_estimated_cost": self.picture.estimated_cost}
        return {**dict.fromkeys(COLUMNS), **found}


def _table(path: str) -> str:
    requests_from_table(path, constants={"prompt": "any", "model": "any"})
    return path


def _writable(path: str) -> str:
    check_table_path(path)
    return path


def _seeing(model: str) -> str:
    for finding in catalog.preflight(model, {"prompt": "any", "images": ["any"], "response_format": {}}):
        if finding.severity == "error":
            raise ValueError(finding.message)
    return model


@flow(name="make-judge-fix", flow_run_name="make-judge-fix")
def make_judge_fix(
    prompt: Annotated[str, Field(min_length=1)] = "a red fox in deep snow at dusk",
    table: Annotated[str, AfterValidator(_table)] | None = None,
    template: str | None = None,
    rows: Annotated[int, Field(ge=1)] | None = None,
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    judge: Annotated[ChatModelId, AfterValidator(_seeing)] = "Qwen/Qwen3.5-9B",
    rubric: str = RUBRIC,
    width: Annotated[int, Field(ge=64, le=4096)] = 1024,
    height: Annotated[int, Field(ge=64, le=4096)] = 768,
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    threshold: Annotated[int, Field(ge=0, le=10)] = 8,
    rounds: Annotated[int, Field(ge=1, le=20)] = 3,
    budget: Annotated[Decimal, Field(gt=0)] = Decimal("1.00"),
    out: Annotated[str, AfterValidator(_writable)] | None = None,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[Turn] | Plan:
    """Make pictures, have each judged by a model that sees it, and make those that fall short again, with its better prompt.

    A rerun draws and judges nothing again: pictures are known by their seeds, judgements by the bytes of the picture.

    Args:
        prompt: What the picture is to show; not used where there is a table.
        table: A CSV, TSV, JSON lines or Parquet file of prompts instead, here or in an object store.
        template: The prompt with columns in braces, e.g. "a photo of {product}"; without one, the column "prompt" is it.
        rows: How many rows of the table to take, from the first.
        model: Together's id of the image model.
        judge: Together's id of a chat model that sees pictures.
        rubric: What the judge is asked; {wish} is what the picture was to show.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        seed: Makes each picture and each judgement once for all runs; another seed makes others.
        threshold: A picture with this score or a better one is not made again; 0 to 10.
        rounds: How often a picture is made at most.
        budget: USD that all runs for this prompt or table may spend together; what would exceed it is not sent.
        out: The table to write of all rounds, ending in .csv, .tsv, .jsonl or .parquet; with a table, rounds.csv.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    turns = _first(prompt, table, template, rows, {"model": model, "width": width, "height": height, "seed": seed})

    def look(picture: MediaReference, wish: str) -> ChatRequest:
        asked: dict[str, Any] = {"response_format": Judgement, "temperature": 0, "seed": seed}
        return ChatRequest(prompt=rubric.replace("{wish}", wish), images=[picture], model=judge, **asked)

    if plan:
        return _planned(turns, look, threshold, rounds, budget)
    if table and out is None:
        check_table_path(out := "rounds.csv")
    limit = SpendLimit(name=f"make-judge-fix {Path(table).name if table else prompt}", usd=budget)
    done: list[Turn] = []
    while turns:
        _make(turns, limit)
        _judge(turns, limit, look)
        done += turns
        turns = [again for turn in turns if (again := _again(turn, done, threshold, rounds))]
    done.sort(key=lambda turn: (turn.row, turn.round))
    _choose(done)
    _show(done)
    if out is not None:
        get_run_logger().info("All rounds: %s", write_table((turn.record() for turn in done), out, columns=COLUMNS))
    return done


def _first(prompt: str, table: str | None, template: str | None, rows: int | None, fields: dict[str, Any]) -> list[Turn]:
    """Return the first round of each wish; a row of a table that is none says why."""
    if table is None:
        return [Turn(row=1, wish=prompt, round=1, request=ImageRequest(prompt=prompt, **fields))]
    found = requests_from_table(table, templates={"prompt": template} if template else None, constants=fields, rows=rows)
    return [
        Turn(row=row.number, wish=row.request.title(), round=1, request=row.request)
        if isinstance(row.request, ImageRequest)
        else Turn(row=row.number, wish="", round=1, error=row.error)
        for row in found
    ]


def _make(turns: list[Turn], limit: SpendLimit) -> None:
    """Make the pictures of a round; where not one of the first can be made, the flow fails and says why."""
    asked = [(turn, turn.request) for turn in turns if turn.request]
    first = turns[0].round == 1
    items = _bought(f"pictures {turns[0].round}", [request for _, request in asked], limit, must=first)
    for (turn, _), item in zip(asked, items, strict=True):
        turn.picture = next((made for made in item.results if isinstance(made, GeneratedImage)), None)
        turn.error = item.error


def _judge(turns: list[Turn], limit: SpendLimit, look: Look) -> None:
    """Have the pictures of a round judged; one without a valid judgement is kept, and its round says so."""
    seen = [(turn, look(turn.picture, turn.wish)) for turn in turns if turn.picture]
    items = _bought(f"judgements {turns[0].round}", [request for _, request in seen], limit)
    for (turn, _), item in zip(seen, items, strict=True):
        turn.answers = [made for made in item.results if isinstance(made, GeneratedText)]
        turn.error = item.error
        if item.outcome in {"kept", "reused"}:
            turn.judgement = turn.answers[-1].parse(Judgement)


def _bought(what: str, requests: list[Any], limit: SpendLimit, *, must: bool = False) -> list[BatchItem]:
    """Return what came of requests, in order.

    What the limit refuses is tried again for as long as that gets some through: what was set aside for others and not
    spent is free then, and no later run has anything to add.
    """
    if not requests:
        return []
    batch = generate_batch.with_options(task_run_name=what)
    items = batch(requests, limit=limit, fail_on="all" if must else "never").items
    while left := [place for place, item in enumerate(items) if item.error_type == "BudgetExceeded"]:
        more = batch([requests[place] for place in left], limit=limit, fail_on="never").items
        for place, item in zip(left, more, strict=True):
            items[place] = item
        if all(item.error_type == "BudgetExceeded" for item in more):
            break
    return items


def _again(turn: Turn, done: list[Turn], threshold: int, rounds: int) -> Turn | None:
    """Return the next round of a wish, or None where the picture is good enough, or nothing better is to be had."""
    said = turn.judgement
    if turn.request is None or said is None or said.score >= threshold or turn.round >= rounds:
        return None
    tried = {past.request.prompt for past in done if past.row == turn.row and past.request}
    if said.better_prompt in {*tried, ""}:
        return None  # it would be the same picture
    words_from = tuple(answer.cited() for answer in turn.answers[-1:])
    request = turn.request.model_copy(update={"prompt": said.better_prompt, "based_on": words_from})
    return Turn(row=turn.row, wish=turn.wish, round=turn.round + 1, request=request)


def _choose(done: list[Turn]) -> None:
    """Mark the best picture of each wish: that of the highest score, and of equal ones the first."""
    for row in {turn.row for turn in done}:
        made = [turn for turn in done if turn.row == row and turn.picture]
        for turn in sorted(made, key=lambda turn: turn.judgement.score if turn.judgement else -1, reverse=True)[:1]:
            turn.best = True


def _planned(turns: list[Turn], look: Look, threshold: int, rounds: int, budget: Decimal) -> Plan:
    """Return the plan of all rounds that are known: what a judge has not said yet is not guessed."""
    done: list[Turn] = []
    found, left, price = Plan(), 0, Decimal(0)
    while turns:
        pictures = [turn.request for turn in turns if turn.request]
        looks = [(turn, look(expected(turn.request), turn.wish)) for turn in turns if turn.request]
        found += plan_requests(pictures) + plan_requests([request for _, request in looks])
        for turn, request in looks:
            answer = expected(request)
            turn.judgement = answer.parse(Judgement) if answer and not answer.fault() else None
            if answer is None and turn.request:
                more = rounds - turn.round
                left += more
                price += more * (catalog.estimate(turn.request.model, turn.request.given()) or 0)
        done += turns
        turns = [again for turn in turns if (again := _again(turn, done, threshold, rounds))]
    if not left:
        return found
    most = f"up to {left:,} more pictures (about {catalog.dollars(price)} at most, where prices are known)"
    return found.noting(
        f"What comes then depends on what the judge says: {most} and as many looks at them. "
        f"All runs together stay within {catalog.dollars(budget)}."
    )


def _show(done: list[Turn]) -> None:
    publish_grid(
        [[turn.picture, turn.answers[-1] if turn.answers else None] for turn in done],
        key="make-judge-fix",
        title="Made, judged, made again",
        rows=[f"{'(best) ' if turn.best else ''}{turn.row}. {turn}: {turn.wish}" for turn in done],
        columns=["picture", "judge"],
    )


def report(done: list[Turn]) -> str:
    """Return a line for each round, and the money."""
    lines = [f"{'*' if turn.best else ' '} {turn.row}. {turn}" for turn in done]
    paths = [f"Best of {turn.row}: {turn.picture.path()}" for turn in done if turn.best and turn.picture]
    made: list[Any] = [one for turn in done for one in (turn.picture, *turn.answers) if one]
    return "\n".join([*lines, *paths, money(made)])


if __name__ == "__main__":
    raise SystemExit(run_as_command(make_judge_fix, report, needs_key=True))
