"""From which kept files a file was made: still to clip, clip to film. Reads references, opens nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prefect_together.generations import MediaReference
from prefect_together.generations.results import DerivedMedia, GeneratedImage, GeneratedVideo, KeptFile

DERIVED = "derived"
"""Where a library has the files that were made of kept ones, and a note (JSON) of each."""


def sources(media: KeptFile) -> tuple[MediaReference, ...]:
    """Return the kept files that a file was made from, in the order in which they were given."""
    if isinstance(media, DerivedMedia):
        return media.sources
    if isinstance(media, (GeneratedImage, GeneratedVideo)):
        return tuple(value for value, _ in media.request.media_inputs() if isinstance(value, MediaReference))
    return ()


def parents(media: KeptFile, among: Sequence[KeptFile]) -> list[int]:
    """Return which of some files a file was made from, as places in the list."""
    wanted = {source.sha256 for source in sources(media)}
    return [place for place, other in enumerate(among) if other.sha256 in wanted and other.sha256 != media.sha256]


def flat(media: Any) -> list[Any]:
    """Return files and errors from however deeply nested lists and tuples, in order."""
    if isinstance(media, Iterable) and not isinstance(media, (str, bytes, KeptFile)):
        return [file for entry in media for file in flat(entry)]  # pyright: ignore[reportUnknownVariableType]
    return [media]
