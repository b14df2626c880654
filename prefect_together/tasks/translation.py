"""Tasks that write down in English what is said. Each body is one line; the work is in ``engine.lifecycle``."""

from __future__ import annotations

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.transcript import Transcript
from prefect_together.generations.translation import SPEC, TranslationRequest
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def translate(
    request: TranslationRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Transcript:
    """Write down in English what is said in a recording, with times, keep it in the ledger, and return it.

    Of clips and films the sound is sent. A recording above 80 MB is made smaller on its way, which takes the extra
    ``media``; one of more than 4 hours is heard in pieces, cut where it is quiet, each paid for and kept by itself. A URL
    is passed on. What is kept already is not paid for again.

    Example:
        ```python
        from prefect import flow
        from prefect_together import TranslationRequest, translate

        @flow
        def in_english(recording: str):
            asked = TranslationRequest(file=recording, model="openai/whisper-large-v3")
            return translate(asked).to_srt()
        ```

    Args:
        request: What to listen to.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose transcript may be taken instead of paying: ``"always"`` (as ``"auto"``) anybody's, ``"run"`` this flow
            run's, ``"never"`` nobody's. A file is known by its bytes, a URL as it is written.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10), and a price is known.

    Raises:
        InvalidRequest: It cannot be sent, such as a film without sound, or the model does not take it. Nothing was sent.
        UnknownOutcome: It may have been paid for and is not sent again.
        APIError: Together refused it; refusals are free.
        ConnectionFailed: Together could not be reached; nothing was sent.
        LibraryError: The library could not be read or written.
    """
    return run(generated(Arguments("translate", request, credentials, library, reuse, on_unknown), SPEC))[-1]


@async_task(SPEC.kind)
async def atranslate(
    request: TranslationRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> Transcript:
    """Write down in English what is said: ``translate`` for async flows."""
    return (await arun(generated(Arguments("atranslate", request, credentials, library, reuse, on_unknown), SPEC)))[-1]
