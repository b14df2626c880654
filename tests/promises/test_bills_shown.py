"""Where a bill is shown: the report of a flow, its event and automation, and the command."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.events import Resource

from prefect_together import Reconciliation, reconcile
from prefect_together.automations import when_bill_differs
from prefect_together.cli.main import main
from prefect_together.errors import BadRequest, ConfigurationError
from prefect_together.sandbox import Sandbox

from .asking import shown
from .spending import FLUX, LLAMA, billed, spend, this_month

USAGE = "GET /v1/billing/usage"


def test_the_report_of_a_flow_has_the_bill(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """`reconcile(bill=True)` returns it, shows it as a table, and emits one event where the difference passes the amount."""
    spend()
    other = {"model": FLUX, "prompt": "a moon", "width": 64, "height": 64}
    key = {"Authorization": "Bearer other"}
    httpx.post(f"{together_sandbox.url}/v1/images/generations", json=other, headers=key).raise_for_status()
    heard = list[tuple[str, dict[str, Any]]]()

    def hear(event: str, *, resource: dict[str, str], payload: dict[str, Any]) -> None:
        if ".bill." in event:
            heard.append((resource["prefect.resource.id"], payload))

    monkeypatch.setattr("prefect_together.ui.events.emit_event", hear)
    monkeypatch.setattr("prefect_together.ui.bills.last_billed_month", this_month)

    @flow
    def nightly(bill: bool) -> Reconciliation:
        return reconcile(bill=bill)

    assert nightly(bill=False).bill is None
    assert [] == heard
    for limit, events in (("0.5", 0), ("0.01", 1)):
        monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_BILL_ALERT", limit)
        report = nightly(bill=True)
        assert events == len(heard)
    assert report.bill is not None
    assert report.bill == Reconciliation.model_validate_json(report.model_dump_json()).bill
    resource, payload = heard[0]
    trigger: Any = when_bill_differs(notify=UUID(int=1)).trigger
    assert trigger.match.matches(Resource({"prefect.resource.id": resource}))
    assert {"prefect-together.bill.differs"} == trigger.expect
    assert f"prefect-together.bill.loopback.{this_month()}" == resource
    assert str(report.bill.difference.normalize()) == payload["difference"]
    (table, *_) = shown(f"bill-{this_month()}")
    assert {FLUX, LLAMA} <= {row["model"] for row in json.loads(table.data)}
    assert "whole organisation" in table.description


def test_an_automation_that_does_nothing_is_refused() -> None:
    """`when_bill_differs` needs a deployment to run, or a block to notify with."""
    with pytest.raises(ConfigurationError, match="does nothing"):
        when_bill_differs()


def test_the_command_prints_the_bill(together_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A table whose columns stand below each other; as JSON the exact amounts, as text."""
    spend()
    assert 0 == main(["bill", "--month", this_month()])
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.startswith("when"))
    total = next(line for line in lines if line.startswith("in all"))
    assert len(head) == len(total)
    assert 0 == main(["bill", "--month", this_month(), "--granularity", "hour", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert str(sum(charge.usd or 0 for charge in together_sandbox.charges())) == found["billed"]
    assert {FLUX, LLAMA} == {line["model"] for line in found["lines"]}
    assert all({"reported", "estimated", "billed", "difference"} <= line.keys() for line in found["lines"])


def test_the_command_needs_a_key(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one it says so in one sentence, and exits with 1."""
    spend()
    monkeypatch.delenv("TOGETHER_API_KEY")
    assert 1 == main(["bill"])
    said = capsys.readouterr()
    assert ("", 1) == (said.out, len(said.err.splitlines()))
    assert "TOGETHER_API_KEY" in said.err


def test_trouble_is_one_sentence(together_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """What Together refuses is said, without a word of money that was not spent; the exit code is 1."""
    spend()
    together_sandbox.fault(USAGE, "400")
    with pytest.raises(BadRequest):
        billed()
    together_sandbox.fault(USAGE, "500")
    assert 1 == main(["bill"])
    said = capsys.readouterr().err
    assert 1 == len(said.splitlines())
    assert "paid" not in said
