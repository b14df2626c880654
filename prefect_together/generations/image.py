"""Images: what may be asked of ``POST /v1/images/generations``, what it answers, and what comes back. No I/O here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together.catalog.model_ids import AspectRatio, ImageModelId
from prefect_together.generations.formats import IMAGES
from prefect_together.generations.kept_file import StoredFile
from prefect_together.generations.request import FrozenValue, Items, MediaInput, Render, Request, Seed, plain
from prefect_together.generations.results import GeneratedMedia, ResultFacts
from prefect_together.generations.spec import (
    FILE_COLUMNS,
    Blobs,
    GenerationSpec,
    Keeping,
    Links,
    Payload,
    ResponseFormatError,
)


class ImageLora(FrozenValue):
    """A LoRA to mix in. Together removed its FLUX LoRA models; kept for dedicated endpoints (together-api.md 2.1)."""

    path: str
    """URL of the LoRA."""
    scale: float = 1.0
    """How strongly it is mixed in."""


class ImageRequest(Request):
    """One to four pictures from a prompt, or from a prompt and other pictures.

    Only what is set is sent, because support and defaults differ from model to model. Bounds are those that every source
    of the API agrees on; what a model takes beyond them is the catalogue's business.

    Example:
        ```python
        from prefect_together import ImageRequest

        still = ImageRequest(prompt="a fox in the snow", model="black-forest-labs/FLUX.2-pro", width=1344, height=768)
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "image"

    model: ImageModelId
    """Together's model id, e.g. `black-forest-labs/FLUX.2-pro`."""
    prompt: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """What to draw."""
    width: Annotated[int, Field(ge=1)] | None = None
    """Pixels. Together's default is 1024."""
    height: Annotated[int, Field(ge=1)] | None = None
    """Pixels. Together's default is 1024."""
    aspect_ratio: AspectRatio | None = None
    """E.g. `16:9`. For FLUX Schnell and Kontext, instead of width and height."""
    n: Annotated[int, Field(ge=1, le=4)] = 1
    """How many pictures, 1 to 4."""
    steps: Annotated[int, Field(ge=1, le=50)] | None = None
    """Diffusion steps, 1 to 50. More is slower, and dearer where it exceeds the model's default."""
    seed: Seed | None = None
    """0 to 2147483647. A request with a seed is made once and reused by every later run."""
    negative_prompt: str | None = None
    """What to keep out of the picture."""
    guidance_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How literally the prompt is taken: 1-5 loosely, 8-10 strictly."""
    image_url: MediaInput | None = None
    """One picture to edit (Kontext, FLUX.2 pro and flex)."""
    reference_images: Items[MediaInput] = None
    """Pictures to draw on; the prompt may say "image 2"."""
    image_loras: Items[ImageLora] = None
    """LoRAs to mix in."""
    prompt_upsampling: bool | None = None
    """Whether Together rewrites the prompt before drawing."""
    output_format: Literal["jpeg", "png"] | None = None
    """File format. Together's default is JPEG."""
    response_format: Literal["url", "base64"] = "url"
    """How the picture comes back. A hosted URL survives our crash and can be passed on to a video; base64 cannot."""
    disable_safety_checker: bool | None = None
    """Switches Together's own checker off; a provider's moderation stays."""

    @property
    def count(self) -> int:
        """How many pictures one request makes."""
        return self.n

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body: what was set, and always ``response_format``, whose default once changed."""
        body = {"model": self.model, **plain(self, _PLAIN)}
        if self.n == 1:
            body.pop("n", None)
        if self.image_url is not None:
            body["image_url"] = render(self.image_url, "data_url", "image")
        if self.reference_images is not None:
            body["reference_images"] = [render(image, "data_url", "image") for image in self.reference_images]
        if self.image_loras is not None:
            body["image_loras"] = [lora.model_dump() for lora in self.image_loras]
        return {**body, "response_format": self.response_format}

    @classmethod
    def transport_fields(cls) -> tuple[str, ...]:
        """Name the fields that say how to answer, not what to draw."""
        return ("response_format",)


_PLAIN = (
    "prompt",
    "width",
    "height",
    "aspect_ratio",
    "n",
    "steps",
    "seed",
    "negative_prompt",
    "guidance_scale",
    "prompt_upsampling",
    "output_format",
    "disable_safety_checker",
)


class GeneratedImage(GeneratedMedia):
    """A picture that was made, kept, and can be opened; may be given to any request that takes a picture."""

    kind: ClassVar[str] = "image"

    request: ImageRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    index: int = 0
    """Its place among the pictures of one request, from 0."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def name(self) -> str:
        """What tells it from other results: its request, and its place where that makes several."""
        return f"{super().name}-{self.index}" if self.request.n > 1 else super().name


def _parse(answer: Any) -> Payload:
    """Read an answer of ``POST /v1/images/generations``: ``type`` may be null or missing, so it is not asked (2.4)."""
    items = [as_mapping(item) for item in as_list(as_mapping(answer).get("data"))]
    urls = tuple(url for item in items if (url := as_text(item.get("url"))))
    inline = tuple(
        text
        for item in items
        if not as_text(item.get("url")) and (text := as_text(item.get("b64_json")) or as_text(item.get("base64")))
    )
    if not urls and not inline:
        raise ResponseFormatError("the answer holds no picture")
    return Blobs(inline, urls) if inline else Links(urls)


def _build(request: ImageRequest, stored: StoredFile, facts: ResultFacts) -> GeneratedImage:
    return GeneratedImage(**facts.file_fields(request, stored), index=facts.index)


SPEC = GenerationSpec(
    kind="image",
    request=ImageRequest,
    result=GeneratedImage,
    path="/v1/images/generations",
    parse=_parse,
    build=_build,
    keeping=Keeping(
        media_types=IMAGES,
        # Nobody has seen hosted links of pictures live longer than about an hour (together-api.md 2.4).
        links_live=timedelta(hours=2),
        links_fresh=timedelta(minutes=30),
    ),
    columns=FILE_COLUMNS,
    noun="picture",
    plural="pictures",
    folder="images",
)
