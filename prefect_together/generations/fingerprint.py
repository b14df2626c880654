"""What makes a request the request it is, as a hash. Reads the local files that it names; sends and decides nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.text import slug
from prefect_together.catalog.sizes import one_megapixel
from prefect_together.errors import InvalidRequest
from prefect_together.generations.formats import Family
from prefect_together.generations.input_files import PLANNED, check_reference, sha256_of_local
from prefect_together.generations.input_forms import Form, Frames, Recording
from prefect_together.generations.inputs import Body, write_body
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import MediaInput, MediaReference, Request, is_remote

_VERSION = 1


async def fingerprint_of(request: Request, *, environment: str, hashes: Mapping[str, str] | None = None) -> str:
    """Return the fingerprint of a request: the hash of its body, with content hashes in place of files, and its take.

    Equal requests have equal fingerprints, wherever their files are; the sandbox's never equals Together's.

    Args:
        request: What is asked.
        environment: Whether Together is asked or a sandbox.
        hashes: The SHA-256 of its local files by their names, where they were read already.

    Raises:
        InvalidRequest: It is of no type that this release knows, or a file is missing, empty, too large, cut off or not
            what its field takes.
    """
    kind = spec_of(request).kind
    known = dict(hashes or {})
    for use in dict.fromkeys(request.media_inputs()):
        if isinstance(use.value, MediaReference):
            check_reference(request, use.value, use.family)
        elif not is_remote(str(use.value)) and str(use.value) not in known:
            known[str(use.value)] = await asyncio.to_thread(sha256_of_local, request, use)

    def name(value: MediaInput, form: Form, family: Family | None = None, /) -> dict[str, Any]:  # noqa: ARG001 - what it has to be does not change what it is
        # How it is sent does not change what it is, but for what is cut out of it.
        cut = form.named() if isinstance(form, (Frames, Recording)) else {}
        if isinstance(value, MediaReference):
            return {"sha256": value.sha256, **cut}
        return {"url": str(value)} if is_remote(str(value)) else {"sha256": known[str(value)], **cut}

    # "realm" is what the environment was called when the first fingerprints were made; it is part of all of them.
    identity = {**request.identity(name), "v": _VERSION, "kind": kind, "realm": environment}
    canonical = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]


async def body_of(
    request: Request, fingerprint: str, *, environment: str, is_there: Callable[[str], Awaitable[bool]]
) -> Body:
    """Return the body that is sent for a request, as long as that is the one that the fingerprint stands for.

    Args:
        request: What is asked.
        fingerprint: What it is known by since it was asked.
        environment: Whether Together is asked or a sandbox.
        is_there: Tells whether a hosted file is still there.

    Raises:
        InvalidRequest: A file that goes inline cannot be sent, or was changed since it was asked for.
    """
    body = await write_body(request, is_there)
    if body.hashes and fingerprint != await fingerprint_of(request, environment=environment, hashes=body.hashes):
        names = ", ".join(map(repr, body.hashes))
        raise InvalidRequest(f"{type(request).__name__}: {names} was changed while the request waited to be sent: ask anew.")
    return body


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
