"""One wish becomes several prompts by a model that writes, and each of them a picture; all are laid out on one sheet.

python flows/expand.py --sandbox --wish "a calm morning by the sea"     a local Together: nothing is paid
python flows/expand.py --wish "a calm morning by the sea" --plan        what it would send and cost
python flows/expand.py --wish "a calm morning by the sea" --count 6     the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from pydantic import BaseModel, ConfigDict, Field, create_model

from prefect_together import (
    BatchFailed,
    ChatModelId,
    ChatRequest,
    DerivedMedia,
    GeneratedImage,
    GeneratedText,
    ImageModelId,
    ImageRequest,
    Plan,
    catalog,
    check_requests,
    contact_sheet,
    expected,
    generate_batch,
    generate_text,
    publish_gallery,
    run_as_command,
    summary,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import InvalidRequest, TogetherError

Ratio = Literal["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"]
QUESTION = """Write {count} picture prompts about {wish}.

Each shows it in another way and says in plain words what is to be seen, from where, in which light and in which style. Add
what none of the pictures may show, and the one aspect ratio that suits them all."""
SIZES = {
    "1:1": (1024, 1024), "4:3": (1152, 864), "3:4": (864, 1152), "3:2": (1248, 832), "2:3": (832, 1248),
    "16:9": (1344, 768), "9:16": (768, 1344),
}  # fmt: skip
"""Pixels of pictures of about one megapixel, for models that take no aspect ratio."""


class Expansion(BaseModel):
    """What a wish becomes."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    prompts: list[str]
    """What each picture shows."""
    negative_prompt: str
    """What no picture may show, as words with commas between."""
    aspect_ratio: Ratio
    """The shape of all pictures."""


@flow(name="expand", flow_run_name="{wish:.60}")
def expand(
    wish: Annotated[str, Field(min_length=1, pattern=r"\S")] = "a calm morning by the sea",
    count: Annotated[int, Field(ge=1, le=20)] = 4,
    writer: ChatModelId = "zai-org/GLM-5.3-Flash",
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    aspect_ratio: Ratio | None = None,
    seed: Annotated[int, Field(ge=0, le=2147483600)] = 7,
    max_cost: Annotated[Decimal, Field(gt=0)] | None = None,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedText | GeneratedImage | DerivedMedia] | Plan:
    """Turn a wish into prompts, the prompts into pictures, and these into a contact sheet.

    The wish is expanded once for all runs, by its seed: prompts that were written anew would be pictures that are paid anew.

    Args:
        wish: What the pictures are to be about, in a few words.
        count: How many prompts, and pictures.
        writer: Together's id of the chat model that writes the prompts.
        model: Together's id of the image model.
        aspect_ratio: The shape of the pictures; left out, the one that the writer chooses.
        seed: Makes the prompts and each picture once for all runs; another seed makes others. Each picture's is one higher.
        max_cost: USD that the pictures of this run may cost.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    asked = _question(wish, count, writer, seed)
    stand_in = ImageRequest(prompt=wish, model=model, seed=seed, **_shape(model, aspect_ratio or "1:1"))
    check_requests(asked, stand_in)  # before the writer is paid
    if plan:
        answer = expected(asked)
        found = plan_requests([asked])
        if answer is not None:
            return found + plan_requests(_pictures(answer, count, model, aspect_ratio, seed), max_cost=max_cost)
        price = catalog.estimate(model, {"prompt": wish, **_shape(model, aspect_ratio or "1:1")})
        each = (
            f"about {catalog.dollars(price)} each at one megapixel" if price is not None else "at a price that is not known"
        )
        return found.noting(
            f"Then {count} pictures by {model}, {each}: their prompts and their shape are still to be written."
        )
    answer = generate_text(asked)
    pictures = _pictures(answer, count, model, aspect_ratio, seed)
    for number, picture in enumerate(pictures, 1):
        get_run_logger().info("Prompt %d of %d: %s", number, count, picture.prompt)
    try:
        result = generate_batch(pictures, max_cost=max_cost)
    except BatchFailed as failed:
        publish_gallery([answer, failed], key="expand", title=wish)
        raise
    made: list[GeneratedText | GeneratedImage | DerivedMedia] = [answer]
    made += [file for file in result.media if isinstance(file, GeneratedImage)]
    made += _sheet([file for file in made if isinstance(file, GeneratedImage)])
    failures = [TogetherError(f"Prompt {item.row}: {item.error}") for item in result.problems]
    publish_gallery([made, failures], key="expand", title=wish)
    return made


def _question(wish: str, count: int, writer: str, seed: int) -> ChatRequest:
    """Return the question for as many prompts as are wanted: the same one in every run."""
    prompts: Any = Annotated[list[str], Field(min_length=count, max_length=count)]
    return ChatRequest(
        prompt=QUESTION.format(count=count, wish=wish.strip().rstrip(".")),
        model=writer,
        response_format=create_model("Expansion", __base__=Expansion, prompts=(prompts, ...)),
        seed=seed,
    )


def _pictures(answer: GeneratedText, count: int, model: str, aspect_ratio: Ratio | None, seed: int) -> list[ImageRequest]:
    """Return a request for each prompt: with the negative one where the model takes it."""
    said = answer.parse(Expansion)
    if not any(prompt.strip() for prompt in said.prompts):
        raise InvalidRequest(f"{answer.model} wrote no prompt: give another wish, or another seed.")
    known, more = catalog.find(model), _shape(model, aspect_ratio or said.aspect_ratio)
    if said.negative_prompt.strip() and known and known.takes.get("negative_prompt"):
        more["negative_prompt"] = said.negative_prompt
    prompts = [prompt for prompt in said.prompts if prompt.strip()][:count]
    # A seed for each, so that a prompt that comes twice is two pictures.
    more["based_on"] = answer
    return [ImageRequest(prompt=one, model=model, seed=seed + place, **more) for place, one in enumerate(prompts)]


def _shape(model: str, ratio: Ratio) -> dict[str, Any]:
    """Return the shape of a picture, in the field that the model takes."""
    known = catalog.find(model)
    width, height = SIZES[ratio]
    return {"aspect_ratio": ratio} if known and known.takes.get("aspect_ratio") else {"width": width, "height": height}


def _sheet(pictures: list[GeneratedImage]) -> list[DerivedMedia]:
    """Lay out the pictures where that is possible: what is paid for is shown in any case."""
    try:
        return [contact_sheet(pictures)]
    except TogetherError as error:  # such as the extra "media" that is not installed
        get_run_logger().warning("There is no contact sheet: %s", error)
        return []


if __name__ == "__main__":
    raise SystemExit(run_as_command(expand, summary, needs_key=True))
