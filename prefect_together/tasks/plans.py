"""``plan``: what a batch would do and cost, for sync and async callers. No task: it sends nothing and needs no retries."""

from __future__ import annotations

from prefect_together.ask import OnUnknown, Reuse
from prefect_together.batch.plans import Plan
from prefect_together.credentials import TogetherCredentials
from prefect_together.library import MediaLibrary
from prefect_together.runtime import arun, run
from prefect_together.settings import current_settings
from prefect_together.summaries import show_plan
from prefect_together.tasks.many import BatchArguments, Money, Requests, usd


def plan(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: MediaLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    name: str | None = None,
) -> Plan:
    """Return what ``generate_batch`` would do with these arguments, and what it would cost.

    Nothing is sent, and no key is needed. In a flow or task it goes to the log too, and into a markdown artifact.

    Example:
        ```python
        from prefect_together import plan, requests_from_table

        table = requests_from_table("products.csv", constants={"model": "black-forest-labs/FLUX.2-pro", "seed": 7})
        print(plan(table))
        ```

    Args:
        requests: A table of ``requests_from_table``, or requests of any kinds.
        credentials: The account that would pay; by default the one of ``TOGETHER_API_KEY``.
        library: Where the files would be kept; by default as for ``generate_image``.
        reuse: Whose results would be taken, see ``generate_image``.
        on_unknown: As for ``generate_batch``.
        max_cost: The most that the batch could spend, in USD.
        name: The name of the batch, where it has one.

    Raises:
        ConfigurationError: An address is not understood.
    """
    return run(_plan(BatchArguments(requests, credentials, library, reuse, on_unknown, name=name), max_cost))


async def aplan(
    requests: Requests,
    *,
    credentials: TogetherCredentials | None = None,
    library: MediaLibrary | None = None,
    reuse: Reuse = "auto",
    on_unknown: OnUnknown = "auto",
    max_cost: Money | None = None,
    name: str | None = None,
) -> Plan:
    """Return what a batch would do: ``plan`` for async callers."""
    return await arun(_plan(BatchArguments(requests, credentials, library, reuse, on_unknown, name=name), max_cost))


async def _plan(arguments: BatchArguments, max_cost: Money | None) -> Plan:
    from prefect_together.batch.planning import Planner  # imports the HTTP client, which is slow

    arguments.check()
    template = await arguments.template(sends=False)
    most = None if max_cost is None else usd(max_cost)
    planner = Planner(template, worst_case=current_settings().worst_case, max_cost=most)
    found = await planner.plan(arguments.rows())
    template.caller.log.info("Plan: %s", found)
    await show_plan(found)
    return found
