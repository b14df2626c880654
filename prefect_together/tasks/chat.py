"""Tasks that ask a model for text. Each body is one line; the work is in ``engine.lifecycle``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.chat import ChatRequest
from prefect_together.generations.generated_text import SPEC, GeneratedText
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def generate_text(
    request: ChatRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedText:
    """Ask a question, keep the answer in the library's ledger, and return it; or return the one that is kept already.

    Where an answer is not by the schema that was asked for, it is asked for again as often as ``request.repair`` says; each
    of these is a request that is paid for, kept, and shown.

    Example:
        ```python
        from prefect import flow
        from pydantic import BaseModel
        from prefect_together import ChatRequest, generate_text

        class Scene(BaseModel):
            prompt: str
            seconds: int

        @flow
        def scene():
            asked = ChatRequest(
                prompt="A scene with a fox in the snow, for a picture book.",
                model="zai-org/GLM-5.3-Flash",
                response_format=Scene,
                seed=7,
            )
            return generate_text(asked).parse(Scene)
        ```

    Args:
        request: What to ask.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose answer may be taken instead of paying: ``"always"`` anybody's, ``"run"`` this flow run's, ``"never"``
            nobody's; ``"auto"`` is ``"always"`` with a seed or a temperature of 0, else ``"run"``.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10).

    Raises:
        InvalidRequest: It cannot be sent, or the model does not take it. Nothing was sent.
        InvalidOutput: The answer is not what ``response_format`` asked for. It was paid for, and is in the error.
        ReasoningExhausted: All of ``max_tokens`` went into thinking. It was paid for.
        UnknownOutcome: It may have been paid for and is not sent again; what arrived of the answer is in the ledger.
        APIError: Together refused it; refusals are free.
        ConnectionFailed: Together could not be reached; nothing was sent.
        LibraryError: The library could not be read or written.
    """
    return run(generated(Arguments("generate_text", request, credentials, library, reuse, on_unknown), SPEC))[-1]


@async_task(SPEC.kind)
async def agenerate_text(
    request: ChatRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedText:
    """Ask a question: ``generate_text`` for async flows."""
    return (await arun(generated(Arguments("agenerate_text", request, credentials, library, reuse, on_unknown), SPEC)))[-1]
