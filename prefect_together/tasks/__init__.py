"""The Prefect tasks, in pairs: ``generate_image`` for sync flows, ``agenerate_image`` for async ones. No logic here."""

from prefect_together.tasks.batch import agenerate_batch, generate_batch
from prefect_together.tasks.images import agenerate_image, agenerate_images, generate_image, generate_images
from prefect_together.tasks.plan import aexpected, aplan, expected, plan
from prefect_together.tasks.reconcile import areconcile, reconcile
from prefect_together.tasks.videos import (
    agenerate_video,
    asubmit_video,
    await_for_video,
    generate_video,
    submit_video,
    wait_for_video,
)

__all__ = [
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
]
