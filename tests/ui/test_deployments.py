"""Served flows: schedules fire, the form is good, a review suspends and pays nothing twice, an automation reacts."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import httpx
import pytest

from prefect_together import sandbox
from prefect_together.sandbox import Sandbox
from tests.serving import serving
from tests.waiting import until

from .conftest import Prefect, end, holds, see, send, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
TINY = {"video_model": "sandbox/tiny", "width": 128, "height": 96}


@pytest.fixture(scope="module")
def together() -> Iterator[Sandbox]:
    """Run a local Together that counts."""
    with sandbox.serve(render_seconds=0.2) as running:
        yield running


@pytest.fixture(scope="module")
def prefect(prefect: Prefect, together: Sandbox) -> Prefect:
    """Return the session's Prefect server for commands that know the local Together of this module."""
    return prefect.but(TOGETHER_BASE_URL=together.url, TOGETHER_API_KEY=together.api_key)


@pytest.fixture(scope="module")
def served(prefect: Prefect) -> Iterator[dict[str, str]]:
    """Serve the flows as the documentation says until a schedule has fired; yield the ids of their deployments by name."""
    process = prefect.start("flows/serve.py", "--every", "15")
    try:

        def deployments() -> dict[str, str]:
            found = {one["name"]: one["id"] for one in prefect.ask("deployments/filter", {"limit": 50})}
            return found if {"daily-picture", "nightly-reconcile", "storyboard"} <= set(found) else {}

        found = until("they are served", deployments, every=0.5)
        until("all are scheduled", lambda: _scheduled(prefect, found), every=0.5)
        prefect.pause(found.values())
        yield found
    finally:
        end(process)


@pytest.fixture
def remove(prefect: Prefect) -> Iterator[Callable[[str], None]]:
    """Let a test name the automations that shall be gone when it ends."""
    made: list[str] = []
    yield made.append
    for automation in made:
        prefect.ask(f"automations/{automation}", method="DELETE")


def _scheduled(prefect: Prefect, served: dict[str, str]) -> list[dict[str, Any]]:
    wanted = {"deployment_id": {"any_": [served["nightly-reconcile"]]}, "state": {"type": {"any_": ["COMPLETED"]}}}
    return prefect.runs(limit=1, flow_runs=wanted)


class Told(list[str]):
    """What a notification block has sent, and where it sends to."""

    address = ""


@pytest.fixture
def told() -> Iterator[Told]:
    """Listen to what is sent to a webhook on this machine."""
    heard = Told()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

    with serving(Hook) as address:
        heard.address = f"{address}/"
        yield heard


def test_a_schedule_fires(page: Page, prefect: Prefect, served: dict[str, str], ui: str) -> None:
    """A scheduled run starts by itself, completes, and is shown as such."""
    (run,) = _scheduled(prefect, served)
    assert run["auto_scheduled"]
    see(page, prefect, ui, f"deployments/deployment/{served['daily-picture']}")
    page.get_by_text("Every 15 seconds").first.wait_for()
    shoot(page, f"schedule-{ui}")


def test_the_form(page: Page, prefect: Prefect, served: dict[str, str], ui: str) -> None:
    """The form has a field with description and default for every parameter."""
    see(page, prefect, ui, f"deployments/deployment/{served['storyboard']}/run")
    for words in ("What the film is called.", "Whether a person approves the stills", "Width of the stills in pixels."):
        page.get_by_text(words).first.wait_for()
    model = page.get_by_text("video_model").or_(page.get_by_text("Video Model")).first
    model.wait_for()
    assert model.is_visible()
    page.wait_for_timeout(500)
    shoot(page, f"form-{ui}")


@pytest.mark.parametrize(
    ("label", "place", "wrong", "good", "field"),
    [("width", 3, "7", "1344", "width"), ("seconds", 1, "99", "6", "shots[1].seconds")],
    ids=["too-narrow", "too-long"],
)
def test_a_bad_value_typed_in_the_form_is_refused(
    page: Page, prefect: Prefect, served: dict[str, str], ui: str, label: str, place: int, wrong: str, good: str, field: str
) -> None:
    """The form names the field and no run exists; corrected, it starts one."""
    name = f"{label} {ui} {uuid.uuid4().hex[:8]}"
    see(page, prefect, ui, f"deployments/deployment/{served['storyboard']}/run")
    page.get_by_text("What the film is called.").first.wait_for()
    page.get_by_role("textbox").first.fill(name)
    box, button = page.locator("input[type=number]").nth(place), page.get_by_role("button", name="Submit")
    box.fill(wrong)
    if ui == "v2":  # the browser itself says it, at the field
        button.click()
        holds(page, "document.activeElement.type === 'number' && document.activeElement.validationMessage !== ''")
        assert label in box.evaluate("element => element.labels[0].innerText.toLowerCase()")
    else:
        send(page, button, "/create_flow_run")
        page.get_by_text(f"Validation failed for field '{field}'").first.wait_for()
    shoot(page, f"form-refused-{label}-{ui}")

    def begun() -> list[dict[str, Any]]:
        return prefect.runs(flow_runs={"name": {"any_": [name]}})

    assert [] == begun()
    box.fill(good)
    send(page, button, "/create_flow_run")
    (run,) = until("a run began", begun, every=0.5)
    prefect.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLED"}, "force": True})


