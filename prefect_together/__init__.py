"""Prefect tasks for Together AI that pay once, keep what they paid for, and show it.

The names are loaded when they are used, so that what needs no Prefect (requests, the catalogue, the sandbox, the command
line) does not pay for importing it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_together.ballot import Decision, Review
    from prefect_together.batch.outcomes import BatchItem, BatchResult
    from prefect_together.batch.plans import Plan
    from prefect_together.budget import SpendLimit
    from prefect_together.credentials import TogetherCredentials
    from prefect_together.editing import (
        acontact_sheet,
        ajoin_videos,
        alast_frame,
        contact_sheet,
        join_videos,
        last_frame,
    )
    from prefect_together.library import MediaLibrary
    from prefect_together.media import DerivedMedia, GeneratedImage, GeneratedVideo, VideoJob
    from prefect_together.publishing import (
        apublish_gallery,
        apublish_grid,
        awrite_gallery,
        publish_gallery,
        publish_grid,
        write_gallery,
    )
    from prefect_together.requests import ImageLora, ImageRequest, Keyframe, MediaReference, VideoRequest
    from prefect_together.review import areview_images, review_images
    from prefect_together.tables import RequestTable, requests_from_table
    from prefect_together.tasks import (
        aexpected,
        agenerate_batch,
        agenerate_image,
        agenerate_images,
        agenerate_video,
        aplan,
        areconcile,
        asubmit_video,
        await_for_video,
        expected,
        generate_batch,
        generate_image,
        generate_images,
        generate_video,
        plan,
        reconcile,
        submit_video,
        wait_for_video,
    )

_HOMES = {
    "prefect_together.ballot": ("Decision", "Review"),
    "prefect_together.batch.outcomes": ("BatchItem", "BatchResult"),
    "prefect_together.batch.plans": ("Plan",),
    "prefect_together.budget": ("SpendLimit",),
    "prefect_together.credentials": ("TogetherCredentials",),
    "prefect_together.editing": (
        "acontact_sheet",
        "ajoin_videos",
        "alast_frame",
        "contact_sheet",
        "join_videos",
        "last_frame",
    ),
    "prefect_together.library": ("MediaLibrary",),
    "prefect_together.media": ("DerivedMedia", "GeneratedImage", "GeneratedVideo", "VideoJob"),
    "prefect_together.publishing": (
        "apublish_gallery",
        "apublish_grid",
        "awrite_gallery",
        "publish_gallery",
        "publish_grid",
        "write_gallery",
    ),
    "prefect_together.requests": ("ImageLora", "ImageRequest", "Keyframe", "MediaReference", "VideoRequest"),
    "prefect_together.review": ("areview_images", "review_images"),
    "prefect_together.tables": ("RequestTable", "requests_from_table"),
    "prefect_together.tasks": (
        "aexpected",
        "agenerate_batch",
        "agenerate_image",
        "agenerate_images",
        "agenerate_video",
        "aplan",
        "areconcile",
        "asubmit_video",
        "await_for_video",
        "expected",
        "generate_batch",
        "generate_image",
        "generate_images",
        "generate_video",
        "plan",
        "reconcile",
        "submit_video",
        "wait_for_video",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BatchItem",
    "BatchResult",
    "Decision",
    "DerivedMedia",
    "GeneratedImage",
    "GeneratedVideo",
    "ImageLora",
    "ImageRequest",
    "Keyframe",
    "MediaLibrary",
    "MediaReference",
    "Plan",
    "RequestTable",
    "Review",
    "SpendLimit",
    "TogetherCredentials",
    "VideoJob",
    "VideoRequest",
    "acontact_sheet",
    "aexpected",
    "agenerate_batch",
    "agenerate_image",
    "agenerate_images",
    "agenerate_video",
    "ajoin_videos",
    "alast_frame",
    "aplan",
    "apublish_gallery",
    "apublish_grid",
    "areconcile",
    "areview_images",
    "asubmit_video",
    "await_for_video",
    "awrite_gallery",
    "contact_sheet",
    "expected",
    "generate_batch",
    "generate_image",
    "generate_images",
    "generate_video",
    "join_videos",
    "last_frame",
    "plan",
    "publish_gallery",
    "publish_grid",
    "reconcile",
    "requests_from_table",
    "review_images",
    "submit_video",
    "wait_for_video",
    "write_gallery",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
