"""The forms of our blocks: every field has a title and words, and Prefect's newer UI hides the key that is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import Prefect, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

WORDS = {
    "together-credentials": ("The API key; left out", "Where the API is", "Seconds to wait for an answer"),
    "together-media-library": ("A folder path, file://, s3://", "Settings of the object store"),
}


@pytest.fixture(scope="module")
def _registered(prefect: Prefect) -> None:
    """Register the blocks, as the README says."""
    prefect.run("-m", "prefect", "block", "register", "-m", "prefect_together")


@pytest.mark.parametrize("ui", ["v1", "v2"])
@pytest.mark.parametrize("block", WORDS)
@pytest.mark.usefixtures("_registered")
def test_a_blocks_form(page: Page, prefect: Prefect, block: str, ui: str) -> None:
    """All fields are explained, in both UIs."""
    see(page, prefect, ui, f"blocks/catalog/{block}/create")
    for words in WORDS[block]:
        page.get_by_text(words).first.wait_for()
    assert [] == [words for words in WORDS[block] if not page.get_by_text(words).first.is_visible()]
    if block == "together-credentials" and ui == "v2":  # the older UI shows what is typed where a secret may be left out
        page.get_by_text("password").first.click()
        page.locator("input[type=password]").first.wait_for()
    shoot(page, f"block-{block}-{ui}")