def test_a_bad_value_is_refused_by_name(prefect: Prefect, served: dict[str, str]) -> None:
    """What no form can type is refused by the server, which names the field, before a run exists."""
    for name, wrong in (("width", 7), ("shots", [{"prompt": "x", "seconds": 99}]), ("continuity", "maybe")):
        with pytest.raises(HTTPError) as caught:
            prefect.ask(f"deployments/{served['storyboard']}/create_flow_run", {"parameters": {name: wrong}})
        assert name in caught.value.read().decode()


def test_a_suspended_review_pays_nothing_twice(prefect: Prefect, together: Sandbox, served: dict[str, str]) -> None:
    """The process ends while somebody decides; the flow starts again from its top, and only clips are paid for then."""
    before, asked_before = len(together.charges()), len(together.requests())
    parameters = {
        **TINY,
        "seed": None,
        "title": "Suspended",
        "shots": [{"prompt": f"shot {n}", "seconds": 1} for n in (1, 2)],
    }
    run = prefect.ask(
        f"deployments/{served['storyboard']}/create_flow_run", {"parameters": parameters, "name": "Suspended"}
    )["id"]

    def state() -> str:
        return prefect.ask(f"flow_runs/{run}")["state_name"]

    until("it is suspended", lambda: state() == "Suspended", every=0.5)
    charged = [charge for charge in together.charges()[before:] if "shot" in json.dumps(str(charge))]
    assert 2 == len(charged)

    def resumed() -> bool:  # the state comes first, and the form a moment later
        return prefect.ask(f"flow_runs/{run}/resume", {"run_input": {"drop": [1]}})["status"] == "ACCEPT"

    until("it is resumed", resumed, every=0.5)
    until("it is over", lambda: state() in {"Completed", "Failed", "Crashed"}, every=0.5)
    assert "Completed" == state()
    posted = [request for request in together.requests()[asked_before:] if request.method == "POST"]
    assert 2 == len([request for request in posted if "shot" in json.dumps(request.body)])


def test_an_automation_reacts_to_a_failure(prefect: Prefect, served: dict[str, str], remove: Callable[[str], None]) -> None:
    """`when_generation("failed", run_deployment=…)` runs the deployment when such an event comes in."""
    create = (
        "import json, sys, uuid; from prefect_together.automations import when_generation;"
        "given = dict(run_deployment=uuid.UUID(sys.argv[1]), parameters=json.loads(sys.argv[2]), model='m/fails');"
        "print(when_generation('failed', **given).create().id)"
    )
    title = f"By automation {uuid.uuid4().hex[:8]}"
    parameters = {**TINY, "title": title, "review": False, "shots": [{"prompt": "again", "seconds": 1}]}
    remove(prefect.run("-c", create, served["storyboard"], json.dumps(parameters)).split()[-1])

    def by_automation() -> bool:
        found = prefect.runs(limit=50, flow_runs={"deployment_id": {"any_": [served["storyboard"]]}})
        return any(run["parameters"].get("title") == title for run in found)

    assert not by_automation()
    until("the automation acts", lambda: _emit(prefect) or by_automation(), every=0.5)


def test_an_automation_reacts_to_what_is_spent(
    prefect: Prefect, served: dict[str, str], remove: Callable[[str], None], told: Told, tmp_path: Path
) -> None:
    """`when_spent(…)` runs the deployment and sends to the block, once, when flows together pass the day's limit."""
    spend = (
        "import sys; from prefect import flow; from prefect_together import ImageRequest, generate_image;"
        "ask = lambda seed: ImageRequest(prompt='spend', model='black-forest-labs/FLUX.2-pro', width=64, height=64, seed=seed);"
        "flow(lambda: generate_image(ask(int(sys.argv[1]))), name='spend')()"
    )
    name = uuid.uuid4().hex[:8]
    title = (
        f"{name}: more than "
        "${{ event.payload.limit }}: {{ event.payload.estimated }} and {{ event.payload.unknown }} unknown"
    )
    prefect = prefect.but(
        PREFECT_INTEGRATIONS_TOGETHER_DAILY_ALERT="0.05",
        PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=str(tmp_path / "spent"),
    )
    remove(_create(prefect, "when_spent", served, title, told))
    prefect.run("-c", spend, "1")
    assert ([], []) == (_titles(prefect, served, name), told)
    for seed in ("2", "3"):
        prefect.run("-c", spend, seed)
    until("it is told", lambda: _titles(prefect, served, name) and told, every=0.5)
    assert [f"{name}: more than $0.05: 0.06 and 0 unknown"] == _titles(prefect, served, name)
    for words in ("more than $0.05 spent", "about $0.06 by list price", "requests of unknown cost: 0"):
        assert words in told[0]
    assert 1 == len(told)


