"""Prefect's events of assets, by which its lineage knows files and tables. They never fail a task."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

UPSTREAM = 50
"""Assets that one is said to be made of at most: Prefect bounds the size of an event."""
_LONGEST = 512  # characters of a key, which may have none of these
_REFUSED = re.compile(r"[\s\0#?&%\"'<>\[\]{}|\\^`]+")
_MAKER = {"prefect.resource.id": "prefect-together", "prefect.resource.role": "asset-materialized-by"}


def in_a_run() -> bool:
    """Tell whether there is a run of Prefect's that made something; outside of one there is nothing to show."""
    if "prefect.context" not in sys.modules:  # importing it takes seconds, and then there is none
        return False
    from prefect.context import FlowRunContext, TaskRunContext

    return FlowRunContext.get() is not None or TaskRunContext.get() is not None


def asset_key(address: str) -> str:
    """Return what an asset is called by its address: Prefect takes no blanks, quotes or escapes in it."""
    return _REFUSED.sub("_", address)[:_LONGEST]


def materialized(address: str, *, name: str, upstream: Sequence[str] = (), payload: Mapping[str, Any] | None = None) -> None:
    """Say that a run has made an asset.

    Args:
        address: Where it is.
        name: What a person calls it.
        upstream: Where the assets are that it was made of.
        payload: What else is known of it.
    """
    sources = [asset_key(source) for source in upstream[:UPSTREAM]]
    for source in sources:
        _emit("prefect.asset.referenced", {"prefect.resource.id": source}, [], None)
    related = [{"prefect.resource.id": source, "prefect.resource.role": "asset"} for source in sources]
    resource = {"prefect.resource.id": asset_key(address), "prefect.resource.name": name}
    _emit("prefect.asset.materialization.succeeded", resource, [*related, _MAKER], payload)


def referenced(address: str, *, name: str) -> None:
    """Say that a run uses an asset that was made before."""
    _emit("prefect.asset.referenced", {"prefect.resource.id": asset_key(address), "prefect.resource.name": name}, [], None)


def _emit(event: str, resource: dict[str, str], related: list[dict[str, str]], payload: Mapping[str, Any] | None) -> None:
    from prefect.events import emit_event

    try:
        emit_event(event, resource=resource, related=related, payload=dict(payload or {}))
    except Exception as error:  # lineage is decoration: nothing of it may cost what was paid for
        logging.getLogger("prefect_together").debug("No event %s: %s", event, error)
