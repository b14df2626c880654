"""What the Prefect UI shows of kept files: a card for each, with its thumbnail. Never fails or delays a paid task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.artifacts import Artifact, MarkdownArtifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.loggers import get_logger

from prefect_together._internal.event_loop import busy, later
from prefect_together._internal.text import clipped
from prefect_together.blocks.settings import current_settings
from prefect_together.generations.kept_file import KeptFile
from prefect_together.ui.answers import asked_about
from prefect_together.ui.assets import emit_assets
from prefect_together.ui.links import link
from prefect_together.ui.markdown import PROMPT, Result, came_from, cost, details, facts, said, what
from prefect_together.ui.text import escaped
from prefect_together.ui.thumbnails import LARGEST, SIDE, thumbnail

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import ArtifactUpdate

PATIENCE = 10.0
"""Seconds that a server gets for taking an artifact."""
HOLD = 0.04
"""Seconds that a task waits for its artifact; after that the artifact goes on without it."""
_AT_ONCE = 8
_CARDS_AT_ONCE = 4
_REST = 20.0  # times as long as a card took, while other work is under way: what people wait for comes first
_LONGEST_REST = 2.0
_NARROW = 34  # characters of a line of a card
_ABOUT = 3  # pictures that the card of an answer shows


async def show(media: Sequence[Result]) -> None:
    """Give every result a card in its run, and tell of assets. Whatever goes wrong is a line in the log."""
    emit_assets(media)
    if not media or not wanted():
        return
    shown, queue = [later(_show(file)) for file in media], _here()
    if queue.left <= _CARDS_AT_ONCE:  # behind a queue there is nothing to wait for
        await asyncio.wait(shown, timeout=HOLD)


def wanted() -> bool:
    """Tell whether there is a run to show something in, and artifacts are not switched off."""
    in_a_run = FlowRunContext.get() is not None or TaskRunContext.get() is not None
    return in_a_run and current_settings().artifacts


async def publish(artifact: Artifact) -> UUID | None:
    """Give an artifact to the server; return its id, or None where the server did not take it."""

    async def creating() -> UUID:
        async with _client() as client:  # opening it may hang as well, where the server is gone
            return (await artifact.acreate(client=client)).id

    try:
        async with _turn():
            return await asyncio.wait_for(creating(), PATIENCE)
    except Exception as error:  # an artifact is decoration: no server may cost what was paid for
        get_logger("together").warning("No artifact %s: %s: %s", artifact.key, type(error).__name__, error)
        return None


async def update(artifact: UUID, news: ArtifactUpdate) -> None:
    """Change an artifact; where the server does not take it, it stays as it was."""

    async def updating() -> None:
        async with _client() as client:
            await client.update_artifact(artifact, news)

    try:
        async with _turn():
            await asyncio.wait_for(updating(), PATIENCE)
    except Exception as error:  # a bar is decoration
        get_logger("together").debug("No news for %s: %s: %s", artifact, type(error).__name__, error)


async def publish_markdown(key: str, markdown: str, about: str) -> bool:
    """Give a page of markdown to the server; return whether it took it."""
    return await publish(MarkdownArtifact(key=key, markdown=markdown, description=about)) is not None


async def thumbnails(media: Sequence[KeptFile], *, side: int, largest: int) -> dict[str, str]:
    """Return the data URIs of files by their SHA-256, without those that cannot be made."""
    found: dict[str, str] = {}

    async def make(file: KeptFile) -> None:
        try:
            picture = await asyncio.to_thread(thumbnail, file, side=side, largest=largest)
        except Exception as error:  # a picture that cannot be read is shown as a line of text
            get_logger("together").warning("No thumbnail of %s: %s: %s", file.uri, type(error).__name__, error)
        else:
            found.update({file.sha256: picture} if picture else {})

    await asyncio.gather(*(make(file) for file in media))
    return found


async def _show(media: Result) -> None:
    """Make a card and publish it, when it is its turn: after what is being generated, which is what people wait for."""
    queue = _here()
    queue.left += 1
    try:
        async with queue.cards:
            began = time.monotonic()
            await _show_now(media)
            if busy() and queue.left > _CARDS_AT_ONCE:
                await asyncio.sleep(min(_LONGEST_REST, _REST * (time.monotonic() - began)))
    finally:
        queue.left -= 1
        await queue.close()


async def _show_now(media: Result) -> None:
    # No image artifact: its one address would be Together's, which expires, and as base64 it runs out of the page.
    card = describe(media, await _pictures(media))
    await publish(MarkdownArtifact(key=media.name, markdown=details(media), description=card))


async def _pictures(media: Result) -> list[str]:
    """Return the thumbnails of a file, or of the first files that an answer is about."""
    shown = [media] if isinstance(media, KeptFile) else asked_about(media)[:_ABOUT]
    count = max(1, len(shown))
    found = await thumbnails(shown, side=SIDE // count, largest=LARGEST // count)
    return [found[file.sha256] for file in shown if file.sha256 in found]


def describe(media: Result, pictures: Sequence[str]) -> str:
    """Return the markdown of one result: its picture or words, how it was made and what it cost.

    Args:
        media: The result.
        pictures: Thumbnails of a file, or of what an answer is about, as data URIs.
    """
    # Prefect's cards cut lines off at some thirty characters, and those of its first UI show only the first line of
    # markdown: hence one line, broken into short ones.
    parts = [" ".join(f"![{escaped(media.maker)}]({picture})" for picture in pictures)]
    parts += [] if isinstance(media, KeptFile) else [said(media, _NARROW)]
    parts += [f"**{escaped(media.maker)}**", cost(media).replace("<br>", " · "), facts(media)]
    if words := what(media):
        parts.append(f"_{escaped(clipped(words, PROMPT))}_")
    parts += [*map(escaped, came_from(media)), link(media) or ""]
    return "<br>".join(part for part in parts if part)


class _Shared:
    """One Prefect client for all artifacts that are under way: opening one takes longer than using it."""

    def __init__(self) -> None:
        self.cards = asyncio.Semaphore(_CARDS_AT_ONCE)
        self.left = 0
        """How many cards are to be made."""
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.opening = asyncio.Lock()
        self.users = 0
        self.context: Any = None
        self.client: PrefectClient | None = None

    async def close(self) -> None:
        """Close the client, unless somebody uses it or is about to."""
        async with self.opening:
            if self.users or self.left or self.client is None:
                return
            context, self.context, self.client = self.context, None, None
            with suppress(Exception):  # the server may be gone meanwhile
                await context.__aexit__(None, None, None)


_shared: dict[asyncio.AbstractEventLoop, _Shared] = {}


def _here() -> _Shared:
    loop = asyncio.get_running_loop()
    for closed in [other for other in _shared if other.is_closed()]:
        del _shared[closed]
    return _shared.setdefault(loop, _Shared())


@asynccontextmanager
async def _turn() -> AsyncGenerator[None, None]:
    async with _here().turns:
        yield


@asynccontextmanager
async def kept_open() -> AsyncGenerator[None, None]:
    """Keep the shared client open during the block, once somebody has opened it: a batch shows something now and then."""
    shared = _here()
    shared.users += 1
    try:
        yield
    finally:
        shared.users -= 1
        await shared.close()


@asynccontextmanager
async def _client() -> AsyncGenerator[PrefectClient, None]:
    """Yield the shared client; the first user opens it and the last one closes it."""
    shared = _here()
    async with shared.opening:
        if shared.client is None:
            shared.context = get_client()
            shared.client = await shared.context.__aenter__()
        client: PrefectClient = shared.client  # pyright: ignore[reportAssignmentType] - it was None a moment ago
        shared.users += 1
    try:
        yield client
    finally:
        shared.users -= 1
        await shared.close()
