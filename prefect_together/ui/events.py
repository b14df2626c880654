"""Events ``prefect-together.*`` for automations. They carry no prompt unless asked, and never fail a task."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event

from prefect_together.blocks.settings import current_settings
from prefect_together.engine.daily_spend import Spent
from prefect_together.engine.lifecycle_events import Happening

PREFIX = "prefect-together.generation."
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
            "limit": money_text(limit),
            "spent": money_text(spent.usd),
            "reported": money_text(spent.reported),
            "estimated": money_text(spent.estimated),
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
        found |= {"cost": money_text(media.cost), "estimated_cost": money_text(media.estimated_cost), "reused": media.reused}
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


def money_text(amount: Decimal | None) -> str | None:
    """Return an amount as events have it: text, so that nothing is lost in a float; None is not known."""
    return None if amount is None else f"{amount.normalize():f}"
