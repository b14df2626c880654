"""What one file, failure or open question is on the page: small JSON, made from ledger entries. Reads no storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from prefect_together.errors import InvalidRequest
from prefect_together.generations.code import as_code
from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.description import Description
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import read_request, read_result, spec_named, spec_of_file
from prefect_together.generations.results import Generated
from prefect_together.ledger.ledger import Attempt

Item = dict[str, Any]
"""One tile of the page."""

Place = Callable[[str], "str | None"]
"""Returns the key of an address below the library's root, or None where it is elsewhere."""

_SHOWN = {"stored": "kept", "accepted": "waiting", "claimed": "waiting"}
_LINES = 2000  # of a transcript: some two hours
_LONGEST = 4000  # characters of a text on the page
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
        results = [read_result(kind, {**fields, "scope": attempt.scope}) for fields in entry["media"]]
        tiles = [{**of_result(result, place), **_run(claim), **_environment(claim)} for result in results]
        # The same question may have been asked in several runs: what has no file is told by its attempt.
        return [tile if "sha" in tile else {**tile, "id": attempt.key} for tile in tiles]
    request: dict[str, Any] = claim.get("request") or {}
    return [
        {
            "id": attempt.key,
            "kind": kind,
            "noun": _noun(kind),
            "state": _SHOWN.get(attempt.state, attempt.state),
            "model": claim.get("model") or request.get("model") or "",
            "title": claim.get("title") or request.get("prompt") or "",
            "when": entry.get("at") or claim.get("at") or "",
            **_run(claim),
            **_environment(claim),
            "seed": request.get("seed"),
            "cost": _known(entry.get("cost")) or _known(claim.get("estimated_cost")),
            "how": "reported" if entry.get("cost") else "estimated" if claim.get("estimated_cost") else "unknown",
            "why": entry.get("why") or "",
            "from": [],
            "code": _code(kind, request),
            # What came of an answer before it broke off.
            **({"said": {"texts": [str(entry["received"])[:_LONGEST]]}} if entry.get("received") else {}),
        }
    ]


def of_result(result: KeptFile | Generated, place: Place) -> Item:
    """Return the tile of one result, without the run that made it."""
    shape = result.shape
    item: Item = {
        "noun": result.noun,
        "state": "kept",
        "when": _stamp(result.created_at),
        "w": shape.width,
        "h": shape.height,
        "title": result.title(),
        "run": "",
        "from": [
            *(source.sha256 for source in result.made_from()),
            *(_name(source.fingerprint, source.scope) for source in result.words_from()),
        ],
    }
    if isinstance(result, KeptFile):
        item |= {"id": result.sha256[:16], "kind": result.media_type.partition("/")[0], "sha": result.sha256}
        item |= {"href": _href(result.uri, place), "bytes": result.size}
    if shape.seconds:
        item |= {"seconds": shape.seconds, "fps": shape.fps}
    if shape.sample_rate:
        item |= {"rate": shape.sample_rate, "channels": shape.channels}
    if isinstance(result, Generated):
        item["id"] = "-".join(part for part in (item.get("id"), result.fingerprint[:8]) if part)
        item |= {"kind": item.get("kind", result.kind), "model": result.model, "seed": result.seed}
        item |= {"cost": _money(result.cost if result.cost is not None else result.estimated_cost), "how": _how(result)}
        item |= {"code": as_code(result.request), "names": [_name(result.fingerprint, result.scope), result.fingerprint]}
        item |= {"round": result.request.repair_round} if result.request.repair_round else {}
        item |= {"said": said} if (said := _said(result.description())) else {}
    if isinstance(result, DerivedMedia):
        item |= {"model": "made here", "how": "free", "cost": None, "made": result.operation}
        item |= {"changed": list(result.changes)} if result.changes else {}
    return item


def _name(fingerprint: str, scope: str | None) -> str:
    """Return what a result is called by those that are based on it."""
    return f"{fingerprint}/{scope}" if scope else fingerprint


def _said(told: Description) -> dict[str, Any]:
    """Return what a result says of itself, without what is empty, and cut where it is long: the ledger has all of it."""
    found: dict[str, Any] = {
        "texts": [_cut(text) for text in told.texts],
        "lines": [[round(line.start, 2), _cut(line.text), line.speaker or ""] for line in told.lines[:_LINES]],
        "left": max(0, len(told.lines) - _LINES),
        "values": [[name, _cut(value)] for name, value in told.values.items()],
        "calls": [[name, _cut(arguments)] for name, arguments in told.calls],
        "aside": [[name, _cut(text)] for name, text in told.aside.items()],
        "facts": [["Counted", told.brief]] * bool(told.brief) + [[name, fact] for name, fact in told.facts.items()],
        "fault": told.fault,
    }
    return {name: value for name, value in found.items() if value}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}… ({len(text):,} characters, all in the ledger)"


def _run(claim: dict[str, Any]) -> dict[str, str]:
    """Return which flow run asked: its id, and its name and its place in Prefect's UI where they are known."""
    known = {"run": claim.get("flow_run"), "runName": claim.get("flow_run_name"), "runHref": claim.get("flow_run_url")}
    return {name: str(value) for name, value in known.items() if value} or {"run": ""}


def _environment(claim: dict[str, Any]) -> dict[str, bool]:
    """Return whether a sandbox was asked, whose prices nobody paid."""
    return {"sandbox": True} if claim.get("realm") == "loopback" else {}


def _code(kind: str, request: dict[str, Any]) -> str:
    """Return a request as Python that makes it again; nothing, where this release cannot read it."""
    try:
        return as_code(read_request(kind, request))
    except ValueError:
        return ""


def _href(uri: str, place: Place) -> str:
    key = place(uri)
    return quote(key) if key is not None else uri


def _how(file: Generated) -> Literal["reported", "estimated", "unknown"]:
    return "reported" if file.cost is not None else "estimated" if file.estimated_cost is not None else "unknown"


def _kind(entry: dict[str, Any]) -> str:
    """Return the type of what an entry without its claim is about, by the format of its file."""
    media: list[dict[str, Any]] = entry.get("media") or [{}]
    spec = spec_of_file(str(media[0].get("media_type", "")))
    return spec.kind if spec else ""


def _noun(kind: str) -> str:
    try:
        return spec_named(kind).noun
    except InvalidRequest:
        return kind


def _known(amount: Any) -> float | None:
    return None if amount is None else float(amount)


def _money(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
