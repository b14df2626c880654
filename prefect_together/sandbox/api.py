"""The API's routes: who may ask, what is accepted and charged, how it is answered; draws nothing itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import secrets
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from prefect_together import catalog
from prefect_together.sandbox import error_messages, fault_injection, faults
from prefect_together.sandbox.endpoints import images, videos
from prefect_together.sandbox.inputs import name_input
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.records import FATES, Charge, Job, shortened, whole
from prefect_together.sandbox.renderer import Renderer
from prefect_together.sandbox.store import Store

RECORD = "sandbox.record"
T = TypeVar("T")


@dataclass
class Api:
    """Together's two generation endpoints, and the few that go with them."""

    store: Store
    renderer: Renderer
    switchboard: faults.Switchboard
    renderers: Executor
    readers: Executor
    files_url: str
    render_seconds: float
    image_seconds: float
    ids: Callable[[], str] = field(default=error_messages.request_id)

    async def images(self, request: HttpRequest) -> Response:
        """`POST /v1/images/generations`: synchronous."""
        account = _account(request)
        body = await _body(request)
        order = await self._read(lambda: images.read(body, self._input))
        answer_id = self.ids()
        first = order.pictures[0]
        tokens: dict[str, Recipe] = {} if order.base64 else {_token(): picture for picture in order.pictures}

        async def accept(_: faults.Fault | None) -> None:
            self.store.accept(charge=self._charge(answer_id, "image", body, first.prompt, account), files=tokens)

        async def answer() -> Response:
            await asyncio.sleep(self.image_seconds)
            if order.base64:
                drawn = await asyncio.gather(*(self._render(picture) for picture in order.pictures))
                data = [{"index": n, "type": "b64_json", "b64_json": b64encode(one).decode()} for n, one in enumerate(drawn)]
            else:
                data = [
                    {"index": n, "type": "url", "url": f"{self.files_url}/shrt/{token}"} for n, token in enumerate(tokens)
                ]
            return success({"id": answer_id, "model": first.model, "object": "list", "data": data}, answer_id)

        fault = self.switchboard.take(faults.IMAGES, f"{first.prompt} {first.model}")
        return await fault_injection.apply_fault(fault, accept, answer)

    async def create_video(self, request: HttpRequest) -> Response:
        """`POST /v2/videos`: answers with a job."""
        account = _account(request)
        body = await _body(request)
        order = await self._read(lambda: videos.read(body, self._input))
        job_id = _uuid7()
        prompt = whole(str(body.get("prompt") or ""))
        token = None if order.clip is None else _token()
        # A job that is known to fail is not charged: what Together does is not documented.
        charge = None if order.clip is None else self._charge(job_id, "video", body, prompt, account)
        jobs: list[Job] = []

        async def accept(fault: faults.Fault | None) -> None:
            fate = fault.name if fault is not None and fault.name in FATES else None
            job = Job(
                id=job_id, model=str(body["model"]), prompt=prompt, account=account, created=time.time(),
                render_seconds=self.render_seconds, size=order.size, seconds=order.seconds, token=token,
                usd=None if charge is None or charge.usd is None else str(charge.usd), failure=order.failure,
                fate=fate, fate_value=fault.options.get("value") if fault is not None and fate == "cost" else None,
            )  # fmt: skip
            jobs.append(job)
            self.store.accept(charge=charge, job=job, files={token: order.clip} if token and order.clip else None)

        async def answer() -> Response:
            # Taken at the moment of creation: whatever its pace, a job is born waiting.
            view = jobs[0].view(jobs[0].created - 1, self.files_url)
            return success(view if jobs[0].fate == "no_status" else {**view, "status": "queued"}, self.ids())

        fault = self.switchboard.take(faults.VIDEOS, f"{prompt} {body['model']}")
        return await fault_injection.apply_fault(fault, accept, answer)

    async def video(self, request: HttpRequest) -> Response:
        """`GET /v2/videos/{id}`: the job, for the account that made it."""
        account = _account(request)
        job = self.store.jobs.get(request.path_params["id"])
        if job is None or job.account != account:
            raise error_messages.Refusal(404, "Video ID not found.", code="not_found")
        fault = self.switchboard.take(faults.POLL, f"{job.prompt} {job.model}")
        if fault is not None and fault.name == "not_found":
            raise error_messages.Refusal(404, "Video ID not found.", code="not_found")

        async def answer() -> Response:
            name, value = (fault.name, fault.options.get("value")) if fault and fault.name in FATES else (None, None)
            return success(job.view(time.time(), self.files_url, fate=name, value=value), self.ids())

        return await fault_injection.apply_fault(fault, None, answer)

    async def models(self, request: HttpRequest) -> Response:
        """`GET /v1/models`: a bare array."""
        _account(request)
        rows = [
            {
                "id": model.id, "object": "model", "created": 0, "type": model.kind,
                "display_name": model.id.partition("/")[2], "organization": model.provider, "pricing": _pricing(model),
            }
            for model in catalog.models()
            if model.listed
        ]  # fmt: skip

        async def answer() -> Response:
            return success(rows, self.ids())

        return await fault_injection.apply_fault(self.switchboard.take(faults.MODELS, ""), None, answer)

    async def whoami(self, request: HttpRequest) -> Response:
        """`GET /v3/whoami`: the identity behind a key, in the shape of the SDK's `WhoamiProjectAPIKey`."""
        account = _account(request)
        identity = {
            "type": "project_api_key",
            "api_key": {"id": f"key_{account}"},
            "organization": {"id": "org_sandbox", "name": "Sandbox"},
            "project": {"id": f"proj_{account}", "name": "Sandbox", "slug": f"sandbox-{account[:6]}"},
        }

        async def answer() -> Response:
            return success(identity, self.ids())

        return await fault_injection.apply_fault(self.switchboard.take(faults.WHOAMI, ""), None, answer)

    def _charge(self, charge_id: str, kind: str, body: Mapping[str, Any], prompt: str, account: str) -> Charge:
        usd = catalog.estimate(str(body["model"]), body)
        now = dt.datetime.now(dt.timezone.utc)
        return Charge(id=charge_id, kind=kind, model=str(body["model"]), usd=usd, prompt=prompt, at=now, account=account)

    def _input(self, text: str) -> str:
        try:
            return name_input(text, self.store)
        except ValueError as error:
            raise BadInput(str(error)) from error

    async def _render(self, recipe: Recipe) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self.renderers, self.renderer.render, recipe)

    async def _read(self, work: Callable[[], T]) -> T:
        # Reading an order may decode or fetch a picture; it must not wait behind a clip that is being rendered.
        return await asyncio.get_running_loop().run_in_executor(self.readers, work)


