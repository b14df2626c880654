"""Events ``prefect-together.*`` for automations. They carry no prompt unless asked, and never fail a task."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event
from prefect.logging.loggers import get_logger

from prefect_together.happenings import Happening
from prefect_together.settings import current_settings
from prefect_together.spending import Spent

if TYPE_CHECKING:
    from prefect_together.batch.outcomes import BatchResult

PREFIX = "prefect-together.generation."
BATCH = "prefect-together.batch.ended"
EXCEEDED = "prefect-together.spending.exceeded"


def emit(happening: Happening) -> None:
    """Put an event into Prefect's queue, where there is a run that it belongs to; sending it is the queue's business."""
    if happening.what == "waiting" or (FlowRunContext.get() is None and TaskRunContext.get() is None):
        return
    request, name = happening.request, identity(happening)
    emit_event(
        PREFIX + happening.what,
        resource={
            "prefect.resource.id": f"prefect-together.generation.{name}",
            "prefect.resource.name": f"{request.kind} by {request.model}",
            "prefect-together.kind": request.kind,
            "prefect-together.model": request.model,
        },
        payload=payload(happening, prompt=current_settings().trace_prompts),
    )


def emit_batch(result: BatchResult) -> None:
    """Put the event into Prefect's queue that a batch has ended, where there is a run that it belongs to."""
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    name = result.name or "unnamed"
    found = {"name": result.name, "manifest": result.manifest, "seconds": round(result.seconds, 1), **result.counts}
    found |= {"cost": _money(result.cost), "estimated_cost": _money(result.estimated_cost)}
    found |= {"unknown_costs": result.unknown_costs, "maybe_paid": result.maybe_paid}
    try:
        emit_event(
            BATCH,
            resource={"prefect.resource.id": f"prefect-together.batch.{name}", "prefect.resource.name": f"Batch {name}"},
            payload={key: value for key, value in found.items() if value is not None},
        )
    except Exception as error:  # decoration: whatever it raises, the batch is done
        get_logger("together").debug("Nobody heard that the batch has ended: %s: %s", type(error).__name__, error)


def emit_exceeded(day: str, spent: Spent, *, limit: Decimal, realm: str) -> None:
    """Put the event into Prefect's queue that more than a limit has been spent in a day."""
    emit_event(
        EXCEEDED,
        resource={
            "prefect.resource.id": f"prefect-together.spending.{realm}.{day}",
            "prefect.resource.name": f"Spent on {day}",
            "prefect-together.realm": realm,
        },
        payload={
            "day": day,
            "limit": _money(limit),
            "spent": _money(spent.usd),
            "reported": _money(spent.reported),
            "estimated": _money(spent.estimated),
            "unknown": spent.unknown,
        },
    )


def payload(happening: Happening, *, prompt: bool) -> dict[str, Any]:
    """Return what an event says: money as text, USD, and left out where it is not known."""
    media, error = happening.media, happening.error
    found: dict[str, Any] = {"kind": happening.request.kind, "model": happening.request.model, "job_id": happening.job_id}
    found["seconds"] = None if happening.seconds is None else round(happening.seconds, 1)
    if media is not None:
        found |= {"uri": media.uri, "sha256": media.sha256, "size": media.size, "media_type": media.media_type}
        found |= {"cost": _money(media.cost), "estimated_cost": _money(media.estimated_cost), "reused": media.reused}
        found |= {"fingerprint": media.fingerprint}
    if error is not None:
        # The class and what was paid, not the words: a refusal may repeat the prompt.
        found |= {"error": type(error).__name__, "paid": error.paid, "retryable": error.retryable}
    if prompt:
        found["prompt"] = happening.request.title()
    return {name: value for name, value in found.items() if value is not None}


def identity(happening: Happening) -> str:
    """Return what the generation is called: its place in the ledger, its job, or its model."""
    if happening.media is not None:
        return happening.media.fingerprint[:16]
    return happening.job_id or happening.request.model


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"
