"""A picture goes through a chain of edits, each made from the one before; all of them are shown side by side.

python flows/edit_chain.py --sandbox
python flows/edit_chain.py --plan
python flows/edit_chain.py --start photo.jpg --edits "['at night', 'in heavy snow']"
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from prefect_together import (
    GeneratedImage,
    ImageModelId,
    ImageRequest,
    MediaReference,
    Plan,
    expected,
    generate_image,
    named_after,
    publish_gallery,
    publish_grid,
    run_as_command,
    summary,
)
from prefect_together import plan as plan_requests

EDITS = ["make it dusk, windows lit", "first snow on the roofs", "as a woodcut in two colours"]


@flow(name="edit-chain", flow_run_name=named_after("subject"))
def edit_chain(
    subject: str = "a harbour town in the morning",
    start: str | None = None,
    edits: Annotated[list[str], Field(min_length=1)] = EDITS,
    model: ImageModelId = "black-forest-labs/FLUX.1-kontext-pro",
    seed: int | None = 7,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedImage] | Plan:
    """Edit a picture step by step.

    Args:
        subject: What the first picture shows, where it has to be made.
        start: A picture to begin with instead: a path or a URL.
        edits: What to change, one step each.
        model: Together's id of a model that edits pictures.
        seed: With a seed everything is made once and reused by every later run.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    first = [ImageRequest(prompt=subject, model=model, aspect_ratio="16:9", seed=seed)] if start is None else []

    def step(edit: str, before: str | MediaReference | None) -> ImageRequest:
        return ImageRequest(prompt=edit, model=model, image_url=before, seed=seed)

    if plan:
        chain = list(first)
        for edit in edits:
            chain.append(step(edit, expected(chain[-1]) if chain else start))
        return plan_requests(chain)
    made = [generate_image(request) for request in first]
    for edit in edits:
        made.append(generate_image(step(edit, made[-1] if made else start)))
    publish_grid([made], key="edit-chain", title="Before and after", rows=["step by step"], columns=_columns(made, edits))
    publish_gallery(made, key="edit-chain-files", title=subject)
    return made


def _columns(made: list[GeneratedImage], edits: list[str]) -> list[str]:
    steps = [f"{number}. {edit}" for number, edit in enumerate(edits, 1)]
    return steps if len(made) == len(edits) else ["before", *steps]


if __name__ == "__main__":
    raise SystemExit(run_as_command(edit_chain, summary, needs_key=True))
