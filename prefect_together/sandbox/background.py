"""The thread that serves: sockets, an event loop, and an end that waits for nobody; answers no request itself."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from prefect_together.sandbox.broken_responses import Protocol

BACKLOG = 2_048
START_SECONDS = 20


class Background:
    """One thread with one event loop that serves both sockets until it is told to stop.

    Args:
        app: What answers.
        sockets: Bound and listening.
        begin: Called on the loop before the first request is answered, for work that goes on without one.
    """

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], begin: Callable[[], None]) -> None:
        self._app = app
        self._begin = begin
        self._sockets = sockets
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="sandbox", daemon=True)

    def start(self) -> None:
        """Start and wait until requests are answered."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("The sandbox did not start; see the traceback of its thread above.")

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    async def _serve(self) -> None:
        # uvicorn's protocol without its `Server`, which takes 0.2 s to stop and wants the signals for itself.
        loop = self._loop = asyncio.get_running_loop()
        stop = self._stop = asyncio.Event()
        config = uvicorn.Config(self._app, http=Protocol, ws="none", lifespan="off", log_config=None, log_level=None)
        config.load()
        state = ServerState()
        servers = [
            await loop.create_server(lambda: Protocol(config, state, {}), sock=bound, backlog=BACKLOG)
            for bound in self._sockets
        ]
        self._begin()
        self._ready.set()
        await stop.wait()
        for server in servers:
            server.close()
        for connection in list(state.connections):
            transport: asyncio.Transport = connection.transport  # pyright: ignore[reportAssignmentType]
            transport.abort()
        await asyncio.sleep(0)
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


def origin(host: str, port: int) -> str:
    """Return the address of a server, as clients write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Bind a port, 0 for any free one; raise OSError with a sentence where that fails."""
    # asyncio sends at once only on sockets that say that they are TCP: others wait 40 ms for the client's acknowledgement.
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"The sandbox cannot listen on {host}:{port}: {error.strerror}") from error
    return listening