def test_an_automation_reacts_to_a_bill_that_differs(
    prefect: Prefect, together: Sandbox, served: dict[str, str], remove: Callable[[str], None], told: Told, tmp_path: Path
) -> None:
    """`when_bill_differs(…)` runs the deployment and sends to the block where `reconcile(bill=True)` finds over `BILL_ALERT`."""
    reconcile = (
        "import datetime as dt; from prefect import flow; from prefect_together import reconcile; from prefect_together.ui import bills;"
        "bills.last_billed_month = lambda: f'{dt.datetime.now(dt.timezone.utc):%Y-%m}';"  # not last month's on the first day
        "print(flow(lambda: reconcile(bill=True), name='nightly')().bill.difference)"
    )
    name = uuid.uuid4().hex[:8]
    title = f"{name}: {{{{ event.payload.month }}}} differs by {{{{ event.payload.difference }}}}, over {{{{ event.payload.limit }}}}"
    prefect = prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=str(tmp_path / "billed"))
    remove(_create(prefect, "when_bill_differs", served, title, told))
    asked = {"model": "black-forest-labs/FLUX.2-pro", "prompt": "a moon", "width": 64, "height": 64}
    with httpx.Client(headers={"Authorization": f"Bearer {together.api_key}"}) as somebody_else:
        somebody_else.post(f"{together.url}/v1/images/generations", json=asked).raise_for_status()
    prefect.but(PREFECT_INTEGRATIONS_TOGETHER_BILL_ALERT="1000").run("-c", reconcile)
    difference = prefect.but(PREFECT_INTEGRATIONS_TOGETHER_BILL_ALERT="0.01").run("-c", reconcile).split()[-1]
    until("it is told", lambda: _titles(prefect, served, name) and told, every=0.5)
    month = f"{dt.datetime.now(dt.timezone.utc):%Y-%m}"
    (title,) = _titles(prefect, served, name)
    said = re.fullmatch(rf"{name}: {month} differs by ([\d.]+), over 0\.01", title)
    assert said, title
    assert float(difference) == float(said[1])  # the payload is JSON, in which 0.80 is 0.8
    assert f"the bill of {month} differs from the ledger by ${float(difference):.2f}" in told[0]
    assert f"${float(difference):.2f} billed, $0.00 reported" in told[0]
    assert 1 == len(told)


def _create(prefect: Prefect, what: str, served: dict[str, str], title: str, told: Told) -> str:
    """Put an automation in place that runs a deployment with a title and tells somebody; return its id."""
    create = (
        "import json, sys, uuid; from prefect.blocks.notifications import CustomWebhookNotificationBlock as Hook;"
        "from prefect_together import automations;"
        "hook = Hook(name='here', url=sys.argv[4], json_data={'text': '{{subject}}: {{body}}'}).save('here', overwrite=True);"
        "given = dict(run_deployment=uuid.UUID(sys.argv[2]), parameters=json.loads(sys.argv[3]), notify=hook);"
        "print(getattr(automations, sys.argv[1])(**given).create().id)"
    )
    parameters = {**TINY, "title": title, "review": False, "shots": [{"prompt": "again", "seconds": 1}]}
    return prefect.run("-c", create, what, served["storyboard"], json.dumps(parameters), told.address).split()[-1]


def _titles(prefect: Prefect, served: dict[str, str], name: str) -> list[str]:
    """Return the titles of the storyboards that begin with a name."""
    found = prefect.runs(limit=50, flow_runs={"deployment_id": {"any_": [served["storyboard"]]}})
    return [title for run in found if (title := str(run["parameters"].get("title"))).startswith(name)]


def _emit(prefect: Prefect) -> None:
    resource = {
        "prefect.resource.id": f"prefect-together.generation.{uuid.uuid4().hex}",
        "prefect-together.model": "m/fails",
    }
    now = dt.datetime.now(dt.timezone.utc).isoformat()
    event = {"id": str(uuid.uuid4()), "occurred": now, "event": "prefect-together.generation.failed", "resource": resource}
    prefect.ask("events", [{**event, "payload": {"model": "m/fails"}, "related": []}])
