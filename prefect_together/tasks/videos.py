"""Tasks that make clips, from words or from keyframes. Each body is one line; the work is in ``generation``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.results import GenerationJob
from prefect_together.generations.video import SPEC, GeneratedVideo, VideoJob, VideoRequest
from prefect_together.tasks._checks import expect
from prefect_together.tasks._operations import Arguments, generated, submitted, waited_for
from prefect_together.tasks._suspension import Waiting
from prefect_together.tasks._task import async_task, sync_task

TIMEOUT = 1800.0
"""Seconds that a job is waited for, counted from its submission."""


@sync_task(SPEC.kind)
def generate_video(
    request: VideoRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    timeout: float = TIMEOUT,
    wait: Waiting = "poll",
) -> GeneratedVideo:
    """Make one clip, wait for it, keep it in the library, and return the reference to it; or return the one kept already.

    A job that another process submitted and nobody kept is gone on with: nothing is paid.

    Example:
        ```python
        from prefect import flow
        from prefect_together import VideoRequest, generate_video

        @flow
        def clip(still: str):
            request = VideoRequest(prompt="slow push in", model="minimax/hailuo-02", frame_images=[still], seconds=6)
            return generate_video(request)
        ```

    Args:
        request: What to make.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose result may be taken instead of paying, see ``generate_image``.
        on_unknown: What to do when it was sent and nobody knows whether it was accepted, see ``generate_image``.
        timeout: Seconds to wait, counted from submission; a call that begins after that waits as long anew.
        wait: ``"poll"``: this process waits. ``"suspend"``: the flow run, which has to be one of a deployment, is suspended
            and its process ends. The sweep (``flows/sweep.py``) asks for the job and resumes the run when all of its jobs
            are over: the flow begins anew and finds what is kept. ``timeout`` counts from when the run first waited for it.

    Raises:
        GenerationFailed: The job failed or was cancelled.
        GenerationTimeout: The job still runs; it carries the job, and a later run goes on waiting without paying.
        MediaError: The clip was paid for and could not be fetched; running it again fetches it and does not pay.
        TogetherError: All that ``generate_image`` raises.
    """
    return run(
        generated(Arguments("generate_video", request, credentials, library, reuse, on_unknown, timeout, wait), SPEC)
    )[0]


@async_task(SPEC.kind)
async def agenerate_video(
    request: VideoRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    timeout: float = TIMEOUT,
    wait: Waiting = "poll",
) -> GeneratedVideo:
    """Make one clip: ``generate_video`` for async flows."""
    return (
        await arun(
            generated(Arguments("agenerate_video", request, credentials, library, reuse, on_unknown, timeout, wait), SPEC)
        )
    )[0]


@sync_task(SPEC.kind)
def submit_video(
    request: VideoRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> VideoJob:
    """Submit one clip and return its job at once, for ``wait_for_video``.

    Args:
        request: What to make.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Whose ledger knows of it, and where ``wait_for_video`` is to keep it; by default as for ``generate_video``.
        reuse: Whose job or clip may be taken instead of paying, see ``generate_image``.
        on_unknown: When it was sent and nobody knows whether it was accepted, see ``generate_image``.

    Raises:
        TogetherError: All that ``generate_image`` raises.
    """
    return run(submitted(Arguments("submit_video", request, credentials, library, reuse, on_unknown), SPEC, VideoJob))


@async_task(SPEC.kind)
async def asubmit_video(
    request: VideoRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> VideoJob:
    """Submit one clip: ``submit_video`` for async flows."""
    return await arun(
        submitted(Arguments("asubmit_video", request, credentials, library, reuse, on_unknown), SPEC, VideoJob)
    )


@sync_task(SPEC.kind)
def wait_for_video(
    job: GenerationJob,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    timeout: float = TIMEOUT,
    wait: Waiting = "poll",
) -> GeneratedVideo:
    """Wait for a job and keep its clip; never pays, and works from any process and any machine.

    Args:
        job: What ``submit_video`` returned, or what a ``GenerationTimeout`` carries.
        credentials: The account that submitted it.
        library: Where to keep it; by default as for ``generate_video``. A job does not say which library it was submitted
            from: another one, the default one included, asks Together for the clip and keeps it too, for nothing. So name
            that library, where it is now if it was moved, or its ledger counts the job as running until ``reconcile`` takes
            it there.
        timeout: Seconds to wait, counted from submission; a call that begins after that waits as long anew.
        wait: ``"poll"``: this process waits. ``"suspend"``: the flow run, which has to be one of a deployment, is suspended
            and its process ends. The sweep (``flows/sweep.py``) asks for the job and resumes the run when all of its jobs
            are over: the flow begins anew and finds what is kept. ``timeout`` counts from when the run first waited for it.

    Raises:
        GenerationFailed: The job failed or was cancelled.
        GenerationTimeout: The job still runs.
        MediaError: The clip could not be fetched; waiting again fetches it.
        TogetherError: The job cannot be asked for, or the library cannot be written.
    """
    request = expect(job, VideoJob, "wait_for_video").request
    return run(
        waited_for(Arguments("wait_for_video", request, credentials, library, timeout=timeout, wait=wait), SPEC, job)
    )[0]


@async_task(SPEC.kind)
async def await_for_video(
    job: GenerationJob,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    timeout: float = TIMEOUT,
    wait: Waiting = "poll",
) -> GeneratedVideo:
    """Wait for a job: ``wait_for_video`` for async flows."""
    request = expect(job, VideoJob, "await_for_video").request
    arguments = Arguments("await_for_video", request, credentials, library, timeout=timeout, wait=wait)
    return (await arun(waited_for(arguments, SPEC, job)))[0]
