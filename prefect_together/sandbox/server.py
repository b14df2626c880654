"""Run the sandbox: two ports, one background thread, and the handle that a test holds; answers no request itself."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from prefect_together.sandbox import batch_runner, faults
from prefect_together.sandbox.admin_api import AdminApi
from prefect_together.sandbox.api import Api
from prefect_together.sandbox.app import build
from prefect_together.sandbox.background import Background, listen, origin
from prefect_together.sandbox.endpoints import ENDPOINTS
from prefect_together.sandbox.file_server import FileServer
from prefect_together.sandbox.inputs import is_loopback
from prefect_together.sandbox.recordings import Recordings
from prefect_together.sandbox.records import Charge, Request
from prefect_together.sandbox.renderer import Renderer
from prefect_together.sandbox.store import Store

API_KEY = "sandbox-key"
RENDER_THREADS, READ_THREADS = 2, 4


class Sandbox:
    """A running sandbox, as the process that started it sees it."""

    def __init__(self, url: str, files_url: str, store: Store, switchboard: faults.Switchboard) -> None:
        self.url = url
        """Origin of the API, for `TOGETHER_BASE_URL`."""
        self.files_url = files_url
        """Origin of the hosted files: another port."""
        self.api_key = API_KEY
        """A key that works, for `TOGETHER_API_KEY`."""
        self._store = store
        self._switchboard = switchboard

    def charges(self) -> list[Charge]:
        """Return what was accepted and would have been paid for, oldest first."""
        return list(self._store.charges)

    def requests(self) -> list[Request]:
        """Return the requests received by both servers, oldest first; the last 20,000."""
        return list(self._store.requests)

    def count(self, path_prefix: str, method: str = "POST") -> int:
        """Count the requests to paths that begin with a prefix, refused and broken ones included.

        Args:
            path_prefix: Such as `/v1/images`.
            method: The HTTP method that counts.
        """
        return self._store.count(path_prefix, method)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the video jobs as a poll would see them now, oldest first."""
        now = time.time()
        return [job.view(now, self.files_url) for job in list(self._store.jobs.values())]

    def batches(self) -> list[dict[str, Any]]:
        """Return the batches that were ever created, as they look now, oldest first."""
        now = time.time()
        return [job.view(now) for job in list(self._store.batches.values())]

    def fault(
        self,
        route: str,
        fault: str,
        *,
        times: int | None = None,
        match: str | None = None,
        every: int | None = None,
        hint: str | None = None,
        wait: float | None = None,
        seconds: float | None = None,
        charged: bool | None = None,
        code: str | None = None,
        message: str | None = None,
        value: float | str | None = None,
        location: str | None = None,
        bytes: int | None = None,
        reset: bool | None = None,
    ) -> None:
        """Let something go wrong; `prefect_together.sandbox.faults` lists what and where.

        Args:
            route: Method and path, such as `POST /v2/videos`, or `GET file`.
            fault: Its name, or an error status such as `"429"`.
            times: How many requests it strikes; by default 1, and every poll for `queued_forever`.
            match: Strike only requests whose prompt or model contains this.
            every: Strike the first of so many requests only, and again the first of the next so many.
            hint: For a status: which header asks to wait (`faults.HINTS`); `x-ratelimit-reset` on 429 and 503.
            wait: For a status: the seconds that the header asks for.
            seconds: How long a delay lasts, or a slow file takes.
            charged: Whether a POST that is answered with an error was accepted first.
            code: For a status: the error code, such as `model_not_available`.
            message: For a status: its text, such as `insufficient balance`.
            value: For `cost`: `"missing"` or the number to report; for `lying_header`: the length that it states, bytes.
            location: For `redirect`: where to; `"loop"` is the address itself.
            bytes: For `huge`: the size of the file.
            reset: For a cut connection: RST instead of FIN.

        Raises:
            ValueError: There is no such fault, or it cannot strike there.
        """
        given = {
            "hint": hint, "wait": wait, "seconds": seconds, "charged": charged, "code": code, "message": message,
            "value": value, "location": location, "bytes": bytes, "reset": reset,
        }  # fmt: skip
        options = {name: option for name, option in given.items() if option is not None}
        self._switchboard.add(route, fault, times=times, match=match, options=options, every=every)

    def reset(self) -> None:
        """Forget requests, charges, jobs, files and faults."""
        self._store.reset()
        self._switchboard.clear()


