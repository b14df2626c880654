"""What makes a request the request it is, as a hash. Reads the local files that it names; sends and decides nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime, timezone

from prefect_together._internal.text import slug
from prefect_together.catalog.sizes import one_megapixel
from prefect_together.errors import InvalidRequest
from prefect_together.generations.formats import Family
from prefect_together.generations.inputs import PLANNED, check_reference, sha256_of_local
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import Form, MediaInput, MediaReference, Request, is_remote

_VERSION = 1


async def fingerprint_of(request: Request, *, environment: str) -> str:
    """Return the fingerprint of a request: the hash of its body, with content hashes in place of files, and its take.

    Equal requests have equal fingerprints, wherever their files are; the sandbox's never equals Together's.

    Args:
        request: What is asked.
        environment: Whether Together is asked or a sandbox.

    Raises:
        InvalidRequest: It is of no type that this release knows, or a file is missing, empty, too large, cut off or not
            what its field takes.
    """
    kind = spec_of(request).kind
    hashes: dict[str, str] = {}
    for use in dict.fromkeys(request.media_inputs()):
        if isinstance(use.value, MediaReference):
            check_reference(request, use.value, use.family)
        elif not is_remote(str(use.value)):
            hashes[str(use.value)] = await asyncio.to_thread(sha256_of_local, request, use)

    def name(value: MediaInput, form: Form, family: Family | None = None, /) -> dict[str, str]:  # noqa: ARG001 - how it is sent does not change what it is
        if isinstance(value, MediaReference):
            return {"sha256": value.sha256}
        return {"url": str(value)} if is_remote(str(value)) else {"sha256": hashes[str(value)]}

    # "realm" is what the environment was called when the first fingerprints were made; it is part of all of them.
    identity = {**request.identity(name), "v": _VERSION, "kind": kind, "realm": environment}
    canonical = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]


def _size(request: Request) -> str:
    """Return the size that a request asks for as the end of an address, where it asks for one."""
    given = request.given()
    width, height = given.get("width"), given.get("height")
    size = (width, height) if width and height else one_megapixel(str(given.get("aspect_ratio")))
    return f"#{size[0]}x{size[1]}" if size else ""


def stand_in(fingerprint: str, request: Request) -> MediaReference:
    """Return what stands for the file that a request is still to make, in the plan of a request that has it for an input.

    Raises:
        InvalidRequest: The request makes no file.
    """
    formats = spec_of(request).keeping.media_types
    if not formats:
        raise InvalidRequest(f"{type(request).__name__} makes no file that another request could take.")
    return MediaReference(
        uri=f"{PLANNED}{fingerprint}/{slug(request.title())}{_size(request)}",
        sha256=hashlib.sha256(fingerprint.encode()).hexdigest(),
        size=0,
        media_type=formats[0],
        created_at=datetime.now(timezone.utc),
    )
