"""What a person sees of a run in both of Prefect's UIs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import until

from .conftest import Prefect, end, holds, says, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def teaser(prefect: Prefect) -> dict[str, Any]:
    """Run `image_to_video` as a command."""
    prefect.run("flows/image_to_video.py", "--sandbox")
    return prefect.latest("image-to-video")


@pytest.fixture(scope="module")
def film(prefect: Prefect) -> dict[str, Any]:
    """Run `storyboard` without a review."""
    prefect.run("flows/storyboard.py", "--sandbox", "--review", "false", "--video-model", "sandbox/tiny")
    return prefect.latest("storyboard")


def test_the_artifacts_tab_is_a_gallery(page: Page, prefect: Prefect, teaser: dict[str, Any], ui: str) -> None:
    """The still's and the clip's thumbnails are visible, with model and cost."""
    see(page, prefect, ui, f"runs/flow-run/{teaser['id']}?tab=Artifacts")
    page.get_by_text("Artifacts", exact=True).last.click()
    page.wait_for_function("[...document.images].filter(i => i.naturalWidth == 480).length == 2")
    for words in ("FLUX.2-pro", "about $0.03 · paid", "hailuo-02", "$0.56 · paid"):
        page.get_by_text(words).first.wait_for()
        assert page.get_by_text(words).first.is_visible(), words
    page.wait_for_timeout(1500)  # the graph draws itself
    shoot(page, f"run-{ui}")


@pytest.mark.parametrize("model", ["FLUX.2-pro", "hailuo-02"])
def test_a_card_shows_its_picture_for_ever(
    page: Page, prefect: Prefect, teaser: dict[str, Any], ui: str, model: str
) -> None:
    """With Together gone, the page of a card shows the thumbnail and where the file is, and nothing broken or cut off."""
    cards = prefect.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [teaser["id"]]}}})
    (card,) = [one for one in cards if one["type"] == "markdown" and model in one["description"]]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    see(page, prefect, ui, f"artifacts/artifact/{card['id']}")
    page.wait_for_function("[...document.images].filter(i => i.naturalWidth == 480).length == 1")
    page.wait_for_function("document.body.innerText.includes('SHA-256')")
    shoot(page, f"card-{model}-{ui}")
    says(page, str(prefect.home / "library"))
    assert "base64" not in page.inner_text("body")
    assert not [link for link in asked if "/files/" in link or "/shrt/" in link or link.startswith("file:")]
    assert 0 == page.locator("a[href^='file:']").count()
    assert 0 == page.evaluate("[...document.images].filter(i => i.src.startsWith('file:')).length")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400


@pytest.fixture(scope="module")
def linked(prefect: Prefect) -> Iterator[dict[str, Any]]:
    """Serve a library and run `image_to_video` with links to it."""
    library = str(prefect.home / "served")
    prefect = prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=library)
    prefect.run("flows/image_to_video.py", "--sandbox", "--idea", "a first one, so that there is a library")
    process = prefect.start("-m", "prefect_together.cli", "serve", "--port", "0")
    try:
        assert process.stdout
        base = process.stdout.readline().strip().removesuffix("/gallery.html")
        prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=library, PREFECT_INTEGRATIONS_TOGETHER_MEDIA_URL=base).run(
            "flows/image_to_video.py", "--sandbox"
        )
        yield {**prefect.latest("image-to-video"), "base": base}
    finally:
        end(process)


def test_a_clip_is_played_from_its_card(page: Page, prefect: Prefect, linked: dict[str, Any], ui: str) -> None:
    """With the library served and the setting, a card leads to its clip, which plays and can be seeked; so does the gallery."""
    cards = prefect.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [linked["id"]]}}})
    (card,) = [one for one in cards if one["type"] == "markdown" and "hailuo-02" in one["description"]]
    see(page, prefect, ui, f"artifacts/artifact/{card['id']}")
    address = page.get_by_role("link", name="Play").get_attribute("href") or ""
    shoot(page, f"card-linked-{ui}")
    assert address.startswith(f"{linked['base']}/videos/")
    page.goto(address)
    holds(page, "document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').currentTime = 4")
    holds(page, "document.querySelector('video').currentTime >= 4 && document.querySelector('video').readyState >= 2")
    (gallery,) = [one for one in cards if one["key"] == "image-to-video"]
    assert f"[Play ↗]({address})" in gallery["data"]
    page.goto(f"{linked['base']}/")
    holds(page, "[...document.querySelectorAll('.tile img')].filter(i => i.naturalWidth > 0).length >= 4")


def test_the_gallery_of_a_storyboard(page: Page, prefect: Prefect, film: dict[str, Any], ui: str) -> None:
    """One table with a thumbnail for each still, clip, film and sheet, totals, lineage, and no raw base64 on the page."""
    found = prefect.ask("artifacts/filter", {"artifacts": {"key": {"any_": ["storyboard"]}}, "sort": "CREATED_DESC"})
    see(page, prefect, ui, f"artifacts/artifact/{found[0]['id']}")
    page.wait_for_function("[...document.images].filter(i => i.naturalWidth >= 60).length == 8")
    both = "text.includes('film of 3 clips ←') && text.includes('contact sheet of 3 ←')"
    # In one step, because the page is drawn more than once.
    text = page.wait_for_function(
        f"() => {{ const text = document.body.innerText; return {both} ? text : null }}"
    ).json_value()
    assert "3 pictures · 3 clips · 1 film · 1 sheet" in text
    assert "film of 3 clips ← #4, #5, #6" in text, text
    assert "base64" not in text
    assert "contact sheet of 3 ← #1, #2, #3" in text, text
    holds(page, "[...document.images].filter(i => i.src.startsWith('data:image/webp')).length == 8")
    shoot(page, f"storyboard-{ui}")


def test_the_run_says_what_it_waits_for(prefect: Prefect, teaser: dict[str, Any]) -> None:
    """A clip that is waited for has a bar that ends at 100, and log lines that say for how long."""
    found = prefect.ask(
        "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [teaser["id"]]}, "type": {"any_": ["progress"]}}}
    )
    assert [100.0] == [artifact["data"] for artifact in found]
    logs = prefect.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [teaser["id"]]}}, "limit": 200})
    assert any("s since it was submitted" in line["message"] for line in logs)


def test_events_say_what_happened_and_no_prompt(prefect: Prefect, teaser: dict[str, Any]) -> None:
    """Accepted and kept events carry model and cost; the prompt stays out."""
    wanted = {
        "event": {"prefix": ["prefect-together.generation."]},
        "related": {"id": [f"prefect.flow-run.{teaser['id']}"]},
    }

    def told() -> list[dict[str, Any]]:
        return prefect.ask("events/filter", {"filter": wanted, "limit": 50})["events"]

    def kept_clips() -> list[dict[str, Any]]:
        of_kept = [event for event in told() if event["event"].endswith("kept")]
        return [event for event in of_kept if event["payload"]["model"] == "minimax/hailuo-02"]

    (clip,), events = until("the clip is kept", kept_clips, every=0.5), told()
    assert {"accepted", "kept"} <= {event["event"].rpartition(".")[2] for event in events}
    assert {"kind": "video", "cost": "0.56", "reused": False}.items() <= clip["payload"].items()
    assert "fox" not in str([event["payload"] for event in events if "uri" not in event["payload"]])
    assert all("prompt" not in event["payload"] for event in events)
