"""One background event loop per process. Knows nothing of what runs on it.

Sync callers wait for it, async callers await it, so every operation has one body, one HTTP client per account serves all
threads and event loops of the process, and a thousand calls that wait for a video cost a thousand coroutines.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import cache
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from prefect_together._internal.background import wait_for_spawned
from prefect_together._internal.interruption import note_cut_off, note_flow_gone
from prefect_together._internal.prefect_compat import before_prefects_services_end, flow_is_cut_off
from prefect_together._internal.tracebacks import without_frames
from prefect_together.errors import ConfigurationError

_T = TypeVar("_T")

_log = logging.getLogger("prefect.together")
_ANSWERS = 20.0  # seconds that an exiting process waits for the answers to what it has paid for; Prefect's own grace is 30
_CALM = 0.3  # seconds without a new call after which a process counts as idle
_CLOSING = 5.0  # seconds that it gives to closing connections


class Signal(Exception):
    """Carries what work on the loop wants raised where it is waited for, and which would end the loop itself.

    Args:
        raised: What its caller gets in its place.
    """

    def __init__(self, raised: BaseException) -> None:
        super().__init__(raised)
        self.raised = raised


class Runtime:
    """The background loop of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.shared: dict[str, Any] = {}
        """What others keep here for as long as the loop lives, under a name of theirs."""
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        """Called on the loop before it ends: what lives on it is closed there."""
        self.working = 0
        """How many calls are under way."""
        self.started_at = float("-inf")
        self.waited_for: set[Future[Any]] = set()
        """The calls under way."""
        self.interrupted = False
        """Whether they were cut off by ``interrupt``."""
        self._stack = ExitStack()
        starting: AbstractContextManager[BlockingPortal] = start_blocking_portal(name="prefect-together")
        self._portal = self._stack.enter_context(starting)

    def start(self, work: Callable[[], Awaitable[_T]]) -> Future[_T]:
        """Start work on the loop, with the context variables of the caller."""
        return self._portal.start_task_soon(work)

    def close(self) -> None:
        """Close every connection and end the loop."""

        async def closing() -> None:
            if not await wait_for_spawned(_ANSWERS):
                _log.warning("A paid request is still unanswered: the next run finds it in the ledger as unknown.")
            for close in self.on_close:
                await close()

        with suppress(Exception):  # the process is ending: a connection that will not close must not keep it
            self.start(closing).result(_ANSWERS + _CLOSING)
        self.on_close.clear()
        self.shared.clear()
        with suppress(Exception):  # a loop that does not end must not keep the process either
            self._portal.start_task_soon(self._portal.stop, True).result(_CLOSING)


_runtime: Runtime | None = None
_starting = threading.Lock()


def runtime() -> Runtime:
    """Return this process's loop, started on first use.

    Raises:
        ConfigurationError: This process was forked from one that had used it: its threads are not here.
    """
    global _runtime
    if _runtime is not None and _runtime.pid != os.getpid():
        raise ConfigurationError(
            "This process was forked from one that has used prefect-together, and threads do not survive a fork: "
            'start it with multiprocessing.get_context("spawn") or "forkserver".'
        )
    with _starting:
        if _runtime is None:
            _runtime = Runtime()
        return _runtime


@atexit.register
def shutdown() -> None:
    """End the loop and close its connections; the next use starts anew."""
    global _runtime
    if _runtime is None or _runtime.pid != os.getpid():
        return  # a forked child leaves its parent's loop alone
    with _starting:
        _runtime.close()
        _runtime = None


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run work on the background loop and wait for it; interrupting the wait cancels the work."""
    future = _start(work)
    try:
        while True:
            try:
                # Waking up now and then lets Prefect's timeouts and cancellations reach a waiting thread.
                return future.result(timeout=1.0)
            except NotYet:  # noqa: PERF203 - waiting is the point
                if future.done():
                    return future.result()
                if _flow_is_gone():
                    raise KeyboardInterrupt from None
    except Signal as signal:
        raise signal.raised from None
    except BaseException as error:
        future.cancel()
        if isinstance(error, CancelledError) and runtime().interrupted:
            raise KeyboardInterrupt from None
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            note_cut_off()
            # Ctrl-C, or Prefect's SIGTERM: Prefect then sends itself the signal again, which ends the process without
            # `atexit`. The answer to what has been paid for may be seconds away.
            with suppress(Exception):
                runtime().start(lambda: wait_for_spawned(_ANSWERS)).result(_ANSWERS + _CLOSING)
        raise without_frames(error)  # noqa: B904 - the same error


async def arun(work: Coroutine[Any, Any, _T]) -> _T:
    """Run work on the background loop and await it from any loop; cancelling the await cancels the work."""
    future = asyncio.wrap_future(_start(work))
    try:
        if threading.current_thread() is not threading.main_thread():  # a loop of Prefect's, for a task of its thread pool
            while not (await asyncio.wait([future], timeout=1.0))[0]:
                if _flow_is_gone():
                    raise KeyboardInterrupt
        return await future
    except Signal as signal:
        raise signal.raised from None
    except BaseException as error:
        future.cancel()
        if not isinstance(error, Exception):
            note_cut_off()
        raise without_frames(error)  # noqa: B904 - the same error


def _flow_is_gone() -> bool:
    """Tell whether the flow that this thread works for is gone, and remember it for the process's last words."""
    if not flow_is_cut_off():
        return False
    note_flow_gone()
    return True


def _start(work: Coroutine[Any, Any, _T]) -> Future[_T]:
    running = runtime()

    async def working() -> _T:
        running.working += 1
        running.started_at = time.monotonic()
        try:
            return await work
        finally:
            running.working -= 1

    future = running.start(working)
    running.waited_for.add(future)
    future.add_done_callback(running.waited_for.discard)
    return future


def interrupt() -> None:
    """Cut off every call under way: for a Ctrl-C that ends the process, which waits for threads that nobody tells."""
    if _runtime is not None and _runtime.pid == os.getpid():
        _runtime.interrupted = True
        for future in list(_runtime.waited_for):
            future.cancel()


def busy() -> bool:
    """Tell whether call follows call, so that what nobody waits for had better not hurry."""
    return _runtime is not None and (_runtime.working > 1 or time.monotonic() - _runtime.started_at < _CALM)


_later: set[asyncio.Task[None]] = set()


def later(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start work that nobody has to wait for, and that must not raise. Call it on the background loop.

    It is given a moment to end before the process does; what it would have shown is lost with a process that is killed.
    """
    _flush_at_the_end()
    task = asyncio.create_task(work)
    _later.add(task)
    task.add_done_callback(_later.discard)
    return task


def flush(timeout: float | None = None) -> bool:
    """Wait for what was started with ``later``; return whether all of it has ended.

    Args:
        timeout: Seconds; by default ten, and a moment for each thing that is left, a minute at most.
    """
    running = _runtime
    if running is None or running.pid != os.getpid() or not _later:
        return True
    timeout = min(60.0, 10.0 + 0.05 * len(_later)) if timeout is None else timeout

    async def waiting() -> bool:
        pending = set(_later)
        return not pending or not (await asyncio.wait(pending, timeout=timeout))[1]

    with suppress(Exception):  # at the end of a process there may be no loop any more, and nobody to tell
        return running.start(waiting).result(timeout + 1.0)
    return False


@cache
def _flush_at_the_end() -> None:
    """Have the process wait for what is left, while it can still be shown; not to be called before the first generation."""
    before_prefects_services_end(flush)
