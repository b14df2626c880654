"""Where the bytes of announced files are sent: an object store's address that asks for no key and wants to be shown none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from prefect_together.sandbox import faults
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.store import Store

GONE = b"<?xml version='1.0'?><Error><Code>NoSuchUpload</Code><Message>The upload does not exist.</Message></Error>"


@dataclass
class UploadHost:
    """Takes the bytes of a file, or of a part of one."""

    store: Store
    switchboard: faults.Switchboard

    async def put(self, request: Request) -> Response:
        """`PUT /uploads/{token}`, for a part with `?part=2`: 200 with the ETag of what came."""
        incoming = self.store.incoming.get(str(request.path_params["token"]))
        part = request.query_params.get("part", "1")
        if incoming is None or not part.isdecimal():
            return Response(GONE, 404, media_type="application/xml")
        content = await request.body()

        async def accept(_: faults.Fault | None) -> None:
            incoming.parts[int(part)] = content

        async def answer() -> Response:
            return Response(status_code=200, headers={"etag": f'"{etag(content)}"'})

        return await apply_fault(self.switchboard.take(faults.SEND, incoming.announced.filename), accept, answer)


def etag(part: bytes) -> str:
    """Return what the host says of a part that came."""
    return hashlib.md5(part, usedforsecurity=False).hexdigest()
