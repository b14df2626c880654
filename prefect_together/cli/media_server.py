"""A library on a port of this machine: its gallery, its pictures and clips, with ranges for seeking. Nothing else of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from prefect_together._internal.event_loop import run
from prefect_together.errors import LibraryError
from prefect_together.sandbox.inputs import is_loopback
from prefect_together.storage.addresses import where
from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_page import PAGE, write_page
from prefect_together.ui.links import SCRIPT, media_type_served

SIGNED_SECONDS = 3600
"""For how long a link into a bucket works: as long as somebody may go on seeking in a clip."""
_PATIENCE = 5.0  # seconds for the page to be written anew
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",  # Prefect's UI on another port is the same site; the web is not
}
_OWN_FILES = "'self' file:"  # what the page may show, in its Content-Security-Policy


class MediaServer:
    """Answers for one library, to requests that name this machine as their host."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._writing: asyncio.Task[LibraryError | None] | None = None

    def app(self) -> Starlette:
        """Return the application."""
        routes = [Route("/", self.start), Route(f"/{PAGE}", self.page), Route("/{key:path}", self.file)]
        return Starlette(routes=[Route(route.path, _local(route.endpoint)) for route in routes])

    async def start(self, _: Request) -> Response:
        """Lead to the page."""
        return RedirectResponse(f"/{PAGE}")

    async def page(self, _: Request) -> Response:
        """Write the page anew, so that it shows what is kept by now, and return it."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        # Of a large library that takes a while, and whoever may only read cannot: they see the page that was written last.
        there = await self._storage.exists(PAGE)
        await asyncio.wait([self._writing], timeout=_PATIENCE if there else None)
        failed = self._writing.result() if self._writing.done() else None
        if failed and not there:
            raise failed
        text = (await self._storage.read(PAGE)).decode()
        if self._storage.folder is None:
            bucket = urlsplit(await self._storage.signed(PAGE, SIGNED_SECONDS))
            text = text.replace(_OWN_FILES, f"'self' {bucket.scheme}://{bucket.netloc}")
        return Response(text, media_type="text/html", headers=_HEADERS)

    async def _write(self) -> LibraryError | None:
        """Write the page; return what was in the way."""
        try:
            await asyncio.to_thread(run, write_page(self._storage))
        except LibraryError as error:
            return error
        return None

    async def file(self, request: Request) -> Response:
        """Return a file, whole or in part; of a bucket, a link to it that works for a while."""
        key = str(request.path_params["key"])
        media_type = media_type_served(key)
        if media_type is None:
            return _missing("There is nothing to see here: only the gallery, pictures and clips are served.")
        if self._storage.folder is None:
            if media_type == SCRIPT:  # a page that may load scripts of a bucket could load other people's
                return await self._script(key)
            if not await self._storage.exists(key):
                return self._no_such(key)
            return RedirectResponse(await self._storage.signed(key, SIGNED_SECONDS), 307)
        path, top = self._storage.folder / key, self._storage.folder / key.partition("/")[0]
        # A symlink may lead a whole folder elsewhere, and no single file out of it.
        if not path.is_file() or not path.resolve().is_relative_to(top.resolve()):
            return self._no_such(key)
        return FileResponse(path, media_type=media_type, headers=_HEADERS)

    async def _script(self, key: str) -> Response:
        try:
            return Response(await self._storage.read(key), media_type=SCRIPT, headers=_HEADERS)
        except FileNotFoundError:
            return self._no_such(key)

    def _no_such(self, key: str) -> Response:
        return _missing(f"{key} is not in the library at {where(self._storage.url)}. Is it kept in another one?")


def serve(storage: Storage, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve a library until Ctrl-C or SIGTERM.

    Args:
        storage: The library.
        host: A loopback address: whoever reaches it may see all pictures and clips.
        port: The port, 0 for any free one.
        ready: Is told the address, once it answers.

    Raises:
        OSError: The port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as bound:
        number = bound.getsockname()[1]
        ready(f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}")
        config = uvicorn.Config(MediaServer(storage).app(), log_level="error", lifespan="off", ws="none")
        uvicorn.Server(config).run(sockets=[bound])


def _local(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Refuse who asks under another name, as pages of the web do whose name was made to lead here; say what failed."""

    async def checked(request: Request) -> Response:
        if not is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname):
            return PlainTextResponse("Only asked as localhost or by its address does this server answer.", 421)
        try:
            return await answer(request)
        except LibraryError as error:
            return PlainTextResponse(str(error), 502, headers=_HEADERS)

    return checked


def _missing(why: str) -> Response:
    return PlainTextResponse(why, 404, headers=_HEADERS)
