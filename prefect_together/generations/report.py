"""What came out of a run, in lines that a person reads: files, money kept apart by what is known of it. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from prefect_together.generations.results import DerivedMedia, GeneratedMedia, GeneratedVideo, KeptFile
from prefect_together.storage.storage import local_folder


def summary(media: Iterable[KeptFile]) -> str:
    """Return one line for each file and a last one for the money, e.g. ``Paid in this run: $0.49 reported, …``."""
    files = list(media)
    rows = [(kind(file), *_paid(file), _shape(file), where(file.uri)) for file in files]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]) for row in rows]
    return "\n".join([*lines, money(file for file in files if isinstance(file, GeneratedMedia))])


def money(media: Iterable[GeneratedMedia]) -> str:
    """Return what a run paid: reported, estimated and unknown costs are never added up with each other."""
    tally = Tally()
    for file in media:
        tally.add(file)
    return str(tally)


@dataclass
class Tally:
    """What was paid, added up by what is known of it."""

    reported: Decimal | None = None
    """USD that Together reported."""
    estimated: Decimal | None = None
    """USD by list price for what has no reported cost."""
    unknown: int = 0
    """Files whose cost nobody knows."""
    paid: int = 0
    """Files that were paid for now."""
    reused: int = 0
    """Files that were paid for before."""

    def add(self, file: GeneratedMedia) -> None:
        """Count a file."""
        if file.reused:
            self.reused += 1
            return
        self.paid += 1
        if file.cost is not None:
            self.reported = (self.reported or Decimal(0)) + file.cost
        elif file.estimated_cost is not None:
            self.estimated = (self.estimated or Decimal(0)) + file.estimated_cost
        else:
            self.unknown += 1

    def __str__(self) -> str:
        if not self.paid:
            return "Paid in this run: nothing" + (f", all {self.reused:,} reused." if self.reused else ".")
        parts = [f"${self.reported.normalize():f} reported"] if self.reported is not None else []
        parts += [f"about ${self.estimated.normalize():f} by list price"] if self.estimated is not None else []
        parts += [f"{self.unknown:,} of unknown cost"] if self.unknown else []
        return "Paid in this run: " + ", ".join(parts) + (f"; {self.reused:,} reused." if self.reused else ".")


def where(uri: str) -> str:
    """Return a path where the file is on this machine, else its address."""
    folder = local_folder(uri) if urlsplit(uri).scheme == "file" else None
    return str(folder) if folder else uri


def kind(media: KeptFile) -> str:
    """Return what a file is to a person."""
    if isinstance(media, DerivedMedia) and media.operation == "contact_sheet":
        return "sheet"
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
