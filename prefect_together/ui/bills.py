"""A bill beside the ledger as Prefect shows it: a table, and an event where the two differ. Adds nothing up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.artifacts import TableArtifact

from prefect_together.blocks.settings import current_settings
from prefect_together.engine.bill import HEADINGS, Bill, last_billed_month
from prefect_together.storage.storage import Storage
from prefect_together.ui.artifacts import publish, wanted
from prefect_together.ui.events import emit_differs

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient


async def compared(storage: Storage, client: TogetherClient) -> Bill:
    """Return the bill of the last month with a billed day beside the ledger, shown in the run that asks for it.

    Raises:
        TogetherError: The bill cannot be had, or the ledger not be read.
    """
    from prefect_together.engine.billing import bill

    found = await bill(storage, client, last_billed_month())
    limit = current_settings().bill_alert
    if limit is not None and abs(found.difference) > limit:
        emit_differs(found, limit=limit, environment=client.environment)
    if wanted():
        table: list[dict[str, Any]] = [dict(zip(HEADINGS, row, strict=True)) for row in found.rows()]
        about = "\n\n".join(found.remarks())
        await publish(TableArtifact(key=f"bill-{found.month}", table=table, description=about))
    return found
