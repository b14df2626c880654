"""`gallery.html` from `file://`: everything loads, nothing leaves, a thousand items are quick, keyboard and phone work."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from prefect_together.ui.gallery_page import page as page_of

from .conftest import Prefect, holds, overheard, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library of its own with stills, clips, a film and a job that failed."""
    folder = tmp_path_factory.mktemp("gallery") / "library"
    prefect = prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=str(folder))
    prefect.run(
        "flows/storyboard.py", "--sandbox", "--review", "false", "--video-model", "sandbox/tiny", "--continuity", "chain"
    )
    prefect.run("flows/compare_models.py", "--sandbox")
    said = prefect.run("-m", "prefect_together.cli", "gallery", "--library", str(folder), "--title", "Films of November")
    assert (folder / "gallery.html").as_uri() in said
    return folder


def test_everything_loads_and_nothing_leaves(page: Page, library: Path) -> None:
    """Every picture loads, every clip plays, the console stays empty, and no request goes to a network."""
    complaints, asked = overheard(page)
    page.goto((library / "gallery.html").as_uri())
    tiles = page.locator(".tile")
    number = tiles.count()
    assert number >= 18
    for tile in tiles.all():
        tile.scroll_into_view_if_needed()
    holds(page, "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth > 0)")
    clips = page.locator(".tile", has=page.locator(".badge", has_text="clip")).or_(page.locator(".tile", has_text="film of"))
    assert clips.count() >= 4
    for place in range(clips.count()):
        clips.nth(place).click()
        holds(page, "document.querySelector('video')?.readyState >= 2")
        page.evaluate("document.querySelector('video').play()")
        holds(page, "document.querySelector('video').currentTime > 0")
        page.keyboard.press("Escape")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "gallery")
    assert "— on a sandbox, not paid: about $" in page.inner_text("#totals"), "nobody takes a sandbox's prices for a bill"
    assert [] == complaints
    assert [] == [url for url in asked if not url.startswith(("file:", "data:"))]


def test_the_way_from_still_to_film(page: Page, library: Path) -> None:
    """A clip names its still and its film, and each leads to the other; the request can be copied."""
    page.goto((library / "gallery.html").as_uri())
    page.locator(".tile", has_text="film of 3 clips").first.click()
    assert 4 == page.locator("#way button").count()
    page.locator("#way button").first.click()
    assert "sandbox/tiny" in page.inner_text("#facts")
    assert "VideoRequest(" in page.inner_text("#code")
    holds(page, "document.querySelector('video')?.readyState >= 2")
    shoot(page, "gallery-clip")
    page.get_by_role("button", name="Copy the request").click()
    page.get_by_role("button", name="Copied").wait_for()


def test_filters_and_keyboard(page: Page, library: Path) -> None:
    """Kind, model and words narrow the tiles; the whole page can be used without a mouse, and everything has a name."""
    page.goto((library / "gallery.html").as_uri())
    page.get_by_label("Kind").select_option("film")
    assert ["film"] == list({badge.split()[0] for badge in page.locator(".badge").all_text_contents()})
    page.get_by_label("Kind").select_option("")
    page.keyboard.press("/")
    page.keyboard.type("paper boat")
    assert 6 == page.locator(".tile").count()
    assert "6 of" in page.inner_text("#count")
    page.locator(".tile").first.focus()
    page.keyboard.press("Enter")
    first = page.inner_text("#facts")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#facts") != first
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('tile')")
    unnamed = "[...document.querySelectorAll('button, input, select, a[href]')].filter(e => !(e.getAttribute('aria-label') || e.innerText)).length"
    assert 0 == page.evaluate(unnamed)
    page.get_by_label("Search prompts").fill("no such thing")
    page.get_by_text("Nothing here matches.").wait_for()


