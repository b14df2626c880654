"""Makes the requests of a worker's job by the tasks, as users do; Prefect is imported only where one of these is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from errand import Job
from requested import request_of, with_first_frame

from prefect_together.generations.image import ImageRequest
from prefect_together.generations.results import GeneratedMedia
from prefect_together.generations.video import VideoRequest


def make_in_a_flow(job: Job, say: Callable[[dict[str, Any]], None]) -> list[GeneratedMedia]:
    """Make them in a Prefect flow, in a new run or in one that is there already."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext
    from prefect.flow_engine import run_flow

    from prefect_together import MediaLibrary, agenerate_image, agenerate_video, generate_image, generate_video

    library = MediaLibrary(url=job["library"], options=job.get("options", {}))  # type: ignore[arg-type]

    @flow(name="making")
    def making() -> list[GeneratedMedia]:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        say({"flow_run": str(context.flow_run.id)})
        made: list[GeneratedMedia] = []
        for fields in job["requests"]:
            request = with_first_frame(fields, made)
            if isinstance(request, ImageRequest):
                made.append(generate_image(request, library=library))
            elif isinstance(request, VideoRequest):
                made.append(generate_video(request, library=library))
        return made

    @flow(name="making")
    async def awaited() -> list[GeneratedMedia]:
        made: list[GeneratedMedia] = []
        for fields in job["requests"]:
            request = with_first_frame(fields, made)
            if isinstance(request, ImageRequest):
                made.append(await agenerate_image(request, library=library))
            elif isinstance(request, VideoRequest):
                made.append(await agenerate_video(request, library=library))
        return made

    if job.get("flow") == "awaited":
        return asyncio.run(awaited())
    if job.get("flow") == "served":
        making.serve(name="served", pause_on_shutdown=False, print_starting_message=False)  # pyright: ignore[reportUnknownMemberType]
        return []
    if "resume" in job:
        with get_client(sync_client=True) as client:
            found = client.read_flow_run(job["resume"])  # type: ignore[arg-type]
        return run_flow(making, flow_run=found)  # type: ignore[return-value]
    return making()


def run_named(job: Job) -> dict[str, Any]:
    """Make the requests of a job in a named batch, which others may share, and return its result."""
    from prefect_together import MediaLibrary, SpendLimit, TogetherCredentials, generate_batch

    options = dict(job.get("named", {}))
    if limit := options.pop("limit", None):
        options["limit"] = SpendLimit(name=limit[0], usd=limit[1])
    result = generate_batch.fn(
        [request_of(fields) for fields in job["requests"]],
        credentials=TogetherCredentials(api_key=job["api_key"], base_url=job["base_url"]),  # type: ignore[arg-type]
        library=MediaLibrary(url=job["library"], options=job.get("options", {})),  # type: ignore[arg-type]
        on_unknown=job.get("on_unknown", "auto"),  # type: ignore[arg-type]
        fail_on="never",
        **options,
    )
    return {"result": result.model_dump(mode="json")}
