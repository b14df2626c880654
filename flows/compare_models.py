"""The same prompts by several models, side by side, with what each one costs and how long it takes.

python flows/compare_models.py --sandbox
python flows/compare_models.py --plan
python flows/compare_models.py --prompts "['a fox in the snow', 'a harbour at dusk']"
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated

from prefect import flow, task
from pydantic import Field

from prefect_together import (
    GeneratedImage,
    ImageModelId,
    ImageRequest,
    Plan,
    catalog,
    generate_image,
    publish_grid,
    run_as_command,
    summary,
)
from prefect_together import plan as plan_requests

PROMPTS = ["a red fox asleep under an old oak", "a paper boat on a rain puddle, macro"]
MODELS = ["black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.2-dev", "black-forest-labs/FLUX.1-kontext-pro"]


@task(task_run_name="{request.model}: seed {request.seed}", persist_result=False)
def timed(request: ImageRequest) -> tuple[GeneratedImage | Exception, float]:
    """Make one picture and take the time; a model that refuses is a cell of the grid, not the end of it."""
    began = time.monotonic()
    state = generate_image(request, return_state=True)
    made = state.result(raise_on_failure=False)
    return made, time.monotonic() - began


@flow(name="compare-models", flow_run_name="compare-models")
def compare_models(
    prompts: Annotated[list[str], Field(min_length=1)] = PROMPTS,
    models: Annotated[list[ImageModelId], Field(min_length=1)] = MODELS,
    seeds: Annotated[list[int], Field(min_length=1)] = [1, 2],  # noqa: B006 - a default of a form, never changed
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedImage] | Plan:
    """Make every prompt with every model and seed, and show them side by side.

    Args:
        prompts: What the pictures show: one row each.
        models: Together's ids of the image models: one column each.
        seeds: One row each, for every prompt.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    rows = [(prompt, seed) for prompt in prompts for seed in seeds]
    requests = [ImageRequest(prompt=prompt, model=model, seed=seed) for prompt, seed in rows for model in models]
    if plan:
        return plan_requests(requests)
    made = [future.result() for future in timed.map(requests)]
    cells = [[made[row * len(models) + column] for column in range(len(models))] for row in range(len(rows))]
    publish_grid(
        [[file for file, _ in row] for row in cells],
        key="compare-models",
        title="Models side by side",
        rows=[f"{prompt} (seed {seed})" for prompt, seed in rows],
        columns=[model.rpartition("/")[2] for model in models],
        notes=[_note([row[column] for row in cells]) for column in range(len(models))],
    )
    return [file for file, _ in made if isinstance(file, GeneratedImage)]


def _note(column: list[tuple[GeneratedImage | Exception, float]]) -> str:
    files = [file for file, _ in column if isinstance(file, GeneratedImage)]
    paid = [(file, seconds) for file, seconds in column if isinstance(file, GeneratedImage) and not file.reused]
    costs = [file.cost if file.cost is not None else file.estimated_cost for file in files]
    known = [amount for amount in costs if amount is not None]
    money = f"about {catalog.dollars(sum(known, Decimal(0)) / len(known))} each" if known else "cost unknown"
    pace = f"{sum(seconds for _, seconds in paid) / len(paid):.1f} s each" if paid else "all reused"
    return f"{money}, {pace}"


if __name__ == "__main__":
    raise SystemExit(run_as_command(compare_models, summary, needs_key=True))
