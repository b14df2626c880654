"""The command that fetches what was paid for and never kept, and settles what nobody knows the outcome of."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from cyclopts import Group, Parameter
from cyclopts.validators import MutuallyExclusive

from prefect_together.cli.libraries import Library, account, opened
from prefect_together.cli.library_commands import Json
from prefect_together.cli.output import say, say_json
from prefect_together.cli.progress import progress
from prefect_together.cli.readers import Seconds

_LOG = logging.getLogger("prefect.together")
_DECISION = Group("Decisions", validator=MutuallyExclusive())


def reconcile(
    *,
    library: Library = None,
    wait: Seconds = 0.0,
    forget: Annotated[str | None, Parameter(group=_DECISION)] = None,
    resubmit: Annotated[str | None, Parameter(group=_DECISION)] = None,
    json: Json = False,
) -> None:
    """Fetch what was paid for and never kept, and list what nobody knows the outcome of.

    Args:
        wait: Wait so many seconds for each running job.
        forget: The key of an undecided attempt: note that it is settled; it may be sent again.
        resubmit: The key of an undecided attempt: send it again, which is paid for.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.engine import reconcile as engine

    storage = opened(library)

    async def work() -> tuple[str, dict[str, Any]]:
        if forget:
            key = (await engine.forget(storage, forget)).key
            return f"Settled: {key}. Its request may be sent again, and is then paid for.", {"settled": key}
        if resubmit:
            kept = await engine.resubmit(storage, account(), resubmit, log=_LOG)
            found = [file.model_dump(mode="json") for file in kept]
            return "\n".join(f"Kept: {file}" for file in kept), {"kept": found}
        report = await engine.reconcile(storage, account(), log=_LOG, wait=wait, progress=shown)
        return report.text(), report.model_dump(mode="json")

    with progress("Asking Together") as shown:
        text, values = run(work())
    if json:
        say_json(values)
    else:
        say(text)
