"""How a file was made, and from which inputs: by the ledger, the sidecar beside it, or what it says itself. Reads only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from prefect_together import provenance
from prefect_together.books import REQUESTS, Row, rows
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.ledger import decode
from prefect_together.records import sidecar
from prefect_together.requests import MediaReference, Request
from prefect_together.storage import Storage, local_folder

_NAMED = re.compile(r"-([0-9a-f]{8})-[0-9a-f]{6}\.\w+$")  # what `keeping.Name` puts at the end of a file's name
_DEPTH = 8


@dataclass(frozen=True)
class Story:
    """How one file was made."""

    file: str
    request: Request
    media: dict[str, Any]
    """The reference as it was recorded."""
    source: str
    """Where this is known from: ``ledger``, ``sidecar``."""
    row: Row | None = None
    inputs: tuple[Story | str, ...] = field(default=())
    """The stories of the files that it was made from; just their address where nothing is known of them."""

    def text(self, depth: int = 0) -> str:
        """Return it for people, inputs indented below what was made from them."""
        indent, media = "  " * depth, self.media
        cost = media.get("cost") or (f"about {media['estimated_cost']}" if media.get("estimated_cost") else "unknown")
        facts = {
            "made": media.get("created_at"),
            "kind": self.request.kind,
            "model": self.request.model,
            "seed": media.get("seed"),
            "cost (USD)": cost,
            "job": media.get("job_id"),
            "flow run": self.row.flow_run if self.row else None,
            "sha256": media.get("sha256"),
            "asked": json.dumps(_plain(self.request), ensure_ascii=False),
            "known from": self.source,
        }
        lines = [f"{indent}{self.file}"]
        lines += [f"{indent}  {name + ':':<12} {value}" for name, value in facts.items() if value is not None]
        for made_from in self.inputs:
            lines.append(f"{indent}  made from:")
            lines.append(made_from.text(depth + 2) if isinstance(made_from, Story) else f"{indent}    {made_from}")
        return "\n".join(lines)


async def trace(storage: Storage, target: str, *, depth: int = _DEPTH) -> Story:
    """Return how a file was made.

    Args:
        storage: The library whose ledger is asked.
        target: A path or an address of a kept file, or of a copy of one.
        depth: How many steps back its inputs are followed.

    Raises:
        InvalidRequest: Nothing is known of the file.
    """
    path = _path(target)
    found = await _by_ledger(storage, target, path) or _by_sidecar(target, path)
    if found is None:
        raise InvalidRequest(
            f"Nothing is known of {target!r}: no ledger entry in {storage.url}, no sidecar beside it, and nothing inside it."
        )
    inputs: list[Story | str] = []
    for value, _ in found.request.media_inputs():
        address = value.uri if isinstance(value, MediaReference) else str(value)
        try:
            inputs.append(await trace(storage, address, depth=depth - 1) if depth > 0 else address)
        except InvalidRequest:
            inputs.append(address)
    return Story(found.file, found.request, found.media, found.source, found.row, tuple(inputs))


def as_code(request: Request) -> str:
    """Return Python that builds a request again, such as ``ImageRequest(model='…', prompt='…')``."""
    fields = ",\n    ".join(f"{name}={value!r}" for name, value in _plain(request).items())
    return f"{type(request).__name__}(\n    {fields},\n)"


async def _by_ledger(storage: Storage, target: str, path: Path | None) -> Story | None:
    named = _NAMED.search(PurePosixPath(target).name)
    prefixes = [named.group(1)] if named else []
    if said := _said(path):
        prefixes.append(said.fingerprint)
    name = PurePosixPath(target).name
    for prefix in dict.fromkeys(prefixes):
        for row in await rows(storage, prefix):
            same = [media for media in row.media if PurePosixPath(media["uri"]).name == name]
            # A copy under another name is known by its fingerprint alone, where that made one file only.
            media = same or (row.media if len(row.media) == 1 and prefix == row.attempt.fingerprint else [])
            if media:
                return Story(target, row.request(), media[0], "ledger", row)
    return None


def _by_sidecar(target: str, path: Path | None) -> Story | None:
    beside = Path(sidecar(str(path))) if path else None
    if beside is None or not beside.is_file():
        return None
    try:
        entry = decode(str(beside), beside.read_bytes())
        media = entry["media"]
        return Story(target, REQUESTS[entry["kind"]].model_validate(media["request"]), media, "sidecar")
    except (LibraryError, KeyError, TypeError, ValueError):
        return None  # a JSON file of somebody else's that happens to be called so


def _said(path: Path | None) -> provenance.Provenance | None:
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return provenance.read(file)


def _path(target: str) -> Path | None:
    if "://" in target and not target.startswith("file://"):
        return None
    return local_folder(target)


def _plain(request: Request) -> dict[str, Any]:
    return request.model_dump(mode="json", exclude_unset=True)
