"""Tasks that have texts spoken, and which voices there are. Each body is one line; the work is in ``engine.lifecycle``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from prefect_together._internal.event_loop import arun, run
from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.catalog import Voice, preflight, voices_of
from prefect_together.errors import InvalidRequest
from prefect_together.generations.generated_audio import SPEC, GeneratedAudio
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.speech import SpeechRequest
from prefect_together.tasks._checks import account
from prefect_together.tasks._operations import Arguments, generated
from prefect_together.tasks._task import async_task, sync_task


@sync_task(SPEC.kind)
def generate_speech(
    request: SpeechRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedAudio:
    """Have a text spoken, keep the recording in the library, and return it; or return the one that is kept already.

    A text that is longer than the setting ``speech_characters`` (500) is spoken sentence by sentence. Each piece is paid for
    and kept by itself, so that a changed sentence pays for one piece; all are joined into one recording.

    Example:
        ```python
        from prefect import flow
        from prefect_together import SpeechRequest, generate_speech

        @flow
        def narration():
            line = SpeechRequest(input="The sea was calm that night.", model="hexgrad/Kokoro-82M", voice="af_heart")
            recording = generate_speech(line)
            return recording.seconds, recording.path()
        ```

    Args:
        request: What to say, and in whose voice.
        credentials: The account that pays; by default the one of ``TOGETHER_API_KEY``.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``, else a folder under Prefect's home.
        reuse: Whose recording may be taken instead of paying: ``"always"`` (as ``"auto"``) anybody's, ``"run"`` this flow
            run's, ``"never"`` nobody's.
        on_unknown: When it was sent and nobody knows whether it was answered: ``"fail"``, ``"resubmit"``, or ``"auto"``:
            sent again only where it costs at most the setting ``resubmit_below`` ($0.10).

    Raises:
        InvalidRequest: It cannot be sent, or the model has no such voice. Nothing was sent.
        UnknownOutcome: It may have been paid for and is not sent again, such as after an answer that broke off.
        APIError: Together refused it; refusals are free.
        ConnectionFailed: Together could not be reached; nothing was sent.
        MediaError: The answer is no sound.
        LibraryError: The library could not be read or written.
    """
    return run(generated(Arguments("generate_speech", request, credentials, library, reuse, on_unknown), SPEC))[0]


@async_task(SPEC.kind)
async def agenerate_speech(
    request: SpeechRequest,
    *,
    credentials: TogetherCredentials | None = None,
    library: AnyLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
) -> GeneratedAudio:
    """Have a text spoken: ``generate_speech`` for async flows."""
    return (await arun(generated(Arguments("agenerate_speech", request, credentials, library, reuse, on_unknown), SPEC)))[0]


def list_voices(model: str | None = None, *, credentials: TogetherCredentials | None = None) -> dict[str, tuple[Voice, ...]]:
    """Ask Together which voices its models have, for free; what the catalogue knows without asking is ``catalog.voices_of``.

    Example:
        ```python
        from prefect_together import list_voices

        for model, voices in list_voices("hexgrad/Kokoro-82M").items():
            print(model, *(f"{voice.id} ({voice.language})" for voice in voices))
        ```

    Args:
        model: Only those of one model, by Together's id of it.
        credentials: The account that asks; by default the one of ``TOGETHER_API_KEY``.

    Returns:
        The voices by model. Their languages are from the catalogue, and empty where that does not know them.

    Raises:
        APIError: Together refused it.
        ConnectionFailed: Together could not be reached.
    """
    return run(_voices(model, credentials))


async def alist_voices(
    model: str | None = None, *, credentials: TogetherCredentials | None = None
) -> dict[str, tuple[Voice, ...]]:
    """Ask Together which voices its models have: ``list_voices`` for async flows."""
    return await arun(_voices(model, credentials))


def voice_for(model: str, language: str) -> str:
    """Return the id of the first voice of a model that speaks a language, by the catalogue. Asks nobody.

    Args:
        model: Together's id of the model of speech.
        language: Such as ``ja`` or ``en-gb``; without a country, whoever speaks it in any.

    Raises:
        InvalidRequest: None is known to, or Together has no such model.
    """
    for finding in preflight(model, {}):
        if finding.field == "model" and finding.severity == "error":
            raise InvalidRequest(finding.message)
    known = [voice for voice in voices_of(model) if voice.language]
    wanted = language.casefold()
    spoken = [voice for voice in known if voice.language.casefold() == wanted]
    spoken += [voice for voice in known if voice.language.partition("-")[0] == wanted.partition("-")[0]]
    if spoken:
        return spoken[0].id
    languages = ", ".join(sorted({voice.language.partition("-")[0] for voice in known}))
    speaks = f"it speaks {languages}" if languages else "its voices are not known"
    raise InvalidRequest(f"No voice of {model} is known for {language!r}, {speaks}: give voice, or another model of speech.")


async def _voices(model: str | None, credentials: TogetherCredentials | None) -> dict[str, tuple[Voice, ...]]:
    client = account(credentials).get_client()
    query = f"?{urlencode({'model': model})}" if model else ""
    return await client.get(f"/v1/voices{query}", _read_voices)


def _read_voices(answer: Any) -> dict[str, tuple[Voice, ...]]:
    """Read the list; where voices have no ids, their names are to be sent (together-other-types.md 5.4)."""
    body = as_mapping(answer)
    if not isinstance(body.get("data"), list):
        raise ValueError("the answer holds no list of voices")  # noqa: TRY004 - as all that cannot be read
    found: dict[str, tuple[Voice, ...]] = {}
    for entry in map(as_mapping, as_list(body["data"])):
        model = as_text(entry.get("model")) or ""
        languages = {voice.id: voice.language for voice in voices_of(model)}
        named = [(as_text(one.get("id")), as_text(one.get("name"))) for one in map(as_mapping, as_list(entry.get("voices")))]
        voices = [(one or name, name or one) for one, name in named]
        found[model] = tuple(Voice(one, name, languages.get(one, "")) for one, name in voices if one and name)
    return found
