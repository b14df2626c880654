"""The main job under Prefect: a prompt becomes a picture becomes a video, in every way that a task can be called."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Prefect's futures and PyAV's stubs leave types open.

from __future__ import annotations

from decimal import Decimal

import av
import pytest
from PIL import Image
from prefect import flow, task

from prefect_together import (
    GeneratedImage,
    GeneratedVideo,
    VideoJob,
    agenerate_image,
    agenerate_images,
    agenerate_video,
    asubmit_video,
    await_for_video,
    generate_image,
    generate_images,
    generate_video,
    submit_video,
    wait_for_video,
)
from prefect_together.sandbox import Sandbox

from .asking import clip, dear_clip, picture


def test_a_prompt_becomes_a_picture_becomes_a_clip(together_sandbox: Sandbox) -> None:
    """Both files are kept, verified, of the asked size and length, and say what they cost."""

    @flow
    def teaser(idea: str) -> tuple[GeneratedImage, GeneratedVideo]:
        still = generate_image(picture(idea, width=640, height=384, seed=7))
        return still, generate_video(dear_clip(frame_images=[still]))

    still, moving = teaser("a fox in the snow")
    assert (640, 384, None, Decimal("0.03")) == (still.width, still.height, still.cost, still.estimated_cost)
    assert (1366, 768, 6.0, 25.0) == (moving.width, moving.height, moving.seconds, moving.fps)
    assert Decimal("0.56") == moving.cost
    assert (False, False) == (still.reused, moving.reused)
    assert moving.job_id in {job["id"] for job in together_sandbox.jobs()}
    assert moving.verify()
    with Image.open(still.path()) as image:
        assert (640, 384) == image.size
    with av.open(moving.path()) as container:
        assert 150 == sum(1 for _ in container.decode(video=0))
    with moving.open() as file:
        assert moving.size == len(file.read())


def test_the_fresh_hosted_picture_is_passed_on(together_sandbox: Sandbox) -> None:
    """A keyframe that Together hosts goes out as its URL, under `media`, and not inline."""
    still = generate_image(picture(seed=1))
    generate_video(clip(frame_images=[still]))
    body = next(request.body for request in together_sandbox.requests() if request.path == "/v2/videos")
    assert {"frame_images": [{"input_image": still.source_url}]} == body["media"]


@flow
def _called() -> list[object]:
    return [
        generate_image(picture(seed=1)),
        *generate_images(picture(seed=2, n=2)),
        generate_video(clip(seed=3)),
        wait_for_video(submit_video(clip(seed=4))),
    ]


@flow
def _submitted() -> list[object]:
    futures = [generate_image.submit(picture(seed=1)), generate_images.submit(picture(seed=2, n=2))]
    first, second = (future.result() for future in futures)
    video = generate_video.submit(clip(seed=3)).result()
    waited = wait_for_video.submit(submit_video.submit(clip(seed=4))).result()  # pyright: ignore[reportArgumentType]
    return [first, *second, video, waited]  # type: ignore[misc]


@flow
def _mapped() -> list[object]:
    images = generate_image.map([picture(seed=1)]).result()
    several = generate_images.map([picture(seed=2, n=2)]).result()[0]
    videos = generate_video.map([clip(seed=3)]).result()
    return [*images, *several, *videos, *wait_for_video.map(submit_video.map([clip(seed=4)])).result()]


@flow
def _inside_a_task() -> list[object]:
    @task
    def outer() -> list[object]:
        return _called.fn()

    return outer()


@flow
async def _awaited() -> list[object]:
    return [
        await agenerate_image(picture(seed=1)),
        *await agenerate_images(picture(seed=2, n=2)),
        await agenerate_video(clip(seed=3)),
        await await_for_video(await asubmit_video(clip(seed=4))),
    ]


@flow
async def _asubmitted() -> list[object]:
    first = agenerate_image.submit(picture(seed=1)).result()
    second = agenerate_images.submit(picture(seed=2, n=2)).result()
    job = asubmit_video.submit(clip(seed=4))
    return [first, *second, agenerate_video.submit(clip(seed=3)).result(), await_for_video.submit(job).result()]  # type: ignore[misc]


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param(_called, id="called"),
        pytest.param(_submitted, id="submitted"),
        pytest.param(_mapped, id="mapped"),
        pytest.param(_inside_a_task, id="inside-a-task"),
        pytest.param(_called.fn, id="outside-any-flow"),
    ],
)
def test_every_way_of_calling(ways: object, together_sandbox: Sandbox) -> None:
    """Called, submitted, mapped, inside a task and outside any flow: the same files for four POSTs, and none again."""
    _check(ways(), together_sandbox)  # type: ignore[operator]
    _check(ways(), together_sandbox)  # type: ignore[operator]


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param(_awaited, id="awaited"),
        pytest.param(_asubmitted, id="submitted"),
        pytest.param(_awaited.fn, id="outside-any-flow"),
    ],
)
async def test_every_way_of_awaiting(ways: object, together_sandbox: Sandbox) -> None:
    """The async twins do the same."""
    _check(await ways(), together_sandbox)  # type: ignore[operator]
    _check(await ways(), together_sandbox)  # type: ignore[operator]


def _check(made: list[object], together: Sandbox) -> None:
    assert [GeneratedImage] * 3 + [GeneratedVideo] * 2 == [type(one) for one in made]
    assert (2, 2) == (together.count("/v1/images/generations"), together.count("/v2/videos"))
    assert 4 == len(together.charges())


def test_several_pictures_of_one_request(together_sandbox: Sandbox) -> None:
    """`n` pictures come in order, each its own file, the price shared out among them."""
    images = generate_images(picture(n=3, seed=5))
    assert [0, 1, 2] == [image.index for image in images]
    assert 3 == len({image.sha256 for image in images})
    assert [Decimal("0.03")] * 3 == [image.estimated_cost for image in images]
    assert 1 == together_sandbox.count("/v1/images/generations")


def test_a_job_is_submitted_now_and_waited_for_later(together_sandbox: Sandbox) -> None:
    """`submit_video` returns at once; waiting twice, and from a copy of the job, pays nothing."""
    job = submit_video(clip(seed=1))
    assert isinstance(job, VideoJob)
    copy = VideoJob.model_validate_json(job.model_dump_json())
    assert wait_for_video(job).sha256 == wait_for_video(copy).sha256
    assert 1 == len(together_sandbox.charges())


def test_an_edit_is_an_image_request_with_a_picture(together_sandbox: Sandbox) -> None:
    """Kontext takes a generated picture: its fresh URL is passed on."""
    still = generate_image(picture(seed=1))
    model = "black-forest-labs/FLUX.1-kontext-pro"
    edited = generate_image(picture("the fox wears a hat", model=model, image_url=still, seed=2, width=None, height=None))
    assert edited.sha256 != still.sha256
    assert still.source_url == together_sandbox.requests()[-3].body["image_url"]