def success(content: Any, request_id: str) -> Response:
    """Answer 200 with the headers that Together sends."""
    return JSONResponse(content, headers={"x-request-id": request_id, "x-ratelimit-limit": "600", "x-ratelimit-reset": "0"})


async def refuse(_: HttpRequest, error: Exception) -> Response:
    """Answer a refusal in Together's shape."""
    refusal = cast("error_messages.Refusal", error)
    request_id = error_messages.request_id()
    return JSONResponse(refusal.body(request_id), refusal.status, headers={"x-request-id": request_id})


async def refuse_input(_: HttpRequest, error: Exception) -> Response:
    """Answer 400 for an input image that cannot be read; the wording is ours."""
    return await refuse(_, error_messages.Refusal(400, f"The input image could not be read: {error}.", param="image_url"))


def _account(request: HttpRequest) -> str:
    """Check the key; return a short hash of it, because a job belongs to the account that made it."""
    if not request.headers.get("user-agent"):
        # What the edge answers to clients that do not say who they are; plain text, not JSON.
        raise EdgeBlock
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or key.startswith("bad"):
        raise error_messages.bad_key()
    if request.method == "POST":
        if key == "broke-key":
            raise error_messages.no_balance()
        if key == "nosharing-key":
            raise error_messages.no_sharing()
    return hashlib.sha256(key.encode()).hexdigest()[:12]


class BadInput(ValueError):
    """Something that should be a picture is none."""


class EdgeBlock(Exception):
    """The edge in front of the API turned the client away."""


async def edge_block(_: HttpRequest, __: Exception) -> Response:
    """Answer as the edge does: 403, plain text."""
    return fault_injection.edge_block()


async def _body(request: HttpRequest) -> dict[str, Any]:
    content = await request.body()
    try:
        body: Any = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise error_messages.Refusal(400, "The request body is not a valid JSON object.")
    known = cast("dict[str, Any]", body)
    record = request.scope.get(RECORD)
    if record is not None:
        record.body = shortened(known)
    return known


def _pricing(model: catalog.Model) -> dict[str, Any]:
    """Return the price under the key that the kind of model uses there."""
    if model.price is None:
        return {}
    if model.price.per == "megapixel":
        return {"image_pixel": {"price_per_megapixel": float(model.price.usd), "min_steps": model.default_steps or 1}}
    return {model.kind: float(model.price.usd)}


def _token() -> str:
    return secrets.token_urlsafe(9).replace("-", "a").replace("_", "b")


def _uuid7() -> str:
    """Return an id like Together's job ids: a UUID that begins with the time."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))
