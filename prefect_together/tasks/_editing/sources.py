"""What the editing here is given: kept files, and files of one's own by their paths. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from prefect_together._internal.text import with_article
from prefect_together.errors import InvalidRequest
from prefect_together.generations.formats import HEAD, NOUNS, Family, Incoming, plural
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.validation import unfinished
from prefect_together.storage.addresses import REMOTE_SCHEMES, local_folder
from prefect_together.storage.opening import open_file, open_moved
from prefect_together.storage.streams import checksum

MediaFile: TypeAlias = KeptFile | Path | str
"""A file that was generated or made here, or one's own: a path, or its address in a bucket (``s3://…``)."""


async def sources(
    function: str, files: Sequence[MediaFile | object] | MediaFile, families: tuple[Family, ...]
) -> list[KeptFile]:
    """Return files as references to their bytes, each looked at as far as its kind takes.

    Args:
        function: What was called, for errors.
        files: What it was given.
        families: What they may be.

    Raises:
        InvalidRequest: There is none, one that is not there, or one of another kind.
        LibraryError: One in a bucket could not be read.
    """
    wanted = plural(families)
    files = several(files)
    if not files:
        raise InvalidRequest(f"{function} takes {wanted}, and was given none.")
    found: list[KeptFile] = []
    for file in files:
        kept = await asyncio.to_thread(_own, function, file, wanted) if isinstance(file, (str, Path)) else file
        if not isinstance(kept, KeptFile):
            hint = f": {said}" if (said := unfinished(kept)) else ""
            given = f"{function} takes {wanted} that were generated, or paths, and was given {_shown(kept)}{hint}"
            raise InvalidRequest(f"{given}.")
        if kept.media_type.partition("/")[0] not in families:
            kind = _kind(kept.media_type)
            raise InvalidRequest(f"{function} takes {wanted}, and was given {_named(file)}, which is {kind}.")
        found.append(kept)
    return found


def several(files: Any) -> list[Any]:
    """Return what was given as a list: one thing is a list of it, whatever it is, so that the error can say what it is."""
    if files is None:
        return []
    if isinstance(files, (str, Path, KeptFile)) or not isinstance(files, Iterable):
        return [files]
    return list(cast("Iterable[Any]", files))


def _own(function: str, file: str | Path, wanted: str) -> KeptFile:
    """Return a reference to a file of one's own."""
    name = str(file)
    scheme = urlsplit(name).scheme if "://" in name else ""
    if scheme in {"http", "https"}:
        raise InvalidRequest(f"{function} takes {wanted} that are here, not {name}: fetch it first, and give its path.")
    try:
        path = None if scheme in REMOTE_SCHEMES else _path(name)
        file_there, address = (open_moved(name)[0], name) if path is None else open_file(path)
        with file_there as opened:
            passing = Incoming(opened.read(HEAD))
            opened.seek(0)
            sha256, size = checksum(opened, passing.feed)
        there = path is not None and path.exists()
        written = datetime.fromtimestamp(path.stat().st_mtime if path and there else 0, timezone.utc)
    except FileNotFoundError:
        raise InvalidRequest(f"{function}: there is no file {name!r}.") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"{function}: the file {name!r} cannot be read: {said}.") from error
    found = passing.format
    if found is None:
        raise InvalidRequest(f"{function} takes {wanted}, and {name!r} is neither in a format that is known.")
    if not passing.whole():
        what = f"{name!r} is cut off or damaged: {size:,} bytes of {found.media_type}"
        raise InvalidRequest(f"{function}: {what}, not whole. Fetch or write it again.")
    return KeptFile(uri=address, sha256=sha256, size=size, media_type=found.media_type, created_at=written)


def _path(name: str) -> Path:
    plain = local_folder(name) if name.startswith("file://") else None
    return (plain or Path(name).expanduser()).resolve()


def _shown(value: object) -> str:
    return "nothing" if value is None else with_article(type(value).__name__)


def _named(file: object) -> str:
    return file.uri.rpartition("/")[2] if isinstance(file, KeptFile) else repr(str(file))


def _kind(media_type: str) -> str:
    nouns = {family: noun for family, noun in NOUNS.items() if media_type.startswith(f"{family}/")}
    return with_article(next(iter(nouns.values()))) if nouns else media_type
