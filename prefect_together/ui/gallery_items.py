"""What one file, failure or open question is on the page: small JSON, made from ledger entries. Reads no storage."""

from __future__ import annotations

import pprint
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from prefect_together.generations.lineage import sources
from prefect_together.generations.results import DerivedMedia, GeneratedImage, GeneratedMedia, GeneratedVideo, KeptFile
from prefect_together.ledger.ledger import Attempt

Item = dict[str, Any]
"""One tile of the page."""

Place = Callable[[str], "str | None"]
"""Returns the key of an address below the library's root, or None where it is elsewhere."""

_MEDIA: dict[str, type[GeneratedMedia]] = {"image": GeneratedImage, "video": GeneratedVideo}
_REQUESTS = {"image": "ImageRequest", "video": "VideoRequest"}
_SHOWN = {"stored": "kept", "accepted": "waiting", "claimed": "waiting"}
_PASSED_OVER = frozenset({"adopted", "resolved", "refused"})
"""Taken over by another attempt, sent again by another one, or free of charge and said where it was asked for."""


def wanted(attempt: Attempt) -> bool:
    """Tell whether an attempt is shown."""
    return attempt.state not in _PASSED_OVER


def of_attempt(attempt: Attempt, claim: dict[str, Any], entry: dict[str, Any], place: Place) -> list[Item]:
    """Return the tiles of one attempt.

    Args:
        attempt: The attempt.
        claim: Its entry from before it was sent.
        entry: The entry that says its state.
        place: Finds files below the library's root.
    """
    kind = str(claim.get("kind") or _kind(entry))
    if attempt.state == "stored":
        files = [_MEDIA[kind].model_validate(media) for media in entry["media"]]
        return [{**of_file(file, place), "run": claim.get("flow_run") or ""} for file in files]
    request: dict[str, Any] = claim.get("request") or {}
    return [
        {
            "id": attempt.key,
            "kind": kind,
            "state": _SHOWN.get(attempt.state, attempt.state),
            "model": claim.get("model") or request.get("model") or "",
            "title": request.get("prompt") or "",
            "when": entry.get("at") or claim.get("at") or "",
            "run": claim.get("flow_run") or "",
            "seed": request.get("seed"),
            "cost": _known(entry.get("cost")) or _known(claim.get("estimated_cost")),
            "how": "reported" if entry.get("cost") else "estimated" if claim.get("estimated_cost") else "unknown",
            "why": entry.get("why") or "",
            "from": [],
            "code": code(kind, request),
        }
    ]


def of_file(file: KeptFile, place: Place) -> Item:
    """Return the tile of one file, without the run that made it."""
    item: Item = {
        "id": file.sha256[:16] + (f"-{file.fingerprint[:8]}" if isinstance(file, GeneratedMedia) else ""),
        "kind": file.media_type.partition("/")[0],
        "state": "kept",
        "sha": file.sha256,
        "when": _stamp(file.created_at),
        "href": _href(file.uri, place),
        "bytes": file.size,
        "w": file.width,
        "h": file.height,
        "from": [source.sha256 for source in sources(file)],
    }
    if isinstance(file, (GeneratedImage, GeneratedVideo)):
        item |= {"model": file.model, "title": file.request.title(), "seed": file.seed, "run": ""}
        item |= {"cost": _money(file.cost if file.cost is not None else file.estimated_cost), "how": _how(file)}
        item["code"] = code(file.request.kind, file.request.model_dump(mode="json", exclude_defaults=True))
    if isinstance(file, (GeneratedVideo, DerivedMedia)):
        item |= {"seconds": file.seconds, "fps": file.fps}
    if isinstance(file, DerivedMedia):
        item |= {"model": "made here", "title": file.title(), "how": "free", "cost": None, "made": file.operation, "run": ""}
    return item


def code(kind: str, request: dict[str, Any]) -> str:
    """Return a request as Python that makes it again."""
    if not request:
        return ""
    fields = {name: _plain(value) for name, value in request.items() if value not in (None, {}, [])}
    lines = [f"    {name}={pprint.pformat(value, width=100, sort_dicts=False)}," for name, value in fields.items()]
    return "\n".join([f"{_REQUESTS.get(kind, 'ImageRequest')}(", *lines, ")"])


def _plain(value: Any) -> Any:
    """Write references to local files as their addresses."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        if str(value.get("uri", "")).startswith("file:"):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            return value["uri"]  # pyright: ignore[reportUnknownVariableType]
        return {name: _plain(entry) for name, entry in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _href(uri: str, place: Place) -> str:
    key = place(uri)
    return quote(key) if key is not None else uri


def _how(file: GeneratedMedia) -> Literal["reported", "estimated", "unknown"]:
    return "reported" if file.cost is not None else "estimated" if file.estimated_cost is not None else "unknown"


def _kind(entry: dict[str, Any]) -> str:
    media: list[dict[str, Any]] = entry.get("media") or [{}]
    return "video" if str(media[0].get("media_type", "")).startswith("video/") else "image"


def _known(amount: Any) -> float | None:
    return None if amount is None else float(amount)


def _money(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
