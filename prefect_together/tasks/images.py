"""Tasks that make pictures, from words or from other pictures. Each body is one line; the work is in ``generation``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import SPEC, GeneratedImage, ImageRequest
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.tasks._checks import expect
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


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