def test_on_a_phone_in_the_dark(chromium: Browser, library: Path) -> None:
    """Nothing is wider than a phone, and the dark scheme is dark."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=2)
    page = context.new_page()
    page.goto((library / "gallery.html").as_uri())
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("form").bounding_box()["height"] <= 110, "it stays on top of the pictures"  # type: ignore[index]
    assert "rgb(18, 19, 22)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    shoot(page, "gallery-phone")
    context.close()


def test_a_thousand_items_are_quick(page: Page, tmp_path: Path) -> None:
    """A page of 1,000 items takes the browser a second of work, or about as much as one of ten, and shows its end when one scrolls."""
    pictures = pytest.importorskip("PIL.Image")
    for number in range(1000):
        small = io.BytesIO()
        pictures.new("RGB", (480, 270), (number % 255, 90, 140)).save(small, "webp")
        (tmp_path / f"{number}.webp").write_bytes(small.getvalue())
    tiles: list[dict[str, Any]] = [
        {"id": str(n), "kind": "image", "state": "kept", "model": f"m/{n % 7}", "title": f"picture {n}", "when": "2026-11-22T10:00:00+00:00",
         "run": f"run-{n % 40}", "cost": 0.03, "how": "estimated", "href": f"{n}.webp", "thumb": f"{n}.webp", "sha": str(n), "from": [], "code": "x"}
        for n in range(1000)
    ]  # fmt: skip
    worked: list[float] = []
    for shown in (10, 1000):
        (tmp_path / "gallery.html").write_text(page_of("Many", tiles[:shown]))
        page.goto("about:blank")
        chrome = page.context.new_cdp_session(page)
        # Of the page's own thread, in its processor's time: what others take of the machine does not count.
        chrome.send("Performance.enable", {"timeDomain": "threadTicks"})  # pyright: ignore[reportUnknownMemberType]
        page.goto((tmp_path / "gallery.html").as_uri())
        holds(page, "document.querySelectorAll('.tile img')[8]?.naturalWidth > 0")
        measured = cast("dict[str, Any]", chrome.send("Performance.getMetrics"))  # pyright: ignore[reportUnknownMemberType]
        worked += [metric["value"] for metric in measured["metrics"] if metric["name"] == "TaskDuration"]
        chrome.detach()
    assert 0 < worked[1] < max(1.0, 4 * worked[0])
    assert page.locator(".tile").count() < 200
    holds(page, "scrollTo(0, document.body.scrollHeight) || document.querySelectorAll('.tile').length === 1000")


def test_a_prompt_cannot_break_out(page: Page, tmp_path: Path) -> None:
    """HTML and script in a prompt are words."""
    nasty = "</script><img src=x onerror=alert(1)><!-- <b>"
    tile: dict[str, Any] = {
        "id": "1",
        "kind": "image",
        "state": "failed",
        "model": nasty,
        "title": nasty,
        "when": "",
        "how": "unknown",
        "why": nasty,
        "from": [],
    }
    (tmp_path / "gallery.html").write_text(page_of(nasty, [tile]))
    page.on("dialog", lambda dialog: pytest.fail("a prompt ran as a script"))
    page.goto((tmp_path / "gallery.html").as_uri())
    page.locator(".tile").click()
    assert nasty == page.inner_text("#name")
    assert 0 == page.locator("img[src=x]").count()
    assert not page.locator("#file").is_visible(), "there is no file to open"
    assert json.loads(page.text_content("#data") or "")["title"] == nasty


def test_a_printed_page_is_whole(page: Page, library: Path) -> None:
    """On paper there are no controls, every tile with its picture, none cut in two, and badges are dark on white."""
    page.set_viewport_size({"width": 718, "height": 1032})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto((library / "gallery.html").as_uri())
    number = len(json.loads(page.locator("#data").text_content() or "{}")["items"])
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    holds(page, "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth > 0)")
    shoot(page, "gallery-print")
    assert number == page.locator(".tile").count()
    assert not page.get_by_role("search").is_visible()
    looks = "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.querySelector('.badge')))"
    assert ["rgb(0, 0, 0)", "rgb(255, 255, 255)"] == page.evaluate(looks)
    lefts = "new Set([...document.querySelectorAll('li')].map(l => Math.round(l.getBoundingClientRect().left))).size"
    assert 3 == page.evaluate(lefts)
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_file_names_its_run(page: Page, prefect: Prefect, library: Path) -> None:
    """The run has its name, and leads to Prefect's UI."""
    page.goto((library / "gallery.html").as_uri())
    page.locator(".tile", has_text="FLUX.2-dev").first.click()
    link = page.locator("#facts a")
    assert "compare-models" == link.text_content()
    assert str(link.get_attribute("href")).startswith(f"{prefect.url}/runs/flow-run/")
