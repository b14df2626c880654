"""What the tasks do: one coroutine per operation, for sync tasks and async twins alike; it runs on the background loop."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import MediaLibrary
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.context import Ask
from prefect_together.engine.reconciliation import Reconciliation
from prefect_together.engine.tracing import span
from prefect_together.errors import InvalidRequest
from prefect_together.generations import ImageRequest, Request, VideoRequest
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.results import GeneratedImage, GeneratedMedia, GeneratedVideo, VideoJob
from prefect_together.tasks._context import ask_for, expect, run_logger
from prefect_together.ui.artifacts import show


@dataclass(frozen=True)
class Arguments:
    """What a task was called with."""

    task: str
    request: Request
    credentials: TogetherCredentials | None = None
    library: MediaLibrary | None = None
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    timeout: float | None = None

    async def ask(self, kind: type[Request]) -> Ask:
        """Return the question they put."""
        request = expect(self.request, kind, self.task)
        return await ask_for(
            request, credentials=self.credentials, library=self.library, reuse=self.reuse, on_unknown=self.on_unknown
        )


def only(request: ImageRequest | object) -> ImageRequest:
    """Return a request for one picture.

    Raises:
        InvalidRequest: It asks for several.
    """
    one = expect(request, ImageRequest, "generate_image")
    if one.n != 1:
        raise InvalidRequest(f"generate_image makes one picture and n is {one.n}: use generate_images.")
    return one


async def images(arguments: Arguments) -> list[GeneratedImage]:
    """Make pictures."""
    media = await _obtain(arguments, ImageRequest)
    return [image for image in media if isinstance(image, GeneratedImage)]


async def video(arguments: Arguments) -> GeneratedVideo:
    """Make a clip."""
    return _clip(await _obtain(arguments, VideoRequest))


async def submitted(arguments: Arguments) -> VideoJob:
    """Submit a clip."""
    from prefect_together.engine.lifecycle import submit

    return await submit(await arguments.ask(VideoRequest))


async def delivered(arguments: Arguments, job: VideoJob) -> GeneratedVideo:
    """Wait for the clip of a job."""
    from prefect_together.engine.lifecycle import wait

    ask = await arguments.ask(VideoRequest)
    with span(ask.request, prompt=current_settings().trace_prompts) as note:
        note.media = media = await wait(ask, job, timeout=arguments.timeout or 0.0)
    await show(media)
    return _clip(media)


async def _obtain(arguments: Arguments, kind: type[Request]) -> list[GeneratedMedia]:
    from prefect_together.engine.lifecycle import obtain  # imports the HTTP client, which is slow

    ask = await arguments.ask(kind)
    with span(ask.request, prompt=current_settings().trace_prompts) as note:
        note.media = media = await obtain(ask, timeout=arguments.timeout)
    await show(media)
    return media


def _clip(media: list[GeneratedMedia]) -> GeneratedVideo:
    clip = media[0]
    if not isinstance(clip, GeneratedVideo):
        raise TypeError(f"a video request came back as {type(clip).__name__}")
    return clip


async def reconciled(credentials: TogetherCredentials | None, library: MediaLibrary | None, wait: float) -> Reconciliation:
    """Reconcile a library, and show what came of it."""
    from prefect_together.engine.reconcile import reconcile

    client, storage = (credentials or TogetherCredentials()).get_client(), (library or MediaLibrary()).storage()
    report = await reconcile(storage, client, log=run_logger(), rules=current_settings().rules(), wait=wait)
    run_logger().info("%s", report.text())
    await show(report.kept)
    return report


def request_of(job: VideoJob | object) -> VideoRequest:
    """Return what a job was asked for.

    Raises:
        InvalidRequest: It is no job.
    """
    if not isinstance(job, VideoJob):
        raise InvalidRequest(f"wait_for_video takes the VideoJob of submit_video, and was given {type(job).__name__}.")
    return job.request
