"""Task runs carry their kind and their model as tags: they are found by them, and Prefect's limits count by them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Prefect's futures leave types open.

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.context import FlowRunContext

from prefect_together import GeneratedImage, agenerate_image, generate_image, submit_video, wait_for_video
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, clip, picture

pytestmark = pytest.mark.slow

SCHNELL, PRO, OLD = "FLUX.1-schnell", "FLUX.2-pro", "FLUX.1.1-pro"


def _here() -> UUID:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run.id


async def _tags(run: UUID, count: int) -> list[list[str]]:
    """Return the tags of the completed task runs of a flow run, once they have all arrived at the server."""
    async with get_client() as client:
        for _ in range(150):
            found = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
            if count == sum(one.state is not None and one.state.is_completed() for one in found):
                return sorted(sorted(one.tags) for one in found)
            await asyncio.sleep(0.2)
    raise TimeoutError("the task runs never arrived")


def test_each_task_run_is_tagged_with_its_model(together_sandbox: Sandbox) -> None:
    """One `.map` over two models, a future as the argument, and jobs: each run has the tag of its own model."""

    @flow
    def work() -> UUID:
        for future in generate_image.map([picture(seed=1), picture(seed=2, model=f"black-forest-labs/{SCHNELL}", steps=4)]):
            future.result()
        job: Any = submit_video.submit(clip(seed=1))
        wait_for_video.submit(job).result()
        return _here()

    job = ["tiny", "together", "video"]
    assert [[SCHNELL, "image", "together"], [PRO, "image", "together"], job, job] == asyncio.run(_tags(work(), 4))
    assert together_sandbox.charges()


async def test_so_is_that_of_an_async_task(together_sandbox: Sandbox) -> None:
    """The async twin is tagged alike."""

    @flow
    async def work() -> UUID:
        await agenerate_image(picture(seed=1))
        return _here()

    assert [[PRO, "image", "together"]] == await _tags(await work(), 1)
    assert 1 == len(together_sandbox.charges())


def test_a_limit_on_a_model_counts_its_task_runs(together_sandbox: Sandbox) -> None:
    """`prefect concurrency-limit create FLUX.1.1-pro 1`: its pictures are made one after the other."""
    together_sandbox.fault(IMAGES, "sleep", times=3, seconds=0.5)

    @flow
    def work() -> list[GeneratedImage]:
        return [
            future.result()
            for future in generate_image.map([picture(seed=seed, model=f"black-forest-labs/{OLD}") for seed in range(3)])
        ]

    # A model of its own: Prefect remembers for a while that there is no limit.
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(tag=OLD, concurrency_limit=1)
        try:
            made = work()
        finally:
            client.delete_concurrency_limit_by_tag(tag=OLD)
    times = sorted(image.created_at for image in made)
    assert all((late - early).total_seconds() >= 0.45 for early, late in pairwise(times))
