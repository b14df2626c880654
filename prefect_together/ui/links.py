"""Links to kept files that a browser follows: to where ``prefect-together serve`` answers, if the settings name it."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from prefect_together.blocks.settings import current_settings
from prefect_together.errors import TogetherError
from prefect_together.generations.derived import DERIVED
from prefect_together.generations.formats import MEDIA_TYPES
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import specs
from prefect_together.storage.opening import locate
from prefect_together.ui.gallery_pages import PAGES

SCRIPT = "text/javascript"
"""What the pages of a large gallery are."""
_PICTURES = "gallery"  # the small ones of the page


def media_type_served(key: str) -> str | None:
    """Return what a key of a library is served as, or None for what nobody is shown: ledger, batches, notes, drafts."""
    top, *below = key.split("/")
    folders = {spec.folder for spec in specs()} | {DERIVED, _PICTURES}
    if top not in folders or not below or not {"", ".", ".."}.isdisjoint(below):
        return None
    if key.startswith(f"{PAGES}/") and key.endswith(".js"):
        return SCRIPT
    return MEDIA_TYPES.get(PurePosixPath(key).suffix.removeprefix("."))


def link(media: object) -> str | None:
    """Return the markdown of a link to a kept file, or None for other results, and where no server is named."""
    base = current_settings().media_url
    if base is None or not isinstance(media, KeptFile):
        return None
    try:
        key = locate(media.uri, block=media.block)[1]
    except TogetherError:
        return None
    if media_type_served(key) is None:
        return None
    # The arrow, because Prefect's second UI gives links in cards the colour of text.
    return f"[{'Play' if media.is_moving or media.is_heard else 'Open'} ↗]({base.rstrip('/')}/{quote(key, safe='/')})"
