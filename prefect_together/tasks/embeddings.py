"""Tasks that make vectors of texts: as many requests as the texts take, and one file of them all."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.embedding import SPEC, EmbeddingRequest, Embeddings
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def embed_texts(
    request: EmbeddingRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Embeddings:
    """Make vectors of texts, by a model on a dedicated endpoint, and keep them as one ``.npy`` file of 32-bit floats.

    Of more than 2,048 texts, each 2,048 are a request of their own, paid once and kept; then all are joined into one file.

    Example:
        ```python
        from prefect import flow
        from prefect_together import EmbeddingRequest, embed_texts

        @flow
        def embedded(texts: list[str]):
            found = embed_texts(EmbeddingRequest(input=texts, model="my-team/e5-mistral-1a2b3c4d"))
            return found.vectors()[0], found.path()      # or numpy.load(found.path())
        ```

    Args:
        request: The texts.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose vectors may be taken instead of asking: ``"always"`` (as ``"auto"``) anybody's, ``"run"`` this flow
            run's, ``"never"`` nobody's.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10), and a price is known.

    Raises:
        ServerError: The answer has not one vector for each text, or vectors of different lengths. It is kept.
        TogetherError: As ``generate_image``; where nobody serves the model, it says that a dedicated endpoint does.
    """
    return run(generated(Arguments("embed_texts", request, credentials, library, reuse, on_unknown), SPEC))[0]


@async_task(SPEC.kind)
async def aembed_texts(
    request: EmbeddingRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Embeddings:
    """Make vectors of texts: ``embed_texts`` for async flows."""
    return (await arun(generated(Arguments("aembed_texts", request, credentials, library, reuse, on_unknown), SPEC)))[0]
