"""What the Prefect UI shows of a kept file: one image artifact with a thumbnail in its description. Never fails a task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prefect.artifacts import acreate_image_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.loggers import get_logger

from prefect_together.media import GeneratedImage, GeneratedMedia, GeneratedVideo
from prefect_together.settings import TogetherSettings
from prefect_together.thumbnails import thumbnail

PATIENCE = 10.0
"""Seconds that a server gets for taking an artifact."""
_PROMPT = 500


async def show(media: Sequence[GeneratedMedia]) -> None:
    """Give every file an artifact in the run that asked for it. Whatever goes wrong is a line in the log."""
    if in_a_run():
        await asyncio.gather(*(_show(file) for file in media))


async def _show(media: GeneratedMedia) -> None:
    try:
        picture = await asyncio.to_thread(thumbnail, media)
        creating = acreate_image_artifact(
            image_url=media.source_url or media.uri, key=_key(media), description=describe(media, picture)
        )
        await asyncio.wait_for(creating, PATIENCE)
    except Exception as error:  # an artifact is decoration: neither a server nor a broken picture may cost what was paid for
        get_logger("together").warning("No artifact for %s: %s: %s", media.uri, type(error).__name__, error)


def describe(media: GeneratedMedia, picture: str | None) -> str:
    """Return the markdown of one file: its thumbnail, how it was made, what it cost and where it is."""
    facts = [f"**{media.model.rpartition('/')[2]}**", _price(media), "reused" if media.reused else "paid"]
    if media.seed is not None:
        facts.append(f"seed {media.seed}")
    if media.width and media.height:
        facts.append(f"{media.width}×{media.height}")
    if isinstance(media, GeneratedVideo) and media.seconds:
        facts.append(f"{media.seconds:g} s")
    title = " ".join(media.request.title().split()) if isinstance(media, (GeneratedImage, GeneratedVideo)) else ""
    title = title if len(title) <= _PROMPT else title[:_PROMPT] + "…"
    parts = [f"![{media.media_type}]({picture})"] if picture else []
    return "\n\n".join([*parts, " · ".join(facts), f"> {escaped(title)}", f"[The file]({media.uri})"])


def _price(media: GeneratedMedia) -> str:
    return f"{media.price()} reported" if media.cost is not None else media.price()


def _key(media: GeneratedMedia) -> str:
    index = f"-{media.index}" if isinstance(media, GeneratedImage) and media.request.n > 1 else ""
    return f"{media.media_type.split('/')[0]}-{media.fingerprint[:12]}{index}"


def escaped(text: str) -> str:
    """Keep a prompt from being read as markdown or HTML."""
    for character in "\\`*_{}[]<>#!|~":
        text = text.replace(character, f"\\{character}")
    return text


def in_a_run() -> bool:
    """Tell whether there is a run to show something in, and it is wanted."""
    return (FlowRunContext.get() is not None or TaskRunContext.get() is not None) and TogetherSettings().artifacts
