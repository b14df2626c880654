"""Events ``prefect-together.*`` for automations. They carry no prompt unless asked, and never fail a task."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event

from prefect_together.blocks.settings import current_settings
from prefect_together.engine.bill import Bill
from prefect_together.engine.daily_spend import SpendTotals
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.generations.kept_file import KeptFile

PREFIX = "prefect-together.generation."
EXCEEDED = "prefect-together.spending.exceeded"
DIFFERS = "prefect-together.bill.differs"


def emit(event: LifecycleEvent) -> None:
    """Put an event into Prefect's queue, where there is a run that it belongs to; sending it is the queue's business."""
    if event.what == "waiting" or (FlowRunContext.get() is None and TaskRunContext.get() is None):
        return
    request, name = event.request, identity(event)
    emit_event(
        PREFIX + event.what,
        resource={
            "prefect.resource.id": f"prefect-together.generation.{name}",
            "prefect.resource.name": f"{request.kind} by {request.model}",
            "prefect-together.kind": request.kind,
            "prefect-together.model": request.model,
        },
        payload=payload(event, prompt=current_settings().trace_prompts),
    )


def emit_exceeded(day: str, spent: SpendTotals, *, limit: Decimal, environment: str) -> None:
    """Put the event into Prefect's queue that more than a limit has been spent in a day."""
    emit_event(
        EXCEEDED,
        resource={
            "prefect.resource.id": f"prefect-together.spending.{environment}.{day}",
            "prefect.resource.name": f"Spent on {day}",
            "prefect-together.realm": environment,
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


def emit_differs(bill: Bill, *, limit: Decimal, environment: str) -> None:
    """Put the event into Prefect's queue that a bill and the ledger differ by more than a limit."""
    emit_event(
        DIFFERS,
        resource={
            "prefect.resource.id": f"prefect-together.bill.{environment}.{bill.month}",
            "prefect.resource.name": f"Bill of {bill.month}",
            "prefect-together.realm": environment,
        },
        payload={
            "month": bill.month,
            "limit": money_text(limit),
            "billed": money_text(bill.billed),
            "reported": money_text(bill.reported),
            "estimated": money_text(bill.estimated),
            "difference": money_text(bill.difference),
            "unknown": sum(line.unknown for line in bill.lines),
        },
    )


def payload(event: LifecycleEvent, *, prompt: bool) -> dict[str, Any]:
    """Return what an event says: money as text, USD, and left out where it is not known."""
    result, error = event.result, event.error
    found: dict[str, Any] = {"kind": event.request.kind, "model": event.request.model, "job_id": event.job_id}
    found["seconds"] = None if event.seconds is None else round(event.seconds, 1)
    if isinstance(result, KeptFile):
        found |= {"uri": result.uri, "sha256": result.sha256, "size": result.size, "media_type": result.media_type}
    if result is not None:
        found |= {"cost": money_text(result.cost), "estimated_cost": money_text(result.estimated_cost)}
        found |= {"reused": result.reused, "fingerprint": result.fingerprint}
    if error is not None:
        # The class and what was paid, not the words: a refusal may repeat the prompt.
        found |= {"error": type(error).__name__, "paid": error.paid, "retryable": error.retryable}
    if prompt:
        found["prompt"] = event.request.title()
    return {name: value for name, value in found.items() if value is not None}


def identity(event: LifecycleEvent) -> str:
    """Return what the generation is called: its place in the ledger, its job, or its model."""
    if event.result is not None:
        return event.result.fingerprint[:16]
    return event.job_id or event.request.model


def money_text(amount: Decimal | None) -> str | None:
    """Return an amount as events have it: text, so that nothing is lost in a float; None is not known."""
    return None if amount is None else f"{amount.normalize():f}"
