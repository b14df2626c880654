"""`/v1/files`: a file is announced and its bytes sent to the file host, or sent at once or in parts; listed, read, deleted.

The bytes of a file that was announced go to an address at the file host that asks for no key
(`prefect_together.sandbox.upload_host`). Files are free, and the same bytes are kept once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from prefect_together.sandbox import checks, error_messages, uploads
from prefect_together.sandbox.api import Api, Endpoint, Handler, account, json_body, success
from prefect_together.sandbox.fault_injection import Answer, apply_fault
from prefect_together.sandbox.faults import CONTENT_FAULTS, Fault, Place
from prefect_together.sandbox.file_server import faulty, ranged
from prefect_together.sandbox.forms import form
from prefect_together.sandbox.upload_host import etag
from prefect_together.sandbox.uploads import Announced, Incoming, Upload

ANNOUNCE = "POST /v1/files"
PREPROCESS = "POST /v1/files/{id}/preprocess"
UPLOAD = "POST /v1/files/upload"
INITIATE, COMPLETE, ABORT = (f"POST /v1/files/multipart/{verb}" for verb in ("initiate", "complete", "abort"))
LIST, ONE, CONTENT, DELETE = "GET /v1/files", "GET /v1/files/{id}", "GET /v1/files/{id}/content", "DELETE /v1/files/{id}"
MAX_PARTS = 250


async def announce(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files`: 302 to where the bytes are to be sent, or 409 with the file that has them already."""
    owner = account(request)
    async with form(request) as parts:
        incoming = Incoming(_announced({part.name: part.text for part in parts}, owner))

    async def answer() -> Response:
        headers = {"location": f"{api.files_url}/uploads/{incoming.token}", "x-together-file-id": incoming.id}
        return Response(status_code=302, headers=headers)

    return await _once(api, ANNOUNCE, incoming, lambda: _begin(api, incoming), answer)


