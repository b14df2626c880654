"""Requests of a test's own two types, and the flow that makes them."""

from __future__ import annotations

from typing import Any

from prefect import flow

from prefect_together import MediaLibrary
from prefect_together.storage.storage import Storage

from .own_types import CaptionRequest, SketchRequest, generate_caption, generate_sketch

MODEL = "house/pencil"
SAID = "a still: a <fox>, without a picture"


def caption(prompt: str = "a still", **fields: Any) -> CaptionRequest:
    """Ask for words."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": prompt, **fields}
    return CaptionRequest(**asked)


def sketch(prompt: str = "a fox", **fields: Any) -> SketchRequest:
    """Ask for a file."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": prompt, "seed": 7, **fields}
    return SketchRequest(**asked)


def task_of(request: CaptionRequest | SketchRequest) -> Any:
    """Return the task of a request."""
    return generate_caption if isinstance(request, CaptionRequest) else generate_sketch


@flow
def made(request: Any) -> Any:
    """Make it in a flow."""
    return task_of(request)(request)


def storage() -> Storage:
    """Return the library of the settings."""
    return MediaLibrary().storage()
