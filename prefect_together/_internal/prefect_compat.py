"""What this package relies on and Prefect does not document: each in one function that says on which Prefect it was seen.

`tests/unit/test_prefect_compat.py` has a test for each, which fails when a release of Prefect changes it.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from datetime import datetime
    from types import FrameType
    from uuid import UUID

    from prefect import Flow, Task
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State
    from prefect.context import TaskRunContext
    from prefect.input import RunInput

_Form = TypeVar("_Form", bound="RunInput")


def start_temporary_server() -> None:
    """Start the server that Prefect starts for flows where no API is set, or do nothing where it runs already.

    Prefect's clients ask for the same instance by its class (3.8.8, 3.9.1), so they find it running.

    Raises:
        RuntimeError: It did not answer within ``PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS``.
    """
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    try:
        server.start()
    except RuntimeError:
        server.stop()  # it may come up yet, and nobody would end it
        raise


def before_prefects_services_end(work: Callable[[], object]) -> None:
    """Call ``work`` when the process ends, before Prefect stops the threads that send events and logs (3.8.8, 3.9.1).

    Threads and name lookups are gone when ``atexit`` runs. The hooks that ``concurrent.futures`` registers come before that,
    the last one first; Prefect registers its own when it is first used, so this has to be called later than that.
    """
    with suppress(RuntimeError):  # the process is ending already
        getattr(threading, "_register_atexit", atexit.register)(work)


def tag_run(context: TaskRunContext, tag: str) -> None:
    """Tag a task run while its name is asked for: Prefect looks up the limits of its tags after that (3.8.8, 3.9.1)."""
    if tag and tag not in context.task_run.tags:
        context.task_run.tags.append(tag)


def error_of(state: State[Any]) -> object:
    """Return what a failed state holds, in a retry condition: ``state.result()`` does not raise there (3.8.8, 3.9.1)."""
    return state.data


def result_of(state: State[Any]) -> Any:
    """Return the result of a state that a task returned: Prefect hands its caller the state itself (3.8.8, 3.9.1)."""
    return cast("Any", state).data.result


async def answer_of_pause(form: type[_Form], key: str) -> _Form:
    """Return what a person answered to a pause of this run that was answered before.

    Where a retry of the run comes by again, Prefect loads the answer and returns none (3.8.8, 3.9.1).

    Args:
        form: What was asked.
        key: Of the pause.
    """
    from prefect.input.run_input import keyset_from_paused_state
    from prefect.states import Paused

    return await form.aload(keyset_from_paused_state(Paused(pause_key=key)))


def filter_run_logs(records: logging.Filter) -> None:
    """Have a filter see what is logged of flow runs and task runs, errors included: their loggers' names (3.8.8, 3.9.1)."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(records)


def filter_console(records: logging.Filter) -> None:
    """Have a filter see what Prefect prints, and not what it sends to its API: handlers of its loggers (3.8.8, 3.9.1)."""
    from prefect.logging.handlers import PrefectConsoleHandler

    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    for handler in {
        handler for logger in loggers for handler in logger.handlers if isinstance(handler, PrefectConsoleHandler)
    }:
        handler.addFilter(records)


