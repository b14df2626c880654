"""What somebody may write with this package; `test_user_types.py` has it checked strictly. It is never run."""

from __future__ import annotations

from decimal import Decimal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, PrefectFutureList
from typing_extensions import assert_type

from prefect_together import (
    BatchResult,
    DerivedMedia,
    GeneratedImage,
    GeneratedVideo,
    ImageModelId,
    ImageRequest,
    Keyframe,
    MediaLibrary,
    MediaReference,
    Plan,
    RequestTable,
    TogetherCredentials,
    VideoJob,
    VideoRequest,
    agenerate_batch,
    agenerate_image,
    agenerate_images,
    agenerate_video,
    ajoin_videos,
    asubmit_video,
    await_for_video,
    expected,
    generate_batch,
    generate_image,
    generate_images,
    generate_video,
    join_videos,
    plan,
    publish_gallery,
    requests_from_table,
    submit_video,
    wait_for_video,
)


@flow
def sync_flow() -> DerivedMedia:
    """Use the sync tasks in every way."""
    request = ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro", seed=7)
    library, credentials = MediaLibrary(url="/library"), TogetherCredentials()
    still = generate_image(request, library=library, credentials=credentials, reuse="run", on_unknown="fail")
    assert_type(still, GeneratedImage)
    assert_type(generate_images(request), list[GeneratedImage])
    future = generate_image.submit(request, library=library)
    assert_type(future, PrefectFuture[GeneratedImage])
    assert_type(future.result(), GeneratedImage)
    assert_type(generate_image.submit(request, wait_for=[future]), PrefectFuture[GeneratedImage])
    assert_type(generate_image.submit(request, return_state=True), State[GeneratedImage])
    assert_type(generate_image(request, return_state=True), State[GeneratedImage])
    futures = generate_image.map([request, request])
    assert_type(futures, PrefectFutureList[GeneratedImage])
    assert_type([one.result() for one in futures], list[GeneratedImage])
    patient = generate_video.with_options(retries=3, retry_delay_seconds=10, tags=["mine"])
    clips = [
        patient(VideoRequest(prompt="push in", model="m/m", frame_images=[still, Keyframe(input_image=still)], seconds=6))
    ]
    assert_type(clips, list[GeneratedVideo])
    assert_type(patient.submit(VideoRequest(prompt="x", model="m/m")), PrefectFuture[GeneratedVideo])
    job = submit_video(VideoRequest(prompt="x", model="m/m"))
    assert_type(job, VideoJob)
    assert_type(wait_for_video(job, timeout=60.0), GeneratedVideo)
    cost: Decimal | None = still.cost
    shown: bool = publish_gallery([still, clips, cost], key="all")
    return join_videos(clips if shown else [])


@flow
def tables() -> BatchResult:
    """Use a batch and its plan."""
    table = requests_from_table([{"prompt": "a fox"}], constants={"model": "m/m"})
    assert_type(table, RequestTable)
    assert_type(plan(table, max_cost="1.50"), Plan)
    assert_type(expected(ImageRequest(prompt="x", model="m/m")), MediaReference)
    assert_type(generate_batch.submit(table, name="x").result(), BatchResult)
    return generate_batch(table, name="x", max_cost=Decimal(2))


@flow
async def async_flow() -> DerivedMedia:
    """Use the async twins in every way."""
    request = ImageRequest(prompt="a fox", model="m/m", n=1)
    assert_type(await agenerate_image(request), GeneratedImage)
    assert_type(await agenerate_images(request), list[GeneratedImage])
    future = agenerate_image.submit(request)
    assert_type(future, PrefectFuture[GeneratedImage])
    assert_type(future.result(), GeneratedImage)
    assert_type(agenerate_image.map([request]), PrefectFutureList[GeneratedImage])
    assert_type(await agenerate_image.with_options(retries=1)(request), GeneratedImage)
    assert_type(await agenerate_image(request, return_state=True), State[GeneratedImage])
    assert_type(await agenerate_batch([request]), BatchResult)
    job = await asubmit_video(VideoRequest(prompt="x", model="m/m"))
    clips = [await await_for_video(job), await agenerate_video(VideoRequest(prompt="x", model="m/m"), timeout=60)]
    assert_type(clips, list[GeneratedVideo])
    return await ajoin_videos(clips)


def wrong(request: ImageRequest) -> None:
    """Misuse what would fail at run time: each line is an error that a checker has to find, or its comment is one."""
    generate_image(request, libary=None)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportUnknownVariableType]
    generate_image.submit(VideoRequest(prompt="x", model="m/m"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownVariableType, reportUnknownMemberType]
    generate_image.with_options(retires=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@flow
def any_model(model: ImageModelId = "black-forest-labs/FLUX.2-pro") -> GeneratedImage:
    """Take a model that the catalogue knows, or any other one."""
    return generate_image(ImageRequest(prompt="a fox", model=model))


def models() -> None:
    """Name one that is known, one that is not, and one that is read from somewhere."""
    read: str = input()
    any_model()
    any_model(model="nobody/yet")
    any_model(model=read)
