"""Writes the pages of the reference that come from the code: settings, errors, events. It makes no pictures.

python docs/generate.py      after a setting, an error or an event was changed; the tests say when that is due
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from unittest import mock

from pydantic_core import PydanticUndefined

from prefect_together import GeneratedImage, ImageRequest, errors
from prefect_together.batch.results import BatchResult
from prefect_together.blocks.settings import TogetherSettings
from prefect_together.engine.bill import Bill
from prefect_together.engine.daily_spend import SpendTotals
from prefect_together.engine.lifecycle_events import LifecycleEvent, What
from prefect_together.tasks import _batch_summary as summary
from prefect_together.ui import events

REFERENCE = Path(__file__).parent / "reference"
WHEN: dict[str, str] = {
    "accepted": "Together took a request, so it is paid for",
    "kept": "the result is in the library",
    "reused": "a result was returned that was paid for before this call",
    "failed": "it was refused, or the job failed",
    "unknown": "it was sent and no usable answer came: somebody has to decide",
}
"""When a generation emits which event; there is one for each happening but waiting."""


def main() -> None:
    """Write all pages."""
    for name, page in pages().items():
        (REFERENCE / name).write_text(page, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return each page by the name of its file."""
    return {"settings.md": settings_page(), "errors.md": errors_page(), "events.md": events_page()}


def settings_page() -> str:
    """Return the table of settings, with their defaults and descriptions."""
    rows = [
        f"| `{name.upper()}` | {_default(field.default)} | {_cell(field.description or '')} |"
        for name, field in TogetherSettings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "All are `PREFECT_INTEGRATIONS_TOGETHER_*`, from the environment, a `.env`, `prefect.toml` or a Prefect profile.",
            "",
            "| setting | default | what it says |",
            "|---|---|---|",
            *rows,
            "",
            "`TOGETHER_API_KEY` and `TOGETHER_BASE_URL` are used where no `TogetherCredentials` are given. The key goes to that",
            "origin only. `TOGETHER_TRACEBACKS=1` shows whole tracebacks.",
            "",
        ]
    )


def errors_page() -> str:
    """Return the tree of errors, and each from its docstring."""
    tree = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\n``retryable``")[0]
    lines = [
        "# Errors",
        "",
        "Every error that this package raises on purpose is a `TogetherError`; `from prefect_together.errors import …` has them",
        "all. [Troubleshooting](../troubleshooting.md) says what to do about them.",
        "",
        "```text",
        *(line.removeprefix("    ") for line in tree.splitlines()),
        "```",
        "",
        "`retryable` is true only where trying again cannot pay again, and is what the tasks' `retry_condition_fn` reads.",
        "Every error pickles.",
        "",
    ]
    for name in _error_names():
        cls = getattr(errors, name)
        face = name in import_module("prefect_together").__all__
        lines += [f"::: {'prefect_together' if face else 'prefect_together.errors'}.{cls.__name__}", ""]
    return "\n".join(lines)


def events_page() -> str:
    """Return the table of events: when each is emitted, its resource, and what it carries."""
    lines = [
        "# Events",
        "",
        "What automations can hear, see [Schedules and automations](../how-to/schedules.md). Money is text in USD, so that nothing is",
        "lost in a float, and left out where it is not known.",
        "",
        "| event | when |",
        "|---|---|",
        *(f"| `{events.PREFIX}{what}` | {WHEN[what]} |" for what in get_args(What) if what != "waiting"),
        f"| `{summary.ENDED}` | a batch is over |",
        f"| `{events.EXCEEDED}` | once a day (UTC), library and limit: all runs together spent more than the setting `DAILY_ALERT` |",
        f"| `{events.DIFFERS}` | `reconcile(bill=True)` found that bill and ledger differ by more than the setting `BILL_ALERT` |",
        "",
    ]
    for title, emitted in _samples():
        event, resource, payload = emitted
        lines += [f"## {title}", "", f"For example `{event}`:", "", "| field | for example |", "|---|---|"]
        lines += [f"| resource `{name}` | `{value}` |" for name, value in resource.items()]
        lines += [f"| `{name}` | `{value}` |" for name, value in payload.items()]
        lines.append("")
    lines += [
        "A generation that fails or is unknown carries `error` (the class), `paid` and `retryable` instead of a file: never the words,",
        "which may repeat the prompt. With the setting `TRACE_PROMPTS` there is `prompt` too. Of a batch's requests, only those are",
        "events of their own that need somebody: `failed` and `unknown`.",
        "",
    ]
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _error_names() -> list[str]:
    """Return the names of all errors, in the order of the tree."""
    tree = (errors.__doc__ or "").partition("::\n\n")[2]
    words = [line.strip(" │├└─").partition(" ")[0] for line in tree.splitlines()]
    return [word for word in words if word.isidentifier() and isinstance(getattr(errors, word, None), type)]


Emitted = tuple[str, dict[str, str], dict[str, Any]]


def _samples() -> Iterator[tuple[str, Emitted]]:
    """Yield what is emitted, by the code that emits it."""
    still = ImageRequest(prompt="a red fox", model="black-forest-labs/FLUX.2-pro", seed=7)
    kept = GeneratedImage.model_construct(
        uri="s3://films/2026/images/4f/4f0c….png", sha256="4f0c…", size=98304, media_type="image/png", request=still,
        fingerprint="06f1e0111215a5b1…", cost=None, estimated_cost=Decimal("0.03"), reused=False,
        created_at=datetime(2026, 11, 1, tzinfo=timezone.utc),
    )  # fmt: skip
    yield "Of a generation", _heard(lambda: events.emit(LifecycleEvent("kept", still, seconds=2.4, result=kept)))
    batch = mock.Mock(spec=BatchResult)
    batch.configure_mock(
        name="catalogue", manifest="s3://films/2026/batches/catalogue/….jsonl", seconds=31.0,
        counts={"kept": 98, "reused": 0, "refused": 1, "failed": 1, "unknown": 0},
        cost=None, estimated_cost=Decimal("2.94"), unknown_costs=0, maybe_paid=Decimal(0),
    )  # fmt: skip
    yield "Of a batch", _heard(lambda: summary.emit_batch(batch))
    spent = SpendTotals(reported=Decimal("31.5"), estimated=Decimal("19.2"), unknown=1)
    day = lambda: events.emit_exceeded("2026-11-01", spent, limit=Decimal(50), environment="together")  # noqa: E731
    yield "Of a day's spending", _heard(day)
    bill = mock.Mock(spec=Bill)
    bill.configure_mock(
        month="2026-11", billed=Decimal("812.4"), reported=Decimal("640.1"), estimated=Decimal("150.2"),
        difference=Decimal("22.1"), lines=(),
    )  # fmt: skip
    yield "Of a bill", _heard(lambda: events.emit_differs(bill, limit=Decimal(10), environment="together"))


def _heard(emit: Callable[[], None]) -> Emitted:
    with _listening() as heard:
        emit()
    (emitted,) = heard
    return emitted


@contextmanager
def _listening() -> Iterator[list[Emitted]]:
    """Hear what is emitted, as within a flow run."""
    heard: list[Emitted] = []

    def hear(event: str, *, resource: dict[str, str], payload: dict[str, Any]) -> None:
        heard.append((event, resource, payload))

    run = mock.Mock(get=lambda: "a flow run")
    with (
        mock.patch.object(events, "emit_event", hear),
        mock.patch.object(summary, "emit_event", hear),
        mock.patch.object(events, "FlowRunContext", run),
        mock.patch.object(summary, "FlowRunContext", run),
    ):
        yield heard


if __name__ == "__main__":
    main()
