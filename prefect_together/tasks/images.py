"""Tasks that make pictures, from words or from other pictures. Each body is one line; the work is in ``generation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import SPEC, GeneratedImage, ImageRequest
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.validation import items_of
from prefect_together.tasks._checks import expect
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task

if TYPE_CHECKING:
    from prefect_together.tasks.review import How, OnTimeout
    from prefect_together.ui.review_form import Review


@sync_task(SPEC.kind)
def generate_image(
    request: ImageRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedImage:
    """Make one picture, keep it in the library, and return the reference to it; or return the one that is kept already.

    Example:
        ```python
        from prefect import flow
        from prefect_together import ImageRequest, generate_image

        @flow
        def picture():
            return generate_image(ImageRequest(prompt="a fox in the snow", model="black-forest-labs/FLUX.2-pro", seed=7))
        ```

    Args:
        request: What to make; its ``n`` must be 1.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose result may be taken instead of paying: ``"always"`` anybody's, ``"run"`` this flow run's, ``"never"``
            nobody's; ``"auto"`` is ``"always"`` for requests with a seed, else ``"run"``.
        on_unknown: When it was sent and nobody knows whether it was accepted: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where the catalogue prices it at or below the setting ``resubmit_below`` ($0.10).

    Raises:
        InvalidRequest: It cannot be sent, or the model does not take it. Nothing was sent.
        UnknownOutcome: It may have been paid for and is not sent again.
        APIError: Together refused it; refusals are free.
        ConnectionFailed: Together could not be reached; nothing was sent.
        MediaError: The picture was paid for and could not be fetched; running it again fetches it and does not pay.
        LibraryError: The library could not be read or written.
    """
    return run(generated(Arguments("generate_image", _only(request), credentials, library, reuse, on_unknown), SPEC))[0]


@async_task(SPEC.kind)
async def agenerate_image(
    request: ImageRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedImage:
    """Make one picture: ``generate_image`` for async flows."""
    return (
        await arun(generated(Arguments("agenerate_image", _only(request), credentials, library, reuse, on_unknown), SPEC))
    )[0]


@sync_task(SPEC.kind)
def generate_images(
    request: ImageRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> list[GeneratedImage]:
    """Make the 1 to 4 pictures of one request, in order. Errors are those of ``generate_image``.

    Example:
        ```python
        from prefect import flow
        from prefect_together import ImageRequest, generate_images

        @flow
        def variations():
            return generate_images(ImageRequest(prompt="a fox in the snow", model="black-forest-labs/FLUX.2-pro", n=4))
        ```

    Args:
        request: What to make; its ``n`` says how many.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep them; by default as for ``generate_image``.
        reuse: Whose results may be taken instead of paying, see ``generate_image``.
        on_unknown: When it was sent and nobody knows whether it was accepted, see ``generate_image``.
    """
    return run(generated(Arguments("generate_images", request, credentials, library, reuse, on_unknown), SPEC))


@async_task(SPEC.kind)
async def agenerate_images(
    request: ImageRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> list[GeneratedImage]:
    """Make the 1 to 4 pictures of one request: ``generate_images`` for async flows."""
    return await arun(generated(Arguments("agenerate_images", request, credentials, library, reuse, on_unknown), SPEC))


def _only(request: ImageRequest | object) -> ImageRequest:
    """Return a request for one picture.

    Raises:
        InvalidRequest: It asks for several.
    """
    one = expect(request, ImageRequest, "generate_image")
    if one.n != 1:
        raise InvalidRequest(f"generate_image makes one picture and n is {one.n}: use generate_images.")
    return one


def approved_images(
    images: Sequence[GeneratedImage],
    *,
    rounds: int = 3,
    price: Decimal | None = None,
    timeout: int = 3600,
    on_timeout: OnTimeout = "fail",
    how: How = "auto",
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
) -> list[GeneratedImage | None]:
    """Have pictures reviewed, make those again that the reviewer wants otherwise, and ask again, a few times.

    A picture that is made again has the reviewer's note behind its prompt, and is a take of its own.

    Example:
        ```python
        from prefect import flow
        from prefect_together import ImageRequest, approved_images, generate_image

        @flow
        def stills(prompts: list[str]):
            model = "black-forest-labs/FLUX.2-pro"
            made = [generate_image(ImageRequest(prompt=prompt, model=model, seed=7)) for prompt in prompts]
            return [still for still in approved_images(made) if still]
        ```

    Args:
        images: What to show, 40 at most.
        rounds: Times that somebody is asked at most; what is made again in the last round is not asked about.
        price: USD that each approved picture will lead to, see ``review_images``.
        timeout: Seconds to wait for an answer, each time.
        on_timeout: What happens then: ``fail``, ``keep`` all, or ``drop`` all.
        how: Whether the process waits (``pause``) or ends (``suspend``), see ``review_images``.
        credentials: The account that pays for pictures that are made again.
        library: Where these are kept.

    Returns:
        For each picture what became of it: itself, the one that was made instead, or None where it was dropped.

    Raises:
        InvalidRequest: ``rounds`` is below 1, or as ``review_images``.
        FlowPauseTimeout: Nobody answered, and ``on_timeout`` is ``"fail"``.
        TogetherError: A picture could not be made again, see ``generate_image``.
    """
    from prefect_together.tasks.review import review_images  # imports forms, and few flows are reviewed

    left = _begun(images, rounds)
    for turn in range(1, rounds + 1):
        shown = {place: image for place, image in enumerate(left) if image}
        done = review_images(
            [*shown.values()], price=price, timeout=timeout, on_timeout=on_timeout, how=how, key=f"review-{turn}"
        )
        again = _decided(left, shown, done, turn)
        if not again:
            break
        for place, request in again.items():
            left[place] = generate_image(request, credentials=credentials, library=library)
    return left


async def aapproved_images(
    images: Sequence[GeneratedImage],
    *,
    rounds: int = 3,
    price: Decimal | None = None,
    timeout: int = 3600,
    on_timeout: OnTimeout = "fail",
    how: How = "auto",
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
) -> list[GeneratedImage | None]:
    """Have pictures reviewed until nobody wants them otherwise: ``approved_images`` for async flows."""
    from prefect_together.tasks.review import areview_images  # imports forms, and few flows are reviewed

    left = _begun(images, rounds)
    for turn in range(1, rounds + 1):
        shown = {place: image for place, image in enumerate(left) if image}
        done = await areview_images(
            [*shown.values()], price=price, timeout=timeout, on_timeout=on_timeout, how=how, key=f"review-{turn}"
        )
        again = _decided(left, shown, done, turn)
        if not again:
            break
        for place, request in again.items():
            left[place] = await agenerate_image(request, credentials=credentials, library=library)
    return left


def _begun(images: Sequence[GeneratedImage], rounds: int) -> list[GeneratedImage | None]:
    if rounds < 1:
        raise InvalidRequest(f"approved_images asks at least once, and rounds is {rounds}.")
    return [*items_of("approved_images", images, (GeneratedImage,), "pictures that were generated")]


def _decided(
    left: list[GeneratedImage | None], shown: Mapping[int, GeneratedImage], done: Review, turn: int
) -> dict[int, ImageRequest]:
    """Take out what was dropped, and return the requests for pictures that are to be made again, by their places.

    Decisions are in the order of the pictures: two of them may be the same one.
    """
    asked: dict[int, ImageRequest] = {}
    for (place, image), decision in zip(shown.items(), done.decisions, strict=True):
        if decision.verdict == "drop":
            left[place] = None
        elif decision.verdict == "redo":
            prompt = f"{image.request.prompt}. {decision.note}" if decision.note else image.request.prompt
            asked[place] = image.request.model_copy(update={"prompt": prompt, "take": turn})
    return asked
