"""The requests of a worker's job."""

from __future__ import annotations

from typing import Any

from prefect_together.generations.registry import spec_named
from prefect_together.generations.request import Request
from prefect_together.generations.results import GeneratedMedia


def request_of(fields: dict[str, Any]) -> Request:
    """Return a request."""
    given = dict(fields)
    return spec_named(given.pop("kind")).request(**given)


def with_first_frame(fields: dict[str, Any], made: list[GeneratedMedia]) -> Request:
    """Return a request; for a clip, the picture that was made before it is its first frame."""
    return request_of({**fields, "frame_images": list(made)} if made and fields["kind"] == "video" else fields)
