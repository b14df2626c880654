"""What would be sent and what it would cost, for sync and async callers. No tasks: they send nothing and need no retries."""

from __future__ import annotations

from typing import cast, overload

from prefect_together._internal.event_loop import arun, run
from prefect_together.batch.plan import Plan
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.context import findings_of
from prefect_together.errors import MediaError
from prefect_together.generations.chat import ChatRequest
from prefect_together.generations.fingerprint import stand_in
from prefect_together.generations.generated_text import GeneratedText
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import MediaReference, Request
from prefect_together.generations.spoken import RecordingRequest
from prefect_together.generations.transcript import Transcript
from prefect_together.generations.validation import items_of
from prefect_together.tasks._batch_arguments import BatchArguments, Via
from prefect_together.tasks._batch_requests import Requests, filled, rows_of
from prefect_together.tasks._batch_summary import show_plan
from prefect_together.tasks._checks import Money, expect, usd
from prefect_together.tasks._context import generation_context


def plan(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    name: str | None = None,
    via: Via = "requests",
) -> Plan:
    """Return what ``generate_batch`` would do with these arguments, and what it would cost.

    Nothing is sent, and no key is needed. In a flow or task it is a markdown artifact too.

    Example:
        ```python
        from prefect_together import plan, requests_from_table

        table = requests_from_table("products.csv", constants={"model": "black-forest-labs/FLUX.2-pro", "seed": 7})
        print(plan(table))
        ```

    Args:
        requests: A table of ``requests_from_table``, or requests of any kinds.
        credentials: The account that would pay; by default the one of ``TOGETHER_API_KEY``.
        library: Where the files would be kept; by default as for ``generate_image``.
        reuse: Whose results would be taken, see ``generate_image``.
        on_unknown: As for ``generate_batch``.
        max_cost: The most that the batch could spend, in USD.
        name: The name of the batch, where it has one.
        via: How it would go out, see ``generate_batch``: with ``"batch"`` the plan has both prices.

    Raises:
        ConfigurationError: An address is not understood.
    """
    return run(_plan(BatchArguments(requests, credentials, library, reuse, on_unknown, name=name, via=via), max_cost))


def check_requests(*requests: Request) -> None:
    """Refuse what cannot be sent, as its task would: what a flow asks for in its later steps, before it pays for the first.

    Nothing is sent, and no key is needed. Words and files that are still to be made are stood in for by any others.

    Example:
        ```python
        from prefect_together import SpeechRequest, VideoRequest, check_requests

        line = SpeechRequest(input="still to be written", model="hexgrad/Kokoro-82M", voice="bf_emma")
        clip = VideoRequest(prompt="still to be written", model="minimax/hailuo-02", seconds=6)
        check_requests(line, clip)
        ```

    Args:
        requests: What would be asked for.

    Raises:
        InvalidRequest: It is no request; or Together has no such model or voice, or a documented rule is broken, and the
            setting ``PREFLIGHT`` says that this is an error.
    """
    policy = current_settings().policy()
    given = items_of("check_requests", requests, (Request,), "requests, each as an argument of its own")
    for request in given if policy.preflight == "error" else ():
        findings_of(request, request.given(), policy)


async def aplan(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    name: str | None = None,
    via: Via = "requests",
) -> Plan:
    """Return what a batch would do: ``plan`` for async callers."""
    return await arun(_plan(BatchArguments(requests, credentials, library, reuse, on_unknown, name=name, via=via), max_cost))


@overload
def expected(  # pyright: ignore[reportOverlappingOverload] - a request of another type is never a ChatRequest
    request: ChatRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> GeneratedText | None: ...
@overload
def expected(  # pyright: ignore[reportOverlappingOverload] - nor a RecordingRequest
    request: RecordingRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> Transcript | None: ...
@overload
def expected(
    request: Request,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> MediaReference: ...
def expected(
    request: Request,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> MediaReference | GeneratedText | Transcript | None:
    """Return what a request will bring, for the plan of what comes after it: its file, or a stand-in while there is none.

    Nothing is sent, and no key is needed. A request with a stand-in can be planned with and not be sent. Nothing stands for
    an answer: what is made of one that is still to be asked for is not known, and a plan says so (``Plan.noting``).

    Example:
        ```python
        from prefect_together import ImageRequest, VideoRequest, expected, plan

        still = ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro", seed=7)
        clip = VideoRequest(prompt="push in", model="minimax/hailuo-02", frame_images=[expected(still)], seed=7)
        print(plan([still, clip]))
        ```

    Args:
        request: What is asked.
        credentials: The account that would pay; by default the one of ``TOGETHER_API_KEY``.
        library: Where the files would be kept; by default as for ``generate_image``.
        reuse: Whose results would be taken, see ``generate_image``.

    Returns:
        The first ``GeneratedImage`` or ``GeneratedVideo`` of the request where it is kept, else a bare reference. Where it
        was kept and is gone from the library, that is its reference: ``plan`` refuses what needs it, and says so. Of a
        ``ChatRequest`` the ``GeneratedText`` that its task would return, whether or not it is by its schema, and of a
        recording its ``Transcript``; None where it, or an answer that it is to be repaired by, is still to be asked for.

    Raises:
        ConfigurationError: An address is not understood.
        InvalidRequest: A local file that the request names cannot be read.
    """
    return run(_expected(request, credentials, library, reuse))


@overload
async def aexpected(  # pyright: ignore[reportOverlappingOverload] - a request of another type is never a ChatRequest
    request: ChatRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> GeneratedText | None: ...
@overload
async def aexpected(  # pyright: ignore[reportOverlappingOverload] - nor a RecordingRequest
    request: RecordingRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> Transcript | None: ...
@overload
async def aexpected(
    request: Request,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> MediaReference: ...
async def aexpected(
    request: Request,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
) -> MediaReference | GeneratedText | Transcript | None:
    """Return what a request will bring: ``expected`` for async callers."""
    return await arun(_expected(request, credentials, library, reuse))


async def _expected(
    request: Request, credentials: TogetherCredentials | None, library: AnyLibrary | None, reuse: Reuse
) -> MediaReference | GeneratedText | Transcript | None:
    from prefect_together.engine.lifecycle import answered, known, lookup  # import the HTTP client, which is slow

    request = expect(request, Request, "expected")
    context = await generation_context(
        request, credentials=credentials, library=library, reuse=reuse, sends=False, alone=False
    )
    if not spec_of(request).keeping.media_types:
        return cast("GeneratedText | Transcript | None", await answered(context))
    try:
        fingerprint, results = await lookup(context)
    except MediaError:  # a plan of what comes after it says so, and goes on
        fingerprint, results = await known(context)
        file = next(result for result in results if isinstance(result, KeptFile))
        # Not even where Together hosts it still: its own task will not hand it out.
        return file.reference().model_copy(update={"source_url": None})
    files = [result for result in results if isinstance(result, KeptFile)]
    return files[0] if files else stand_in(fingerprint, request)


async def _plan(arguments: BatchArguments, max_cost: Money | None) -> Plan:
    from prefect_together.batch.planner import Planner  # imports the HTTP client, which is slow

    arguments.check()
    context = await arguments.context(sends=False)
    most = None if max_cost is None else usd("max_cost", max_cost)
    planner = Planner(context, worst_case=current_settings().worst_case, max_cost=most)
    found = (await planner.plan(rows_of(arguments.requests))).model_copy(update=filled(arguments.requests))
    await show_plan(found)
    return found
