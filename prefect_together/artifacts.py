"""What the Prefect UI shows: a thumbnail of each file; progress, counts and pictures of a batch. Never fails a task."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    acreate_image_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
)
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.loggers import get_logger

from prefect_together.ask import Log
from prefect_together.media import GeneratedImage, GeneratedMedia, GeneratedVideo
from prefect_together.settings import TogetherSettings
from prefect_together.sheets import data_uri
from prefect_together.thumbnails import thumbnail

PATIENCE = 10.0
"""Seconds that a server gets for taking an artifact."""
_PROMPT = 500
_PROBLEMS = 20


async def show(media: Sequence[GeneratedMedia]) -> None:
    """Give every file an artifact in the run that asked for it. Whatever goes wrong is a line in the log."""
    if _in_a_run():
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
    return "\n\n".join([*parts, " · ".join(facts), f"> {_escaped(title)}", f"[The file]({media.uri})"])


def _price(media: GeneratedMedia) -> str:
    return f"{media.price()} reported" if media.cost is not None else media.price()


def _key(media: GeneratedMedia) -> str:
    index = f"-{media.index}" if isinstance(media, GeneratedImage) and media.request.n > 1 else ""
    return f"{media.media_type.split('/')[0]}-{media.fingerprint[:12]}{index}"


def _escaped(text: str) -> str:
    """Keep a prompt from being read as markdown or HTML."""
    for character in "\\`*_{}[]<>#!|~":
        text = text.replace(character, f"\\{character}")
    return text


class Progress:
    """Says how a batch goes: a line in the log, and one progress artifact that is kept up to date.

    Args:
        total: How many requests there are, where that is known.
        log: Where to say it.
    """

    def __init__(self, total: int | None, log: Log) -> None:
        self._total = total
        self._log = log
        self._artifact: UUID | None = None
        self._shows = _in_a_run()

    async def say(self, batch: Any) -> None:
        """Say how far it is."""
        of = f" of {self._total:,}" if self._total is not None else ""
        self._log.info("%s%s done: %s", f"{batch.done:,}", of, batch)
        await self._update(batch)

    async def end(self, batch: Any) -> None:
        """Say that it is over, where it was said that it runs."""
        if self._artifact is not None:
            self._total = batch.done
            await self._update(batch)

    async def _update(self, batch: Any) -> None:
        if not self._shows or not self._total:
            return
        percent = min(100.0, 100.0 * batch.done / self._total)
        try:
            if self._artifact is None:
                creating = acreate_progress_artifact(percent, key="batch-progress", description=_escaped(str(batch)))
                self._artifact = await asyncio.wait_for(creating, PATIENCE)
            else:
                updating = aupdate_progress_artifact(self._artifact, percent, description=_escaped(str(batch)))
                await asyncio.wait_for(updating, PATIENCE)
        except Exception as error:  # decoration
            self._shows = False
            get_logger("together").warning("No progress artifact: %s: %s", type(error).__name__, error)


async def show_batch(result: Any, sheet: bytes | None) -> None:
    """Give a batch its summary: counts, money, the first problems and a contact sheet. Never fails a task."""
    if not _in_a_run():
        return
    try:
        problems = list(itertools.islice((item for item in result.stream() if item.error), _PROBLEMS))
        parts = [f"# {_escaped(result.name or 'Batch')}", _escaped(str(result)), _counts(result)]
        parts += [f"![Some of the pictures]({data_uri(sheet)})"] if sheet else []
        if problems:
            parts.append("| row | outcome | |\n|---|---|---|\n" + "\n".join(_problem(item) for item in problems))
        parts.append(f"[The manifest]({result.manifest})")
        await asyncio.wait_for(acreate_markdown_artifact("\n\n".join(parts), key="batch"), PATIENCE)
    except Exception as error:  # decoration
        get_logger("together").warning("No summary artifact: %s: %s", type(error).__name__, error)


def _counts(result: Any) -> str:
    counts = {outcome: count for outcome, count in result.counts.items() if count} or {"rows": 0}
    line = "|".join(f"{count:,}" for count in counts.values())
    return f"|{'|'.join(counts)}|\n|{'---|' * len(counts)}\n|{line}|"


def _problem(item: Any) -> str:
    text = " ".join(str(item.error).split())
    return f"| {item.row} | {item.outcome} | {_escaped(text if len(text) <= _PROMPT else text[:_PROMPT] + '…')} |"


def _in_a_run() -> bool:
    return (FlowRunContext.get() is not None or TaskRunContext.get() is not None) and TogetherSettings().artifacts