@contextlib.contextmanager
def serve(
    port: int = 0,
    *,
    files_port: int = 0,
    render_seconds: float = 2.0,
    image_seconds: float = 0.0,
    batch_seconds: float = 2.0,
    state: str | Path | None = None,
    host: str = "127.0.0.1",
    dedicated: Sequence[str] = (),
    bill_unfinished: bool = True,
) -> Generator[Sandbox, None, None]:
    """Run a local Together in the background and yield its handle.

    Args:
        port: Port of the API, 0 for any free one.
        files_port: Port of the hosted files, 0 for any free one.
        render_seconds: How long a video job takes, queue included.
        image_seconds: How long an image request takes, drawing not included.
        batch_seconds: How long a batch takes, a quarter of it being validated; its lines are answered one after the other.
        state: A folder in which jobs, charges and files survive the process; without one they are gone with it.
        host: A loopback address.
        dedicated: Models that are served as on an endpoint of one's own: for completions, embeddings and ranking too.
        bill_unfinished: Whether billing shows the hour or day that is not over yet; Together shows it only afterwards.

    Raises:
        ValueError: The host is not a loopback address: the sandbox lets everybody in.
    """
    if not is_loopback(host):
        raise ValueError(f"The sandbox listens on this machine only, not on {host}: it accepts every key.")
    store = Store(None if state is None else Path(state))
    switchboard = faults.Switchboard({endpoint.route: endpoint.faults for endpoint in ENDPOINTS})
    renderer = Renderer(store)
    with listen(host, port) as first, listen(host, files_port) as second:
        settled = partial(
            Api,
            store=store,
            renderer=renderer,
            recordings=Recordings(store, renderer.render),
            switchboard=switchboard,
            render_seconds=render_seconds,
            image_seconds=image_seconds,
            batch_seconds=batch_seconds,
            dedicated=frozenset(dedicated),
            bill_unfinished=bill_unfinished,
            batch_lines={one.path: one.answer_line for one in ENDPOINTS if one.answer_line is not None},
        )
        yield from _serve([first, second], settled)


def _serve(sockets: list[socket.socket], settled: Callable[..., Api]) -> Generator[Sandbox, None, None]:
    """Put the parts together, serve them on two bound sockets, and yield the handle."""
    url, files_url = (origin(*bound.getsockname()[:2]) for bound in sockets)
    render_threads = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="sandbox-render")
    read_threads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="sandbox-read")
    api = settled(render_threads=render_threads, read_threads=read_threads, files_url=files_url)
    files = FileServer(api.store, api.renderer, api.switchboard, render_threads)
    admin = AdminApi(api.store, api.switchboard, files_url)
    app = build(api, files, admin, files_port=sockets[1].getsockname()[1])
    background = Background(app, sockets, partial(batch_runner.resume, api))
    try:
        background.start()
        yield Sandbox(url, files_url, api.store, api.switchboard)
    finally:
        background.stop()
        for pool in (render_threads, read_threads):
            pool.shutdown(wait=False, cancel_futures=True)


def run(
    host: str = "127.0.0.1",
    port: int = 8484,
    *,
    files_port: int = 0,
    render_seconds: float = 2.0,
    image_seconds: float = 0.0,
    batch_seconds: float = 2.0,
    state: str | Path | None = None,
    dedicated: Sequence[str] = (),
) -> None:
    """Run a local Together until Ctrl-C or SIGTERM; print the two lines that point a client at it.

    Args:
        host: A loopback address.
        port: Port of the API, 0 for any free one.
        files_port: Port of the hosted files, 0 for any free one.
        render_seconds: How long a video job takes, queue included.
        image_seconds: How long an image request takes, drawing not included.
        batch_seconds: How long a batch takes; its lines are answered one after the other.
        state: A folder in which jobs, charges and files survive the process.
        dedicated: Models that are served as on an endpoint of one's own.

    Raises:
        ValueError: The host is not a loopback address.
    """
    ended = threading.Event()

    def end(_number: int, _frame: object) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with serve(
            port,
            files_port=files_port,
            render_seconds=render_seconds,
            image_seconds=image_seconds,
            batch_seconds=batch_seconds,
            state=state,
            host=host,
            dedicated=dedicated,
        ) as sandbox:
            lines = f"export TOGETHER_BASE_URL={sandbox.url}\nexport TOGETHER_API_KEY={sandbox.api_key}\n"
            sys.stdout.write(lines)
            sys.stdout.flush()
            # In slices, because on Windows a wait without end is deaf to Ctrl-C.
            while not ended.wait(0.5):
                pass  # threads of this process answer meanwhile
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
