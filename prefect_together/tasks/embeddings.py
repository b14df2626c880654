"""Tasks that make vectors of texts: as many requests as the texts take, and one file of them all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.errors import ServerError
from prefect_together.generations.derived import Spliced
from prefect_together.generations.embedding import SPEC, EmbeddingRequest, Embeddings
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.numpy_files import npy_header, npy_shape
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.tasks._checks import expect
from prefect_together.tasks._editing.deriving import derive
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
    return run(_embedded(Arguments("embed_texts", request, credentials, library, reuse, on_unknown)))


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
    return await arun(_embedded(Arguments("aembed_texts", request, credentials, library, reuse, on_unknown)))


async def _embedded(arguments: Arguments) -> Embeddings:
    asked = expect(arguments.request, EmbeddingRequest, arguments.task)
    works = [generated(replace(arguments, request=part), SPEC) for part in asked.parts()]
    # Each part is paid for and kept by itself: one that fails is asked for again alone.
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    if failed := next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None):
        raise failed
    parts = [outcome[0] for outcome in outcomes if not isinstance(outcome, BaseException)]
    if len(parts) == 1:
        return parts[0]
    return await _joined(asked, parts, arguments.library)


async def _joined(asked: EmbeddingRequest, parts: Sequence[Embeddings], library: AnyLibrary | None) -> Embeddings:
    """Return the vectors of several files as one; its fingerprint is that of the first of them."""
    dimensions = {part.dimensions for part in parts}
    if len(dimensions) > 1:
        lengths = ", ".join(map(str, sorted(dimensions)))
        raise ServerError(f"{asked.model} answered vectors of different lengths: {lengths}.", paid="yes")
    count = sum(part.count for part in parts)

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        with path.open("wb") as joined:
            joined.write(npy_header(count, parts[0].dimensions))
            for file in files:
                data = file.read_bytes()
                joined.write(memoryview(data)[npy_shape(data)[1] :])
        return Spliced()

    file = await derive("join_vectors", parts, await storage_of(library), make)
    tokens = [part.input_tokens for part in parts if part.input_tokens is not None]
    changed = {
        **file.reference().model_dump(),
        "request": asked,
        "count": count,
        "input_tokens": sum(tokens) if len(tokens) == len(parts) else None,
        "reused": all(part.reused for part in parts),
    }
    return parts[0].model_copy(update=changed)
