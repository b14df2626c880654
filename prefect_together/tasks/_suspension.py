"""Suspends the flow run of a deployment while its jobs run at Together, so that no process waits. Pays nothing.

A call that finds its job still running writes down what it waits for and has the run suspended: once all calls of this
process that are sending for the run have sent. The sweep asks for the jobs, and resumes the run when all of them are over.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, TypeVar

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import Pause

from prefect_together._internal.event_loop import Signal
from prefect_together._internal.logs import Log
from prefect_together._internal.prefect_compat import end_task_run, suspend
from prefect_together._internal.restarts import SWEEP
from prefect_together.engine.context import RunContext
from prefect_together.engine.waits import Wait, read_wait
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.generations.policy import Reuse
from prefect_together.generations.results import GenerationTimeout
from prefect_together.ledger.leases import release
from prefect_together.ledger.ledger import Ledger
from prefect_together.storage.storage import Storage

Waiting = Literal["poll", "suspend"]
"""Whether a process waits for a job, or the flow run is suspended until it is over."""

CALM = 1.0
"""Seconds without a new call after which all calls of a flow run count as begun."""
BACKSTOP = 24 * 3600
"""Seconds beyond the time that a run may wait after which Prefect fails it: no sweep came by."""
_T = TypeVar("_T")


async def or_suspended(context: RunContext, timeout: float, wait: Waiting, work: Callable[[float], Awaitable[_T]]) -> _T:
    """Return what work returns within its time; with ``wait="suspend"`` it asks once, and the run is suspended meanwhile.

    Args:
        context: Whose library and log.
        timeout: Seconds that may be waited: with ``"suspend"`` from when this run first waited for it.
        wait: How to wait.
        work: Is given the seconds that it may wait, and raises ``GenerationTimeout`` after them.

    Raises:
        Signal: The run is suspended; it carries Prefect's ``Pause``.
        GenerationTimeout: The time is up.
        ConfigurationError: This is no run that can be suspended. Nothing is sent.
    """
    if wait == "poll":
        return await work(timeout)
    here = _suspension(_suspendable(), context)
    with here.at_work():
        try:
            return await work(0.0)
        except GenerationTimeout as error:
            late = error
    await here.suspended(late, timeout)
    return await work(timeout)  # it could not be: it is waited for here, as ever


def check_suspendable(wait: Waiting, reuse: Reuse = "auto") -> None:
    """Refuse to begin what could not be suspended.

    Raises:
        InvalidRequest: The run would not find what it paid for before it was suspended.
        ConfigurationError: This is no run of a deployment.
    """
    if wait == "suspend":
        if reuse == "never":
            what = 'reuse="never" pays in each call, and a run that was suspended makes its calls again'
            raise InvalidRequest(f'{what}: give the request another take=, or leave out wait="suspend".')
        _suspendable()


def _suspendable() -> FlowRun:
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    why = "outside of flow runs there is none" if run is None else ""
    if run and run.parent_task_run_id:
        why = "this is a subflow's, which cannot be"
    elif run and not run.deployment_id:
        why = "this run has no deployment"
    if run is None or why:
        how = 'deploy the flow, as flows/serve.py does, or leave out wait="suspend"'
        raise ConfigurationError(f'wait="suspend" suspends the run of a deployment, and {why}: {how}.', paid="nothing")
    return run


class _Suspension:
    """What one flow run waits for in this process, until it is suspended."""

    def __init__(self, run: FlowRun, storage: Storage, log: Log) -> None:
        self._run = run
        self._storage = storage
        self._log = log
        self._busy = 0
        self._last = time.monotonic()
        self._open: dict[str, float] = {}
        self._before: asyncio.Task[Wait | None] | None = None
        self._ending: asyncio.Task[State[Any] | None] | None = None

    @contextmanager
    def at_work(self) -> Generator[None, None, None]:
        """Keep the run from being suspended during the block."""
        self._busy, self._last = self._busy + 1, time.monotonic()
        try:
            yield
        finally:
            self._busy, self._last = self._busy - 1, time.monotonic()

    async def suspended(self, late: GenerationTimeout, timeout: float) -> None:
        """Have the run suspended until what still runs is over; return where it cannot be.

        Raises:
            Signal: It is suspended.
            GenerationTimeout: The run has waited as long as it may.
        """
        from prefect_together.engine.recovery import attempt_named  # few runs are suspended

        for one in late.waits_for:
            if one.count("/") == 2:  # a job stays this run's, or another one that wants the same would take it over
                await release(Ledger(self._storage), attempt_named(one), handed_out=True)
        if self._before is None:
            self._before = asyncio.create_task(read_wait(self._storage, str(self._run.id)))
        before = await asyncio.shield(self._before)
        now = datetime.now(timezone.utc)
        since = before.since if before else {}
        left = {one: timeout - (now - since.get(one, now)).total_seconds() for one in late.waits_for}
        if over := tuple(one for one, seconds in left.items() if seconds <= 0):
            what = f"What this run waits for still runs after the {timeout:,.0f} s that were to be waited."
            raise GenerationTimeout(what, advice=late.advice, job=late.job, waits_for=over)
        self._open |= left
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(before))
        state = await asyncio.shield(self._ending)
        if state is not None:
            if context := TaskRunContext.get():
                message = "Its job runs at Together. The run is suspended, and does this task again when the job is over."
                end_task_run(context, State(type=StateType.CANCELLED, name="Suspended", message=message))
            raise Signal(Pause(state=state))

    async def _end(self, before: Wait | None) -> State[Any] | None:
        """Suspend the run once all calls have begun; return its state, or None where it cannot be suspended."""
        from prefect.artifacts import ProgressArtifact

        from prefect_together.ui.artifacts import publish

        while self._busy or time.monotonic() - self._last < CALM:
            await asyncio.sleep(0.1)
        # The same in all processes of this pass: the sweep resumes a run only by the pause that is written down.
        key = f"prefect-together-{self._run.state.id if self._run.state else uuid.uuid4()}"
        now, count = datetime.now(timezone.utc), len(self._open)
        said = f"0 of {count:,} job(s) are over. The run is suspended and goes on when all are."
        shown = await publish(ProgressArtifact(key="waiting", progress=0.0, description=said))
        since = {**dict.fromkeys(self._open, now), **(before.since if before else {})}
        longest, first = max(self._open.values()), min(self._open.values())
        wait = Wait(
            run=str(self._run.id), pause=key, since=since, open=list(self._open),
            until=now + timedelta(seconds=first), progress=str(shown) if shown else None,
        )  # fmt: skip
        try:
            wait = wait.beside(await read_wait(self._storage, wait.run))
            await wait.write(self._storage)
            state = await suspend(self._run.id, key=key, seconds=int(longest + BACKSTOP))
        except Exception as error:  # whatever Prefect raises, what is paid for is waited for
            self._log.warning("This run cannot be suspended, so this process waits: %s: %s", type(error).__name__, error)
            return None
        self._log.info("Suspended: %s", said)
        await self._look_for_a_sweep()
        return state

    async def _look_for_a_sweep(self) -> None:
        """Say how a sweep is deployed, where there is none."""
        try:
            async with get_client() as client:
                found = await client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[SWEEP])), limit=1)
        except Exception:  # a hint must not fail what it hints at
            return
        if not found:
            self._log.warning(
                "Nobody will resume this run: flows/sweep.py is not deployed. `python flows/serve.py` serves it, "
                "`prefect deploy --name sweep` deploys it; a person can resume the run in Prefect's UI, too."
            )


_suspensions: dict[tuple[object, ...], _Suspension] = {}


def _suspension(run: FlowRun, context: RunContext) -> _Suspension:
    """Return what a pass of a flow run waits for; the next pass, which has another state, waits anew."""
    name = (run.id, run.state and run.state.id, context.storage.url)
    return _suspensions.setdefault(name, _Suspension(run, context.storage, context.run.log))
