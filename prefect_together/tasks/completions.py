"""Tasks that let a model go on with a text. Each body is one line; the work is in ``engine.lifecycle``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.completion import SPEC, Completion, CompletionRequest
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def generate_completion(
    request: CompletionRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Completion:
    """Go on with a text, by a model on a dedicated endpoint, and keep how in the library's ledger; or return what is kept.

    Args:
        request: What to go on with.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose text may be taken instead of asking: ``"always"`` anybody's, ``"run"`` this flow run's, ``"never"``
            nobody's; ``"auto"`` is ``"always"`` with a seed or a temperature of 0, else ``"run"``.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10), and a price is known.

    Raises:
        TogetherError: As ``generate_text``; where nobody serves the model, it says that a dedicated endpoint does.
    """
    return run(generated(Arguments("generate_completion", request, credentials, library, reuse, on_unknown), SPEC))[0]


@async_task(SPEC.kind)
async def agenerate_completion(
    request: CompletionRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Completion:
    """Go on with a text: ``generate_completion`` for async flows."""
    arguments = Arguments("agenerate_completion", request, credentials, library, reuse, on_unknown)
    return (await arun(generated(arguments, SPEC)))[0]
