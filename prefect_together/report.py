"""What came out of a run, in lines that a person reads: files, money kept apart by what is known of it. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

from prefect_together.media import DerivedMedia, GeneratedMedia, GeneratedVideo, KeptFile
from prefect_together.storage import local_folder


def summary(media: Iterable[KeptFile]) -> str:
    """Return one line for each file and a last one for the money, e.g. ``Paid in this run: $0.49 reported, …``."""
    files = list(media)
    rows = [(_kind(file), *_paid(file), _shape(file), where(file.uri)) for file in files]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]) for row in rows]
    return "\n".join([*lines, money(file for file in files if isinstance(file, GeneratedMedia))])


def money(media: Iterable[GeneratedMedia]) -> str:
    """Return what a run paid: reported, estimated and unknown costs are never added up with each other."""
    files = list(media)
    paid = [file for file in files if not file.reused]
    if not paid:
        return f"Paid in this run: nothing, all {len(files)} reused."
    reported = [file.cost for file in paid if file.cost is not None]
    estimated = [file.estimated_cost for file in paid if file.cost is None and file.estimated_cost is not None]
    unknown = len(paid) - len(reported) - len(estimated)
    parts = [f"${sum(reported, Decimal(0)).normalize():f} reported"] if reported else []
    parts += [f"about ${sum(estimated, Decimal(0)).normalize():f} by list price"] if estimated else []
    parts += [f"{unknown} of unknown cost"] if unknown else []
    reused = len(files) - len(paid)
    return "Paid in this run: " + ", ".join(parts) + (f"; {reused} reused." if reused else ".")


def where(uri: str) -> str:
    """Return a path where the file is on this machine, else its address."""
    folder = local_folder(uri) if urlsplit(uri).scheme == "file" else None
    return str(folder) if folder else uri


def _kind(media: KeptFile) -> str:
    if not media.media_type.startswith("video/"):
        return "picture"
    return "film" if isinstance(media, DerivedMedia) else "clip"


def _paid(media: KeptFile) -> tuple[str, str]:
    if not isinstance(media, GeneratedMedia):
        return "made here", "free"
    return "reused" if media.reused else "paid", media.price()


def _shape(media: KeptFile) -> str:
    parts = [f"{media.width}x{media.height}"] if media.width and media.height else []
    if isinstance(media, (GeneratedVideo, DerivedMedia)) and media.seconds:
        parts.append(f"{media.seconds:g} s" + (f" at {media.fps:g} fps" if media.fps else ""))
    return ", ".join(parts)
