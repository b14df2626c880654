"""`POST /v1/images/generations`: check what is asked for, charge it, and answer with pictures at once."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, file_token, json_body, success
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault
from prefect_together.sandbox.recipes import Picture, Recipe

GENERATE = "POST /v1/images/generations"

# OpenAPI `POST /images/generations`, plus the fields that the parameter page documents beyond it.
FIELDS = frozenset({
    "model", "prompt", "width", "height", "aspect_ratio", "steps", "n", "seed", "negative_prompt",
    "guidance_scale", "guidance", "image_url", "reference_images", "image_loras", "prompt_upsampling",
    "response_format", "output_format", "disable_safety_checker",
})  # fmt: skip
# The docs' own Kontext examples send width and height although the matrix has no tick for them: never refused.
NEVER_REFUSED = frozenset({"width", "height"})
RATIOS = {"1:1": (1024, 1024), "16:9": (1344, 768), "9:16": (768, 1344), "4:3": (1184, 880), "3:2": (1248, 832)}
MORE_RATIOS = {"3:4": (880, 1184), "2:3": (832, 1248), "21:9": (1536, 656)}
STEP_LIMITS = {"black-forest-labs/FLUX.1-schnell": 12, "black-forest-labs/FLUX.1-schnell-Free": 4}
STEP = 8
"""Pixels: sides are multiples of 8, says the parameter page."""


@dataclass(frozen=True)
class ImageBody:
    """What was asked for, checked."""

    pictures: tuple[Picture, ...]
    base64: bool


async def generate(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/images/generations`: with links, or with the pictures in base64."""
    owner = account(request)
    body = await json_body(request)
    asked = await api.read(lambda: read_body(body, api.name_input))
    answer_id = error_messages.request_id()
    first = asked.pictures[0]
    files: dict[str, Recipe] = {} if asked.base64 else {file_token(): picture for picture in asked.pictures}

    async def accept(_: Fault | None) -> None:
        charge = api.charge(answer_id, kind="image", body=body, prompt=first.prompt, account=owner)
        api.store.accept(charge=charge, files=files)

    async def answer() -> Response:
        await asyncio.sleep(api.image_seconds)
        if asked.base64:
            drawn = await asyncio.gather(*(api.render(picture) for picture in asked.pictures))
            data = [{"index": n, "type": "b64_json", "b64_json": b64encode(one).decode()} for n, one in enumerate(drawn)]
        else:
            data = [{"index": n, "type": "url", "url": f"{api.files_url}/shrt/{token}"} for n, token in enumerate(files)]
        return success({"id": answer_id, "model": first.model, "object": "list", "data": data}, answer_id)

    return await apply_fault(api.switchboard.take(GENERATE, f"{first.prompt} {first.model}"), accept, answer)


def read_body(body: checks.Body, name_input: Callable[[str], str]) -> ImageBody:
    """Check the body and return what to draw, or raise the refusal of the first field that is wrong.

    Args:
        body: The JSON object that was sent.
        name_input: Turns an address or base64 text into an input's name.
    """
    model = checks.known_model(body, "image")
    seed = checks.seed(body)
    width, height = _size(body, model)
    references = _references(body, model)
    checks.known_fields(body, FIELDS)
    _supported(body, model)
    count = checks.integer(body, "n", 1, 4) or 1
    name = str(body["model"])
    checks.integer(body, "steps", 1, STEP_LIMITS.get(name, 50))
    checks.numbers(body, ("guidance_scale", "guidance"))
    checks.booleans(body, ("disable_safety_checker", "prompt_upsampling"))
    response = checks.one_of(body, "response_format", ("url", "base64"), "url")
    file_format = checks.one_of(body, "output_format", ("jpeg", "png"), "jpeg")
    prompt = checks.prompt(body, model)
    if model is not None:
        for field in model.requires:
            if not body.get(field):
                raise error_messages.missing(field)
    inputs = tuple(name_input(reference) for reference in references)
    pictures = tuple(
        Picture(
            model=name, prompt=prompt, seed=(seed + index) % (checks.MAX_SEED + 1), width=width, height=height,
            format=file_format, references=inputs,
        )
        for index in range(count)
    )  # fmt: skip
    return ImageBody(pictures, response == "base64")


def _supported(body: checks.Body, model: catalog.Model | None) -> None:
    """Refuse a field for which the model's documentation has no tick."""
    if model is None:
        return
    for field in body:
        if model.takes.get(field) is False and field not in NEVER_REFUSED:
            if field in ("image_url", "reference_images"):
                raise error_messages.unsupported_use(field)
            raise error_messages.unknown_parameter(field)


def _references(body: checks.Body, model: catalog.Model | None) -> tuple[str, ...]:
    single: Any = body.get("image_url")
    if single is not None and (not isinstance(single, str) or not single):
        raise error_messages.wrong_type("image_url", "a string")
    several = checks.strings(body, "reference_images")
    limit = None if model is None else model.max_items.get("reference_images")
    if limit is not None and len(several) > limit:
        raise error_messages.out_of_range("The number of reference_images", 0, limit)
    return (*((single,) if single else ()), *several)


def _size(body: checks.Body, model: catalog.Model | None) -> tuple[int, int]:
    """Return the size in pixels: as asked, else by ratio, else the model's first or 1024x1024."""
    width, height = (_side(body, name) for name in ("width", "height"))
    ratio = body.get("aspect_ratio")
    if width is None and height is None:
        if ratio is not None:
            return _by_ratio(ratio, model)
        if model is not None and model.sizes and "1024x1024" not in model.sizes:
            return checks.pixels(model.sizes[0])
        if model is not None and model.area:
            side = round((sum(model.area) / 2) ** 0.5) // STEP * STEP
            return side, side
    size = (width or 1024, height or 1024)
    if model is None:
        return size
    if model.sizes and f"{size[0]}x{size[1]}" not in model.sizes:
        raise error_messages.off_the_menu(model.sizes)
    if model.area and not model.area[0] <= size[0] * size[1] <= model.area[1]:
        raise error_messages.bad_area(*model.area)
    if model.max_proportion and max(size) > model.max_proportion * min(size):
        limit = model.max_proportion
        raise error_messages.wrong_type("width/height", f"a ratio between 1:{limit} and {limit}:1")
    return size


def _side(body: checks.Body, name: str) -> int | None:
    value = checks.integer(body, name, 1, checks.MAX_SIDE)
    if value is not None and value % STEP:
        raise error_messages.wrong_type(name, f"a multiple of {STEP}")
    return value


def _by_ratio(ratio: Any, model: catalog.Model | None) -> tuple[int, int]:
    known = {**RATIOS, **MORE_RATIOS}
    allowed = model.aspect_ratios if model is not None and model.aspect_ratios else tuple(known)
    if ratio not in allowed:
        raise error_messages.wrong_type("aspect_ratio", "one of " + ", ".join(f"'{name}'" for name in allowed))
    return known.get(ratio, (1024, 1024))


ENDPOINTS = (Endpoint(route=GENERATE, handle=generate),)
