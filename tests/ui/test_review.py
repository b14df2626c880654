"""Approval in the browser: the paused run shows its pictures, takes decisions, refuses nonsense, and goes on as decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from .conftest import Prefect, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_person_decides_in_the_browser(page: Page, prefect: Prefect, ui: str) -> None:
    """The dialog shows the pictures; what is dropped there gets no clip, and the rest of the film is made."""
    seed = "31" if ui == "v2" else "32"
    flow = prefect.start(
        "flows/storyboard.py", "--sandbox", "--seed", seed, "--video-model", "sandbox/tiny", "--title", f"Review {ui}"
    )
    try:
        run = prefect.until(lambda: _paused(prefect, f"Review {ui}"))
        see(page, prefect, ui, f"runs/flow-run/{run['id']}")
        if ui == "v2":
            page.get_by_role("button", name="Open menu").click()
            page.get_by_role("menuitem", name="Resume").click()
        else:
            page.get_by_role("button", name="Resume").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("3 pictures to decide on.").wait_for()
        page.wait_for_function(
            "[...document.querySelectorAll('[role=dialog] img')].filter(i => i.naturalWidth == 240).length == 3"
        )
        page.wait_for_timeout(500)
        shoot(page, f"review-{ui}")
        verdict = dialog.get_by_role("button").filter(has_text="approve").nth(1)
        if ui == "v2":
            verdict.click()
            page.get_by_role("option", name="drop").click()
        else:
            verdict.press("Space")
            page.locator(".p-select-option", has_text="drop").last.click()
        dialog.get_by_role("button", name="Resume" if ui == "v2" else "Submit").click()
        said, _ = flow.communicate(timeout=120)
    finally:
        flow.kill()
        flow.communicate()
    assert 0 == flow.returncode, said
    assert "2 approved, 0 to be made again, 1 dropped" in said
    assert 2 == said.count("clip     ")


def test_wrong_input_is_refused(prefect: Prefect) -> None:
    """An answer that is none of the three is refused, with the field's name, and the run stays paused."""
    flow = prefect.start(
        "flows/storyboard.py", "--sandbox", "--seed", "33", "--video-model", "sandbox/tiny", "--title", "Refused"
    )
    try:
        run = prefect.until(lambda: _paused(prefect, "Refused"))
        answer = prefect.ask(f"flow_runs/{run['id']}/resume", {"run_input": {"picture_1": "maybe"}})
        assert "REJECT" == answer["status"]
        assert "picture_1" in answer["details"]["reason"] or "maybe" in answer["details"]["reason"]
        assert _paused(prefect, "Refused")
    except HTTPError as error:  # pragma: no cover - says what the server did not like
        pytest.fail(error.read().decode())
    finally:
        flow.kill()
        flow.communicate()


def _paused(prefect: Prefect, name: str) -> dict[str, Any] | None:
    found = prefect.runs(limit=5, flow_runs={"name": {"any_": [name]}, "state": {"name": {"any_": ["Paused"]}}})
    return found[0] if found else None
