"""From a task's arguments to work on the background loop: who asks, with which key, into which library."""

from __future__ import annotations

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_run_logger
from prefect.logging.loggers import get_logger

from prefect_together._internal.logs import Log
from prefect_together._internal.restarts import first_of
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.context import GenerationContext, RunContext, RunInfo
from prefect_together.engine.lifecycle_events import Listener
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.generations.request import Request
from prefect_together.ledger.heartbeats import Topic, exchange
from prefect_together.tasks._checks import account, one_of
from prefect_together.tasks._flow_runs import outermost_flow_run
from prefect_together.ui.addresses import of_flow_run


async def run_context(
    *,
    credentials: TogetherCredentials | None,
    library: AnyLibrary | None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    sends: bool = True,
    alone: bool = True,
) -> RunContext:
    """Return what all requests of one task have in common. Runs on the background loop, in the context of the task.

    Args:
        credentials: The account that pays.
        library: Where results are kept.
        reuse: Whose results may be taken.
        on_unknown: What to do about an unknown outcome.
        sends: Whether anything may be sent; what is only looked at needs no key.
        alone: Whether a request is shown by itself; a batch shows what comes of all its requests together.

    Raises:
        ConfigurationError: There is no key and something may be sent, or an address or option is not understood.
    """
    from prefect_together.ui.listener import prefect_listener  # is needed where something is made

    settings = current_settings()
    credentials = account(credentials)
    one_of("reuse", reuse, Reuse)
    one_of("on_unknown", on_unknown, OnUnknown)
    storage = await storage_of(library)
    client = credentials.get_client() if sends else credentials.onlooker()
    if sends:
        exchange(storage, f"rate {client.account} {client.origin}", Topic(client.limiter.seen, client.limiter.heed))
    return RunContext(
        client=client,
        storage=storage,
        run=await _run_info(prefect_listener(storage, client.environment, settings.daily_alert, alone=alone)),
        policy=settings.policy(),
        reuse=reuse,
        on_unknown=on_unknown,
    )


async def generation_context(
    request: Request,
    *,
    credentials: TogetherCredentials | None,
    library: AnyLibrary | None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    sends: bool = True,
    alone: bool = True,
) -> GenerationContext:
    """Return what one request is made with; arguments and errors are those of ``run_context``."""
    common = await run_context(
        credentials=credentials, library=library, reuse=reuse, on_unknown=on_unknown, sends=sends, alone=alone
    )
    return common.of(request)


def run_logger() -> Log:
    """Return the logger of the run, or a plain one outside of runs."""
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return get_logger("together")
    return get_run_logger()


async def _run_info(listener: Listener) -> RunInfo:
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    run = flow.flow_run if flow else None
    own = str(run.id) if run else str(task.task_run.flow_run_id) if task and task.task_run.flow_run_id else None
    # A run that stands for one that died pays for nothing that the dead one paid for.
    outermost = first_of(str(run.id), run.idempotency_key) if run else own
    if own and not (run and run.parent_task_run_id is None):
        outermost = await outermost_flow_run(own)
    return RunInfo(
        log=run_logger(),
        flow_run=outermost,
        flow_run_name=run.name if run else None,
        flow_run_url=of_flow_run(outermost) if outermost else None,
        task_run=str(task.task_run.id) if task else None,
        listener=listener,
    )
