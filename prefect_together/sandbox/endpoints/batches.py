"""`/v1/batches`: make a batch of an uploaded file, look at it, list all, cancel one; refusals are `{"error": "..."}`."""

from __future__ import annotations

import json
import time
import uuid

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from prefect_together.sandbox import batch_runner, checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, Handler, account, json_body, success
from prefect_together.sandbox.batch_jobs import ENDED, BatchJob
from prefect_together.sandbox.batch_lines import first_model
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault, Place
from prefect_together.sandbox.uploads import Upload

CREATE = "POST /v1/batches"
LIST, ONE, CANCEL = "GET /v1/batches", "GET /v1/batches/{id}", "POST /v1/batches/{id}/cancel"
PATHS = ("/v1/chat/completions", "/v1/audio/transcriptions", "/v1/audio/translations")
PURPOSE = "batch-api"
IGNORED = ("completion_window", "priority")
"""Fields of which nobody documents what they do."""


async def create(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/batches`: 201 with a job; a second one of the same file runs, and is charged, too."""
    owner = account(request)
    body = await json_body(request)
    if body.get("endpoint") is None:
        raise error_messages.missing("endpoint")
    path = checks.one_of(body, "endpoint", PATHS, "")
    file = _input(api, body, owner)
    model = first_model(await api.read(lambda: api.store.input(file.content)))
    fault = api.switchboard.take(CREATE, f"{file.filename} {file.id} {model}")
    job_id = str(uuid.uuid4())

    async def accept(fault: Fault | None) -> None:
        fated = fault is not None and Place.BATCH in fault.places
        job = BatchJob(
            id=job_id, account=owner, endpoint=path, input_file_id=file.id, content=file.content, size=file.size,
            model=model, created=time.time(), seconds=api.batch_seconds, fate=fault.name if fault and fated else None,
            fate_seconds=float(fault.options.get("seconds", 0.0)) if fault and fated else 0.0,
        )  # fmt: skip
        api.store.add_batch(job)
        batch_runner.start(api, job)

    async def answer() -> Response:
        made = {"job": api.store.batches[job_id].view(time.time())}
        ignored = [name for name in IGNORED if body.get(name) is not None]
        warning = {"warning": f"{', '.join(ignored)} has no effect."} if ignored else {}
        return success({**made, **warning}, status=201)

    return await apply_fault(fault, accept, answer)


async def list_batches(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/batches`: a bare array of all of the account's, newest first, without pages."""
    owner = account(request)

    async def answer() -> Response:
        now = time.time()
        return success([job.view(now) for job in reversed(api.store.batches.values()) if job.account == owner])

    return await apply_fault(api.switchboard.take(LIST, ""), None, answer)


async def one_batch(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/batches/{id}`: the job, bare."""
    job = _find(api, request)

    async def answer() -> Response:
        return success(api.store.batches[job.id].view(time.time()))

    return await apply_fault(api.switchboard.take(ONE, _text(job)), None, answer)


async def cancel(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/batches/{id}/cancel`: what is answered so far is charged, and in the output file."""
    job = _find(api, request)
    if job.status in ENDED:
        raise error_messages.Refusal(400, f"batch {job.id} is {job.status} and cannot be cancelled")

    async def accept(_: Fault | None) -> None:
        if running := api.running.get(job.id):
            await running.cancel()

    async def answer() -> Response:
        return success(api.store.batches[job.id].view(time.time()))

    return await apply_fault(api.switchboard.take(CANCEL, _text(job)), accept, answer)


def _input(api: Api, body: checks.Body, owner: str) -> Upload:
    """Return the account's file of which a batch is to be made; the words of the refusals are ours."""
    name = body.get("input_file_id")
    if not isinstance(name, str) or not name:
        raise error_messages.missing("input_file_id")
    file = api.store.uploads.get(name)
    if file is None or file.account != owner:
        raise error_messages.Refusal(404, f"file {name} not found")
    if file.purpose != PURPOSE or file.file_type != "jsonl":
        raise error_messages.Refusal(400, f"file {name} must be of type jsonl and have the purpose {PURPOSE}")
    return file


def _find(api: Api, request: HttpRequest) -> BatchJob:
    owner, name = account(request), str(request.path_params["id"])
    job = api.store.batches.get(name)
    if job is None or job.account != owner:
        raise error_messages.Refusal(404, f"batch {name} not found")
    return job


def _text(job: BatchJob) -> str:
    return f"{job.id} {job.input_file_id} {job.model}"


def _worded(handle: Handler) -> Handler:
    """Let refusals, those of faults too, be answered as batches answer them."""

    async def handled(api: Api, request: HttpRequest) -> Response:
        try:
            response = await handle(api, request)
        except error_messages.Refusal as refusal:
            return JSONResponse({"error": refusal.message}, refusal.status)
        if response.status_code >= 400 and isinstance(response, JSONResponse):
            headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
            message = json.loads(bytes(response.body))["error"]["message"]
            return JSONResponse({"error": message}, response.status_code, headers=headers)
        return response

    return handled


ENDPOINTS = (
    Endpoint(route=CREATE, handle=_worded(create), faults=Place.CALL | Place.BATCH),
    Endpoint(route=LIST, handle=_worded(list_batches)),
    Endpoint(route=ONE, handle=_worded(one_batch)),
    Endpoint(route=CANCEL, handle=_worded(cancel)),
)
