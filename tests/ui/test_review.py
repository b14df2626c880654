"""Approval in the browser: the paused run shows its pictures, takes decisions, refuses nonsense, and goes on as decided."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import until

from .conftest import Prefect, holds, see, send, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def test_a_person_decides_in_the_browser(page: Page, prefect: Prefect, ui: str) -> None:
    """The dialog shows the pictures and refuses nonsense; what is dropped there gets no clip, and the film is made."""
    name = f"Review {ui} {uuid.uuid4().hex[:8]}"
    seed = "31" if ui == "v2" else "32"
    flow = prefect.start(
        "flows/storyboard.py", "--sandbox", "--seed", seed, "--video-model", "sandbox/tiny", "--title", name
    )
    try:
        run = until("it asks", lambda: _paused(prefect, name), every=0.5)["id"]
        dialog = _dialog(page, prefect, ui, run)
        dialog.get_by_text("3 pictures to decide on.").wait_for()
        _drawn(page, 3)
        shoot(page, f"review-{ui}")

        dialog.locator("textarea").fill("closer, " * 501)
        _send(page, dialog, ui)
        page.get_by_text("Validation failed for field 'notes'").first.wait_for()
        assert _paused(prefect, name)
        shoot(page, f"review-refused-{ui}")

        dialog.locator("textarea").fill("2: closer")
        _choose(page, dialog, ui, "Drop", "2")
        _choose(page, dialog, ui, "Redo", "2")
        _send(page, dialog, ui)
        until("it asks again", lambda: _keyset(prefect, run).endswith("again-1-schema"), every=0.5)
        dialog = _dialog(page, prefect, ui, run)
        dialog.get_by_text("Please correct this: picture 2 cannot be both dropped and made again.").wait_for()
        assert "2: closer" == dialog.locator("textarea").input_value()
        shoot(page, f"review-again-{ui}")
        _choose(page, dialog, ui, "Redo", "2")  # chosen once more, it is chosen no more
        dialog.locator("textarea").fill("")
        _send(page, dialog, ui)
        said, _ = flow.communicate(timeout=120)
    finally:
        flow.kill()
        flow.communicate()
    assert 0 == flow.returncode, said
    assert "2 approved, 0 to be made again, 1 dropped" in said
    assert 2 == said.count("clip     ")


def test_twelve_pictures_leave_room(page: Page, prefect: Prefect, ui: str, tmp_path: Path) -> None:
    """Twelve pictures stand two in a row; in both UIs at least four of them are in sight when the dialog opens."""
    name, shots = f"Twelve {ui} {uuid.uuid4().hex[:8]}", tmp_path / "shots.json"
    shots.write_text(json.dumps([{"prompt": f"shot {number}: a boat leaves the harbour"} for number in range(12)]))
    flow = prefect.start("flows/storyboard.py", "--sandbox", "--shots", str(shots), "--title", name)
    try:
        run = until("it asks", lambda: _paused(prefect, name), every=0.5)["id"]
        dialog = _dialog(page, prefect, ui, run)
        dialog.get_by_text("12 pictures to decide on.").wait_for()
        _drawn(page, 12)
        shoot(page, f"review-twelve-{ui}")
        holds(page, f"{_IN_SIGHT} >= 4")
        holds(page, f"{_WIDE} >= 180")
        for number in range(12):
            assert f"shot {number}: a boat leaves the harbour" in " ".join(dialog.inner_text().split())
        dialog.get_by_role("link", name="See them larger").wait_for()
    finally:
        flow.kill()
        flow.communicate()


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        pytest.param({"drop": [4]}, "drop", id="no-such-picture"),
        pytest.param({"redo": ["first"]}, "redo", id="no-number"),
        pytest.param({"notes": 7}, "notes", id="no-text"),
        pytest.param({"approve": [1]}, "approve", id="no-such-field"),
    ],
)
def test_wrong_input_is_refused_by_name(prefect: Prefect, waiting: str, answer: dict[str, Any], field: str) -> None:
    """What the form does not allow is refused by the server, with the field's name, and the run stays paused."""
    said = prefect.ask(f"flow_runs/{waiting}/resume", {"run_input": answer})
    assert "REJECT" == said["status"]
    assert field in said["details"]["reason"]
    assert "Paused" == prefect.ask(f"flow_runs/{waiting}")["state_name"]


@pytest.fixture(scope="module")
def waiting(prefect: Prefect) -> Iterator[str]:
    """Start a run that waits for a decision and gets none, and yield its id."""
    name = f"Refused {uuid.uuid4().hex[:8]}"
    flow = prefect.start("flows/storyboard.py", "--sandbox", "--seed", "33", "--title", name)
    try:
        yield until("it asks", lambda: _paused(prefect, name), every=0.5)["id"]
    finally:
        flow.kill()
        flow.communicate()


_WIDE = "Math.min(...[...document.querySelectorAll('[role=dialog] img')].map(i => i.getBoundingClientRect().width))"
_IN_SIGHT = """[...document.querySelectorAll('[role=dialog] img')].filter(image => {
    const box = image.getBoundingClientRect();
    const seen = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return seen === image && box.height > 40;
}).length"""


def _dialog(page: Page, prefect: Prefect, ui: str, run: str) -> Locator:
    see(page, prefect, ui, f"runs/flow-run/{run}")
    if ui == "v2":
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
    else:
        page.get_by_role("button", name="Resume").click()
    return page.get_by_role("dialog")


def _drawn(page: Page, number: int) -> None:
    """Wait until the dialog shows so many pictures, sharper than they are wide."""
    sharp = "i => i.naturalWidth >= 1.5 * i.width && i.width > 60"
    holds(page, f"[...document.querySelectorAll('[role=dialog] img')].filter({sharp}).length === {number}")


def _choose(page: Page, dialog: Locator, ui: str, field: str, number: str) -> None:
    """Choose a picture in one of the two lists."""
    place = 0 if field == "Drop" else 1
    if ui == "v2":
        dialog.get_by_role("button", name="Select").nth(place).click()
        page.get_by_role("option", name=number, exact=True).click()
    else:
        dialog.locator(".p-select-button__control").nth(place).press("Space")
        page.locator(".p-select-option").get_by_text(number, exact=True).locator("visible=true").click()
    page.keyboard.press("Escape")
    dialog.get_by_text("Resume Flow Run").click()  # which closes the list in the first UI
    page.wait_for_timeout(300)


def _send(page: Page, dialog: Locator, ui: str) -> None:
    send(page, dialog.get_by_role("button", name="Resume" if ui == "v2" else "Submit"), "/resume")


def _keyset(prefect: Prefect, run: str) -> str:
    """Return the key of the form that a run shows now."""
    keyset: dict[str, str] | None = prefect.ask(f"flow_runs/{run}")["state"]["state_details"]["run_input_keyset"]
    return keyset["schema"] if keyset else ""


def _paused(prefect: Prefect, name: str) -> dict[str, Any] | None:
    found = prefect.runs(limit=5, flow_runs={"name": {"any_": [name]}, "state": {"name": {"any_": ["Paused"]}}})
    return found[0] if found else None
