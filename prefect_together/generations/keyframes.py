"""Keyframes: pictures that a clip passes through, and how they are written into a body. No I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field

from prefect_together.generations.request import FrozenValue, MediaInput, Render


class Keyframe(FrozenValue):
    """A picture that the clip passes through.

    Example:
        ```python
        from prefect_together import Keyframe

        opening = Keyframe(input_image="https://example.com/dawn.jpg", frame="first")
        ```
    """

    input_image: MediaInput
    """The picture: a URL, a local path or a generated image."""
    frame: Literal["first", "last"] | Annotated[int, Field(ge=0)] | None = None
    """Where it stands: `first`, `last`, or a frame number. Left out: one is first, two are first and last."""


def _keyframe(value: object) -> object:
    is_reference = isinstance(value, dict) and "uri" in value
    known = isinstance(value, (Keyframe, dict)) and not is_reference
    return cast("object", value if known else {"input_image": value})


if TYPE_CHECKING:
    KeyframeInput = Keyframe | MediaInput
else:
    KeyframeInput = Annotated[Keyframe, BeforeValidator(_keyframe)]


def keyframe_body(keyframe: Keyframe, render: Render) -> dict[str, Any]:
    """Return what stands in the body for a keyframe."""
    # Raw base64 without a data: prefix is what Together's own examples send here (together-api.md 3.2).
    image = render(keyframe.input_image, "base64", "image")
    return {"input_image": image} if keyframe.frame is None else {"input_image": image, "frame": keyframe.frame}
