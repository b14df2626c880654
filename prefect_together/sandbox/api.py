"""What all endpoints share: who may ask, what a body is, what is charged, how an answer looks; knows no endpoint."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from prefect_together import catalog
from prefect_together.sandbox import error_messages, fault_injection, faults
from prefect_together.sandbox.inputs import name_input, name_sound
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.recordings import Recordings
from prefect_together.sandbox.records import Charge, shortened
from prefect_together.sandbox.renderer import Renderer
from prefect_together.sandbox.store import Store

RECORD = "sandbox.record"
ORGANIZATION = "org_sandbox"
"""To which every key belongs."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Api:
    """What an endpoint works with."""

    store: Store
    renderer: Renderer
    recordings: Recordings
    switchboard: faults.Switchboard
    render_threads: Executor
    read_threads: Executor
    files_url: str
    """Origin of the hosted files."""
    render_seconds: float
    """How long a job takes, queue included."""
    image_seconds: float
    """How long an image request takes, drawing not included."""
    dedicated: frozenset[str]
    """Models that are served on an endpoint of one's own."""
    batch_seconds: float
    """How long a batch takes."""
    bill_unfinished: bool
    """Whether billing shows the hour or day that is not over yet."""
    batch_lines: Mapping[str, AnswerLine]
    """How a line of a batch is answered, by the path of its endpoint."""
    running: dict[str, RunningBatch] = field(default_factory=dict[str, "RunningBatch"])
    """The batches at which somebody works."""

    def charge(self, charge_id: str, *, kind: str, body: Mapping[str, Any], prompt: str, account: str) -> Charge:
        """Return what accepting this body costs; it counts once the store has accepted it.

        Args:
            charge_id: The id that the answer carries.
            kind: What the model makes, as the catalogue calls it.
            body: The request body, of which the catalogue estimates the price.
            prompt: The prompt, fit to be printed.
            account: What `account` returned for the request.
        """
        media = cast("Mapping[str, Any]", body.get("media") or {})  # prices may depend on what is sent in
        usd = catalog.estimate(str(body["model"]), {**media, **body})
        now = dt.datetime.now(dt.timezone.utc)
        return Charge(id=charge_id, kind=kind, model=str(body["model"]), usd=usd, prompt=prompt, at=now, account=account)

    def name_input(self, text: str) -> str:
        """Return the name of the input that an address, a data URL or base64 speaks of; raise BadInput if it is none."""
        try:
            return name_input(text, self.store)
        except ValueError as error:
            raise BadInput(str(error)) from error

    def name_sound(self, text: str) -> str:
        """Return the name of the sound that an address, a data URL or base64 speaks of; raise BadInput if it is none."""
        try:
            return name_sound(text, self.store)
        except ValueError as error:
            raise BadInput(str(error)) from error

    async def render(self, recipe: Recipe) -> bytes:
        """Return a file's bytes without holding up other requests."""
        return await asyncio.get_running_loop().run_in_executor(self.render_threads, self.renderer.render, recipe)

    async def read(self, work: Callable[[], T]) -> T:
        """Check a body in a thread: that may decode or fetch a picture, and must not wait behind a clip being rendered."""
        return await asyncio.get_running_loop().run_in_executor(self.read_threads, work)


Handler: TypeAlias = Callable[[Api, HttpRequest], Awaitable[Response]]


@dataclass(frozen=True)
class LineAnswer:
    """What a line of a batch is answered with, and what that costs without a batch's discount."""

    body: Mapping[str, Any]
    charge: Charge


AnswerLine: TypeAlias = Callable[[Api, Mapping[str, Any], str], Awaitable[LineAnswer]]
"""Takes the line's body and the account; raises Refusal for a body that the endpoint refuses. Charges nothing itself."""


class RunningBatch(Protocol):
    """A batch that is being worked at."""

    async def cancel(self) -> None:
        """End it with what is answered so far."""
        ...


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One route of the API."""

    route: str
    """Method and path, such as `POST /v2/videos`: the name under which faults are given for it."""
    below: str = ""
    """What follows in the path, such as `/{id}`."""
    handle: Handler
    faults: faults.Place = faults.Place.CALL
    """Which faults can strike here."""
    answer_line: AnswerLine | None = None
    """How a line of a batch is answered; None where there are no batches."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The whole path, as starlette writes it."""
        return self.route.partition(" ")[2] + self.below


def account(request: HttpRequest) -> str:
    """Check the key; return a short hash of it, because what a key made belongs to its account."""
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


async def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object that was sent, and write it down; refuse anything else."""
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


def file_token() -> str:
    """Return a new token of a hosted file, such as the short links of Together carry."""
    return secrets.token_urlsafe(9).replace("-", "a").replace("_", "b")


def success(content: Any, request_id: str | None = None, *, status: int = 200) -> Response:
    """Answer with the headers that Together sends.

    Args:
        content: JSON values.
        request_id: The id that the answer itself carries, if it does.
        status: 200, or 201 where something was created.
    """
    headers = {
        "x-request-id": request_id or error_messages.request_id(),
        "x-ratelimit-limit": "600",
        "x-ratelimit-reset": "0",
    }
    return JSONResponse(content, status, headers=headers)


class BadInput(ValueError):
    """Something that should be a picture is none."""


class EdgeBlock(Exception):
    """The edge in front of the API turned the client away."""


async def refuse(_: HttpRequest, error: Exception) -> Response:
    """Answer a refusal in Together's shape."""
    refusal = cast("error_messages.Refusal", error)
    request_id = error_messages.request_id()
    return JSONResponse(refusal.body(request_id), refusal.status, headers={"x-request-id": request_id})


async def refuse_input(_: HttpRequest, error: Exception) -> Response:
    """Answer 400 for an input image that cannot be read; the wording is ours."""
    return await refuse(_, error_messages.Refusal(400, f"The input image could not be read: {error}.", param="image_url"))


async def edge_block(_: HttpRequest, __: Exception) -> Response:
    """Answer as the edge does: 403, plain text."""
    return fault_injection.edge_block()