async def preprocess(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files/{id}/preprocess`: take the bytes that were sent, and answer with the file."""
    owner, file_id = account(request), str(request.path_params["id"])
    incoming = next((one for one in api.store.incoming.values() if one.id == file_id), None)
    if incoming is None or incoming.announced.account != owner:
        return success(_find(api, file_id, owner).view())
    if not incoming.parts:
        raise error_messages.Refusal(400, f"The bytes of file {file_id} were not uploaded.")
    return await _finished(api, PREPROCESS, incoming)


async def upload(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files/upload`: the file at once, in one form."""
    owner = account(request)
    async with form(request) as parts:
        file = next((part for part in parts if part.name == "file" and part.filename is not None), None)
        if file is None:
            raise error_messages.missing("file")
        fields = {"file_name": file.filename, **{part.name: part.text for part in parts if part.filename is None}}
        held = file.content
    said = _announced({**fields, "checksum": hashlib.sha256(held).hexdigest()}, owner)
    incoming = Incoming(said, parts={1: held})

    async def answer() -> Response:
        return success(api.store.uploads[incoming.id].view())

    return await _once(api, UPLOAD, incoming, lambda: _keep(api, incoming), answer)


async def initiate(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files/multipart/initiate`: an address for each part."""
    owner = account(request)
    body = await json_body(request)
    incoming = Incoming(_announced(body, owner))
    count = checks.integer(body, "num_parts", 1, MAX_PARTS)
    if count is None:
        raise error_messages.missing("num_parts")

    async def answer() -> Response:
        parts: list[dict[str, Any]] = [
            {"PartNumber": number, "URL": f"{api.files_url}/uploads/{incoming.token}?part={number}", "Headers": {}}
            for number in range(1, count + 1)
        ]
        return success({"upload_id": incoming.token, "file_id": incoming.id, "parts": parts})

    return await _once(api, INITIATE, incoming, lambda: _begin(api, incoming), answer)


async def complete(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files/multipart/complete`: put the parts together, and answer with the file."""
    incoming = await _in_parts(api, request)
    listed: Any = (await json_body(request)).get("parts")
    sent = [{"part_number": number, "etag": etag(part)} for number, part in sorted(incoming.parts.items())]
    if not sent or listed != sent:
        raise error_messages.Refusal(400, "The parts are not those that were uploaded.", param="parts")
    return await _finished(api, COMPLETE, incoming)


async def abort(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/files/multipart/abort`: forget the parts."""
    incoming = await _in_parts(api, request)

    async def answer() -> Response:
        api.store.incoming.pop(incoming.token, None)
        return success({"upload_id": incoming.token, "file_id": incoming.id, "aborted": True})

    return await apply_fault(api.switchboard.take(ABORT, _text(incoming.announced)), None, answer)


async def list_files(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/files`: all of the account's, newest first, without pages."""
    owner = account(request)

    async def answer() -> Response:
        own = [one.view() for one in reversed(api.store.uploads.values()) if one.account == owner]
        waiting = [one.view() for one in api.store.incoming.values() if one.announced.account == owner]
        return success({"data": [*waiting, *own]})

    return await apply_fault(api.switchboard.take(LIST, ""), None, answer)


async def one_file(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/files/{id}`."""
    file = _find(api, str(request.path_params["id"]), account(request))

    async def answer() -> Response:
        return success(file.view())

    return await apply_fault(api.switchboard.take(ONE, _text(file)), None, answer)


async def content(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/files/{id}/content`: the bytes, whole or in part."""
    file = _find(api, str(request.path_params["id"]), account(request))
    fault = api.switchboard.take(CONTENT, _text(file))

    async def answer() -> Response:
        held = await api.read(lambda: api.store.input(file.content))
        headers = {"content-type": "application/octet-stream", "accept-ranges": "bytes"}
        if fault is not None and fault.name == "empty":
            return Response(b"", headers=headers)
        if fault is not None and fault.name in CONTENT_FAULTS:
            return faulty(fault, held, headers)
        return ranged(request.headers.get("range"), held, headers)

    return await apply_fault(fault, None, answer)


async def delete(api: Api, request: HttpRequest) -> Response:
    """Answer `DELETE /v1/files/{id}`; a batch that was made of the file goes on."""
    file = _find(api, str(request.path_params["id"]), account(request))

    async def accept(_: Fault | None) -> None:
        api.store.forget_upload(file.id)

    async def answer() -> Response:
        return success({"id": file.id, "deleted": True})

    return await apply_fault(api.switchboard.take(DELETE, _text(file)), accept, answer)


def _announced(fields: Mapping[str, Any], owner: str) -> Announced:
    """Check what is said of a file; the words of the refusals are ours."""
    name, purpose = (fields.get(field) for field in ("file_name", "purpose"))
    if not isinstance(name, str) or not name:
        raise error_messages.missing("file_name")
    if purpose is None:
        raise error_messages.missing("purpose")
    checks.one_of(fields, "purpose", uploads.PURPOSES, "")
    kind = checks.one_of(fields, "file_type", uploads.TYPES, name.rpartition(".")[2].lower())
    if kind not in uploads.TYPES:
        raise error_messages.wrong_type("file_type", "one of " + ", ".join(f"'{one}'" for one in uploads.TYPES))
    checksum = fields.get("checksum")
    return Announced(
        account=owner,
        filename=name,
        purpose=str(purpose),
        file_type=kind,
        checksum=None if checksum is None else str(checksum),
    )


def _begin(api: Api, incoming: Incoming) -> None:
    api.store.incoming[incoming.token] = incoming


async def _once(api: Api, route: str, incoming: Incoming, take: Callable[[], None], answer: Answer) -> Response:
    """Take what comes and answer, or say with 409 which of the account's files has the same bytes."""
    same = _same(api, incoming.announced)

    async def accept(_: Fault | None) -> None:
        if same is None:
            take()

    async def conflict() -> Response:
        return JSONResponse({"file_id": same}, 409)

    fault = api.switchboard.take(route, _text(incoming.announced))
    return await apply_fault(fault, accept, answer if same is None else conflict)


def _same(api: Api, said: Announced) -> str | None:
    held = api.store.uploads.values()
    return next((one.id for one in held if one.sha256 == said.checksum and one.account == said.account), None)


async def _finished(api: Api, route: str, incoming: Incoming) -> Response:
    """Keep a file whose bytes have come, and answer with it."""
    said, held = incoming.announced, incoming.content()
    if said.checksum is not None and said.checksum != hashlib.sha256(held).hexdigest():
        raise error_messages.Refusal(400, f"The checksum of file {incoming.id} does not match its bytes.", param="checksum")

    async def accept(_: Fault | None) -> None:
        _keep(api, incoming)

    async def answer() -> Response:
        return success(api.store.uploads[incoming.id].view())

    return await apply_fault(api.switchboard.take(route, _text(said)), accept, answer)


def _keep(api: Api, incoming: Incoming) -> None:
    held = incoming.content()
    file = uploads.complete(incoming.announced, held, name=api.store.keep_input(held), id=incoming.id)
    api.store.keep_upload(file)
    api.store.incoming.pop(incoming.token, None)


async def _in_parts(api: Api, request: HttpRequest) -> Incoming:
    owner = account(request)
    incoming = api.store.incoming.get(str((await json_body(request)).get("upload_id")))
    if incoming is None or incoming.announced.account != owner:
        raise error_messages.Refusal(404, "The upload was not found.", param="upload_id")
    return incoming


def _find(api: Api, id: str, owner: str) -> Upload:
    """Return a file of the account; whose bytes are not there yet is none."""
    file = api.store.uploads.get(id)
    if file is None or file.account != owner:
        raise error_messages.Refusal(404, f"File {id} not found.", code="not_found")
    return file


def _text(file: Announced | Upload) -> str:
    return f"{file.filename} {file.purpose}"


_HANDLERS: Mapping[str, Handler] = {
    ANNOUNCE: announce, UPLOAD: upload, INITIATE: initiate, COMPLETE: complete, ABORT: abort, PREPROCESS: preprocess,
    LIST: list_files, ONE: one_file, DELETE: delete,
}  # fmt: skip
ENDPOINTS = (
    *(Endpoint(route=route, handle=handle) for route, handle in _HANDLERS.items()),
    Endpoint(route=CONTENT, handle=content, faults=Place.CALL | Place.CONTENT),
)
