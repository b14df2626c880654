"""Looks at a page with axe-core, as it is now; it opens and closes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


def check(page: Page, what: str) -> None:
    """Find nothing that keeps people out, of WCAG 2.2 A and AA and of axe's best practices."""
    reason = "axe-playwright-python is not installed, which brings axe-core"
    axe: Any = pytest.importorskip("axe_playwright_python.sync_playwright", reason=reason)
    found: list[dict[str, Any]] = axe.Axe().run(page).response["violations"]
    said = [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"][:5]
    ]
    assert not found, f"{what}: " + "\n".join(said)
