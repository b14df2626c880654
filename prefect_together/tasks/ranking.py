"""Tasks that rank documents. Each body is one line; the work is in ``engine.lifecycle``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.rerank import SPEC, Ranking, RerankRequest
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def rerank(
    request: RerankRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Ranking:
    """Rank documents by how well they fit a question, by a model on a dedicated endpoint, and keep the ranking.

    Args:
        request: What to rank.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose ranking may be taken instead of asking: ``"always"`` (as ``"auto"``) anybody's, ``"run"`` this flow
            run's, ``"never"`` nobody's.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10), and a price is known.

    Raises:
        ServerError: The answer leaves out documents. It is kept.
        TogetherError: As ``generate_text``; where nobody serves the model, it says that a dedicated endpoint does.
    """
    return run(generated(Arguments("rerank", request, credentials, library, reuse, on_unknown), SPEC))[0]


@async_task(SPEC.kind)
async def arerank(
    request: RerankRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Ranking:
    """Rank documents: ``rerank`` for async flows."""
    return (await arun(generated(Arguments("arerank", request, credentials, library, reuse, on_unknown), SPEC)))[0]
