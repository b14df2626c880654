"""Galleries of a run in the Prefect UI: what was made, what it cost, what failed. Pays nothing and fails nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from prefect.artifacts import LinkArtifact, MarkdownArtifact
from prefect.logging.loggers import get_logger

from prefect_together._internal.event_loop import arun, run
from prefect_together._internal.text import with_article
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.lineage import flat
from prefect_together.generations.results import Generated
from prefect_together.generations.validation import unfinished
from prefect_together.storage.addresses import where
from prefect_together.tasks._context import run_logger
from prefect_together.ui import markdown
from prefect_together.ui.addresses import of_artifact
from prefect_together.ui.artifacts import publish, thumbnails, wanted
from prefect_together.ui.gallery_page import write_page

_LARGEST = 12 * 1024
_Draw = Callable[[Sequence[markdown.Result], Sequence[BaseException], markdown.Thumbnails], str]


def publish_gallery(media: Any, *, key: str, title: str | None = None) -> bool:
    """Show files as one table in the run's Artifacts tab: thumbnails, prompts, costs, totals, failures, lineage.

    Example:
        ```python
        from prefect import flow
        from prefect_together import ImageRequest, generate_image, publish_gallery

        @flow
        def foxes():
            model = "black-forest-labs/FLUX.2-pro"
            requests = [ImageRequest(prompt="a fox", model=model, seed=seed) for seed in range(3)]
            made = [future.result(raise_on_failure=False) for future in generate_image.map(requests)]
            publish_gallery(made, key="foxes")
        ```

    Args:
        media: Generated and derived files, in lists as deep as you like; errors among them are listed as failures.
        key: The artifact's key; a later run with the same key is its next version.
        title: The heading, by default the key.

    Returns:
        Whether it is shown. It never raises: a gallery is no reason to lose a run.
    """
    return run(_shown(media, key, partial(markdown.gallery, title or key)))


async def apublish_gallery(media: Any, *, key: str, title: str | None = None) -> bool:
    """Show files as one table: ``publish_gallery`` for async flows."""
    return await arun(_shown(media, key, partial(markdown.gallery, title or key)))


def publish_grid(
    cells: Sequence[Sequence[KeptFile | Generated | BaseException | None]],
    *,
    key: str,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str | None = None,
    notes: Sequence[str] = (),
) -> bool:
    """Show files side by side, as a table with one file in each cell.

    Args:
        cells: Rows of files; an error where there is none, or None.
        key: The artifact's key.
        rows: What each row is called.
        columns: What each column is called.
        title: The heading, by default the key.
        notes: A last row, such as cost and time of each column.

    Returns:
        Whether it is shown.
    """
    return run(_shown(cells, key, _grid(title or key, cells, rows, columns, notes)))


async def apublish_grid(
    cells: Sequence[Sequence[KeptFile | Generated | BaseException | None]],
    *,
    key: str,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str | None = None,
    notes: Sequence[str] = (),
) -> bool:
    """Show files side by side: ``publish_grid`` for async flows."""
    return await arun(_shown(cells, key, _grid(title or key, cells, rows, columns, notes)))


def write_gallery(*, library: AnyLibrary | None = None, title: str | None = None) -> str | None:
    """Write ``gallery.html`` into the library, anew with what has come since, and link it from the run.

    Args:
        library: Which library; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.
        title: What the library is called from now on: the page's heading, until somebody gives another; at first "Gallery".

    Returns:
        The address of the page, or None where it could not be written. It never raises.
    """
    return run(_page(library, title))


async def awrite_gallery(*, library: AnyLibrary | None = None, title: str | None = None) -> str | None:
    """Write ``gallery.html``: ``write_gallery`` for async flows."""
    return await arun(_page(library, title))


async def _page(library: AnyLibrary | None, title: str | None) -> str | None:
    try:
        address = await write_page(await storage_of(library), title=title)
        if wanted():
            about = "Everything that the library keeps.<br>Open it beside the files."
            await publish(LinkArtifact(key="gallery", link=address, description=about))
    except Exception as error:  # see `publish_gallery`
        get_logger("together").warning("No gallery page: %s: %s", type(error).__name__, error)
        return None
    run_logger().info("The gallery page is written: %s", where(address))
    return address


def _grid(
    title: str,
    cells: Sequence[Sequence[KeptFile | Generated | BaseException | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    notes: Sequence[str],
) -> _Draw:
    def draw(_files: Sequence[markdown.Result], _failures: Sequence[BaseException], thumbnail: markdown.Thumbnails) -> str:
        return markdown.grid(title, cells, rows=rows, columns=columns, thumbnail=thumbnail, notes=notes)

    return draw


async def _shown(media: Any, key: str, draw: _Draw) -> bool:
    try:
        found = flat(media)
        files = [file for file in found if isinstance(file, (KeptFile, Generated))]
        failures = [error for error in found if isinstance(error, BaseException)]
        if other := [one for one in found if one is not None and not isinstance(one, (KeptFile, Generated, BaseException))]:
            hint = unfinished(other[0]) or "give what was generated"
            what = "The gallery %s leaves out what is no result, such as %s: %s."
            run_logger().warning(what, key, with_article(type(other[0]).__name__), hint)
        if not wanted():
            return False
        pictures = await _pictures(files)
        shown = draw(files, failures, lambda file: pictures.get(getattr(file, "sha256", "")))
        name = slug(key)
        taken = await publish(MarkdownArtifact(key=name, markdown=shown, description=markdown.summary(files, failures)))
        if taken is None:
            return False
        run_logger().info("The gallery %s is shown: %s", name, of_artifact(taken) or "among the artifacts of this run")
        return True
    except Exception as error:  # see `publish_gallery`
        get_logger("together").warning("No gallery %s: %s: %s", key, type(error).__name__, error)
        return False


async def _pictures(files: Sequence[markdown.Result]) -> dict[str, str]:
    shown = [file for file in files[: markdown.PICTURES] if isinstance(file, KeptFile)]
    largest = min(_LARGEST, markdown.ROOM * 3 // 4 // max(1, len(shown)))  # base64 makes four bytes of three
    return await thumbnails(shown, side=markdown.SIDE, largest=largest)


def slug(key: str) -> str:
    """Return a key that Prefect takes: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-") or "gallery"
