"""Pictures are reviewed and made again, with the reviewer's notes, until nobody wants that any more."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import GeneratedImage, ImageRequest
from prefect_together.tasks.images import agenerate_image, generate_image
from prefect_together.tasks.review import How, OnTimeout, areview_images, review_images
from prefect_together.ui.review_form import Review


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
    left = _begun(images, rounds)
    for turn in range(1, rounds + 1):
        shown = [image for image in left if image]
        done = review_images(shown, price=price, timeout=timeout, on_timeout=on_timeout, how=how, key=f"review-{turn}")
        left = _without(left, done)
        again = _again(left, done, turn)
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
    left = _begun(images, rounds)
    for turn in range(1, rounds + 1):
        shown = [image for image in left if image]
        done = await areview_images(
            shown, price=price, timeout=timeout, on_timeout=on_timeout, how=how, key=f"review-{turn}"
        )
        left = _without(left, done)
        again = _again(left, done, turn)
        if not again:
            break
        for place, request in again.items():
            left[place] = await agenerate_image(request, credentials=credentials, library=library)
    return left


def _begun(images: Sequence[GeneratedImage], rounds: int) -> list[GeneratedImage | None]:
    if rounds < 1:
        raise InvalidRequest(f"approved_images asks at least once, and rounds is {rounds}.")
    return [*images]


def _without(left: Sequence[GeneratedImage | None], done: Review) -> list[GeneratedImage | None]:
    dropped = {image.sha256 for image in done.dropped}
    return [None if image is None or image.sha256 in dropped else image for image in left]


def _again(left: Sequence[GeneratedImage | None], done: Review, turn: int) -> dict[int, ImageRequest]:
    """Return the requests for pictures that are to be made again, by their places."""
    notes = {decision.image.sha256: decision.note for decision in done.redo}
    asked: dict[int, ImageRequest] = {}
    for place, image in enumerate(left):
        if image and image.sha256 in notes:
            note, request = notes[image.sha256], image.request
            prompt = f"{request.prompt}. {note}" if note else request.prompt
            asked[place] = request.model_copy(update={"prompt": prompt, "take": turn})
    return asked