def wrong_parameters(flow: Flow[Any, Any], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a flow has against parameters, as pydantic tells its errors.

    Prefect logs what it raises, and keeps pydantic's error as the context of its own (3.8.8, 3.9.1).
    """
    from prefect.exceptions import ParameterTypeError
    from pydantic import ValidationError

    log = logging.getLogger("prefect.flows")
    before, log.disabled = log.disabled, True
    try:
        flow.validate_parameters(parameters)
    except ParameterTypeError as error:
        if isinstance(error.__context__, ValidationError):
            return [dict(one) for one in error.__context__.errors(include_url=False)]
        return [{"type": "value_error", "loc": (), "msg": str(error), "input": parameters}]
    finally:
        log.disabled = before
    return []


def in_a_run() -> bool:
    """Tell whether what is logged here belongs to a run of Prefect, as its log handler sees it (3.8.8, 3.9.1)."""
    from prefect.context import FlowRunContext, TaskRunContext

    return FlowRunContext.get() is not None or TaskRunContext.get() is not None


def flow_is_cut_off() -> bool:
    """Tell whether the flow that this thread works for was interrupted or ended, and waits for this thread (3.8.8, 3.9.1).

    Prefect's task runner sets an event for each of its threads that no task sees, and waits for them, whatever the reason:
    the flow returned, or Ctrl-C, SIGTERM or a cancellation goes through it. The reason is an argument of its ``__exit__``.
    """
    if "prefect.task_runners" not in sys.modules:  # no flow runs in this process: that need not cost two seconds of imports
        return False
    from prefect.context import FlowRunContext
    from prefect.exceptions import Pause
    from prefect.task_runners import ThreadPoolTaskRunner

    context = FlowRunContext.get()
    runner = context.task_runner if context else None
    if not isinstance(runner, ThreadPoolTaskRunner) or not _is_ending(runner):
        return False
    ending = cast("Any", ThreadPoolTaskRunner).__exit__.__code__
    running = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented: what threads wait for
    for frame in running.values():
        here: FrameType | None = frame
        while here is not None:
            if here.f_code is ending and here.f_locals["self"] is runner:
                reason = here.f_locals["exc_type"]
                return _interrupted(here) if reason is None else not issubclass(reason, (Exception, Pause))
            here = here.f_back
    return True  # nobody waits any more, and this thread still works: the wait itself was interrupted


def _interrupted(frame: FrameType | None) -> bool:
    """Tell whether Ctrl-C waits for an event loop that a frame keeps from running (Python 3.11 to 3.13; 3.10 has no Runner).

    An async flow that returns without its futures waits for their threads in its event loop's own thread, and the first
    Ctrl-C only asks the loop to cancel the flow, which it cannot hear.
    """
    running = getattr(getattr(asyncio, "Runner", None), "run", None)
    while frame is not None:
        if running and frame.f_code is running.__code__:
            return bool(getattr(frame.f_locals["self"], "_interrupt_count", 0))
        frame = frame.f_back
    return False


def _is_ending(runner: Any) -> bool:
    first = next(iter(list(getattr(runner, "_cancel_events", {}).values())), None)  # all of them are set together
    return first is not None and first.is_set()


async def suspend(run: UUID, *, key: str, seconds: int) -> State[Any]:
    """Suspend a flow run from one of its tasks and return its state: with an id given, it raises nothing (3.8.8, 3.9.1).

    ``suspend_flow_run`` is a coroutine only where the flow is async, and ``asuspend_flow_run`` is not everywhere.

    Args:
        run: The flow run.
        key: Of the pause.
        seconds: After which Prefect fails the run where nobody resumes it.

    Raises:
        RuntimeError: Prefect will not have it suspended.
    """
    from prefect import flow_runs
    from prefect.client.orchestration import get_client

    found: Any = getattr(flow_runs, "asuspend_flow_run", flow_runs.suspend_flow_run)
    suspending = found(flow_run_id=run, key=key, timeout=seconds)
    if inspect.isawaitable(suspending):
        await suspending
    async with get_client() as client:
        state = (await client.read_flow_run(run)).state
    if state is None or not state.is_paused():
        raise RuntimeError(f"its state is {state and state.name}")
    return state


def end_task_run(context: TaskRunContext, state: State[Any]) -> None:
    """Say what became of a task run that ends with Prefect's ``Pause``, which leaves it Running for ever (3.8.8, 3.9.1)."""
    from prefect.utilities.engine import emit_task_run_state_change_event

    emit_task_run_state_change_event(context.task_run, context.task_run.state, state)


def heartbeats_since(client: SyncPrefectClient, run: UUID, since: datetime) -> bool:
    """Tell whether a flow run has said since then that it lives: the events of its heartbeats (3.8.8, 3.9.1)."""
    asked = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
        "occurred": {"since": since.isoformat()},
    }
    answer = client.request("POST", "/events/filter", json={"filter": asked, "limit": 1})
    return bool(answer.json()["events"])


def keep_class(made: Task[..., Any], original: Task[..., Any]) -> None:
    """Give what ``Task.with_options`` made the class of its original: Prefect makes a plain ``Task`` (3.8.8, 3.9.1)."""
    made.__class__ = type(original)
