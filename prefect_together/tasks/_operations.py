"""What the tasks do: one coroutine per operation, for sync tasks and async twins alike; it runs on the background loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.tracing import span
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GenerationJob
from prefect_together.generations.spec import GenerationSpec
from prefect_together.tasks._checks import account, expect, one_of, seconds
from prefect_together.tasks._context import generation_context, run_logger
from prefect_together.tasks._suspension import Waiting, check_suspendable, or_suspended

if TYPE_CHECKING:
    from prefect_together.engine.reconciliation import Reconciliation

_Result = TypeVar("_Result", bound=Generated)
_Job = TypeVar("_Job", bound=GenerationJob)


@dataclass(frozen=True)
class Arguments:
    """What a task was called with."""

    task: str
    request: Request
    credentials: TogetherCredentials | None = None
    library: AnyLibrary | None = None
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    timeout: float | None = None
    wait: Waiting = "poll"

    async def context(self, kind: type[Request]) -> GenerationContext:
        """Return what the request is made with.

        Raises:
            InvalidRequest: It is no request of the kind that the task takes.
        """
        if self.timeout is not None:
            seconds("timeout", self.timeout)
        one_of("wait", self.wait, Waiting)
        check_suspendable(self.wait, self.reuse)
        return await generation_context(
            expect(self.request, kind, self.task),
            credentials=self.credentials,
            library=self.library,
            reuse=self.reuse,
            on_unknown=self.on_unknown,
        )


async def generated(arguments: Arguments, spec: GenerationSpec[Any, _Result]) -> list[_Result]:
    """Make what a request of one type asks for, and show it.

    Raises:
        TogetherError: What ``generate`` raises, and the problem of a result that was paid for and is not what was asked for.
    """
    from prefect_together.engine.lifecycle import generate, problem_of  # imports the HTTP client, which is slow
    from prefect_together.ui.artifacts import show

    context = await arguments.context(spec.request)
    with span(context.request, prompt=current_settings().trace_prompts) as note:
        if arguments.wait == "poll":
            note.results = results = await generate(context, timeout=arguments.timeout)
        else:
            in_time = arguments.timeout or 0.0
            note.results = results = await or_suspended(
                context, in_time, "suspend", lambda left: generate(context, timeout=left)
            )
    await show(cast("Any", results))
    if problem := problem_of(context, results[-1]):
        raise problem
    return cast("list[_Result]", results)


async def submitted(arguments: Arguments, spec: GenerationSpec[Any, Any], kind: type[_Job]) -> _Job:
    """Submit a request and return its job."""
    from prefect_together.engine.lifecycle import submit  # imports the HTTP client, which is slow

    return expect(await submit(await arguments.context(spec.request)), kind, arguments.task)


async def waited_for(arguments: Arguments, spec: GenerationSpec[Any, _Result], job: GenerationJob) -> list[_Result]:
    """Wait for a job, and show what it made."""
    from prefect_together.engine.lifecycle import wait  # imports the HTTP client, which is slow
    from prefect_together.ui.artifacts import show

    context = await arguments.context(spec.request)
    with span(context.request, prompt=current_settings().trace_prompts) as note:
        in_time, how = arguments.timeout or 0.0, arguments.wait
        note.results = results = await or_suspended(context, in_time, how, lambda left: wait(context, job, timeout=left))
    await show(cast("Any", results))
    return cast("list[_Result]", results)


async def reconciled(
    credentials: TogetherCredentials | None, library: AnyLibrary | None, wait: float, *, bill: bool
) -> Reconciliation:
    """Reconcile a library, hold the bill beside its ledger where that is asked for, and show what came of it."""
    from prefect_together.engine.reconcile import reconcile
    from prefect_together.ui.artifacts import show
    from prefect_together.ui.bills import compared

    seconds("wait", wait)
    client, storage = account(credentials).get_client(), await storage_of(library)
    report = await reconcile(storage, client, log=run_logger(), policy=current_settings().policy(), wait=wait)
    if bill:
        report.bill = await compared(storage, client)
    run_logger().info("%s", report.text())
    await show(cast("Any", report.kept))
    return report
