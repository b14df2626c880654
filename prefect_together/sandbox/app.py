"""The routes of both origins in one application that writes down what it is asked; answers nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_together.sandbox import api, error_messages
from prefect_together.sandbox.admin_api import AdminApi
from prefect_together.sandbox.endpoints import ENDPOINTS
from prefect_together.sandbox.file_server import FileServer
from prefect_together.sandbox.records import Request
from prefect_together.sandbox.upload_host import UploadHost


def build(shared: api.Api, files: FileServer, admin: AdminApi, *, files_port: int) -> ASGIApp:
    """Return one application for both sockets, which writes down what it is asked before it answers.

    Args:
        shared: What the endpoints work with.
        files: The server of finished files.
        admin: The sandbox's own routes; what is asked there is not written down.
        files_port: At which port a request is one for a file.
    """
    api_app = Starlette(
        routes=[
            *(Route(one.path, partial(one.handle, shared), methods=[one.method]) for one in ENDPOINTS),
            Route("/sandbox/charges", admin.charges, methods=["GET"]),
            Route("/sandbox/requests", admin.requests, methods=["GET"]),
            Route("/sandbox/jobs", admin.jobs, methods=["GET"]),
            Route("/sandbox/batches", admin.batches, methods=["GET"]),
            Route("/sandbox/faults", admin.faults, methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/reset", admin.reset, methods=["POST"]),
        ],
        exception_handlers={
            error_messages.Refusal: api.refuse,
            api.BadInput: api.refuse_input,
            api.EdgeBlock: api.edge_block,
            404: _no_route,
            405: _no_route,
        },
    )
    files_app = Starlette(
        routes=[
            Route("/shrt/{token}", files.short_link, methods=["GET"]),
            Route("/files/{name}", files.file, methods=["GET"]),
            Route("/uploads/{token}", UploadHost(shared.store, shared.switchboard).put, methods=["PUT"]),
        ]
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        origin = "files" if scope["server"][1] == files_port else "api"
        if origin == "api" and scope["path"].startswith("/sandbox/"):
            await api_app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        record = Request(
            method=scope["method"],
            path=scope["path"] + (f"?{query}" if query else ""),
            origin=origin,
            authorization=headers.get("authorization"),
            headers=headers,
            at=dt.datetime.now(dt.timezone.utc),
        )
        shared.store.saw(record)
        scope[api.RECORD] = record

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        # Cancelled only when the sandbox stops, with every connection already cut: nothing to answer, nothing to log.
        with contextlib.suppress(asyncio.CancelledError):
            await (files_app if origin == "files" else api_app)(scope, receive, noted)

    return app


async def _no_route(request: HttpRequest, _: Exception) -> Response:
    return await api.refuse(request, error_messages.Refusal(404, f"No route for {request.method} {request.url.path}."))
