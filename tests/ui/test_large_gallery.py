"""`gallery.html` of a library that is too large for one page, from `file://`: all of it is reached, found and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_together.ui.gallery_page import laid_out
from prefect_together.ui.gallery_pages import Pages
from prefect_together.ui.gallery_tiles import lines_of

from .accessibility import check
from .conftest import holds, overheard, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

ALL = 1300
FOX, FRIEND, CLIP, ANSWER = 3, 4, 700, 1290
"""A picture on the oldest page, another one, a clip of the first on the middle page, and what is said of it on the newest."""


def _item(number: int) -> dict[str, Any]:
    common: dict[str, Any] = {
        "id": f"{number:04d}/any", "kind": "chat", "noun": "answer", "state": "kept", "model": f"m/{number % 2}", "title": f"question {number}",
        "when": f"2026-11-{number // 100 + 1:02d}T10:00:00+00:00", "run": f"run-{number // 100}", "runName": f"film-{number // 100}",
        "cost": 0.01, "how": "estimated", "from": [], "code": "ChatRequest()", "said": {"texts": [f"answer {number} of many"]},
    }  # fmt: skip
    more: dict[int, dict[str, Any]] = {
        FOX: {"kind": "image", "noun": "picture", "title": "a fox", "href": "a.webp", "thumb": "a.webp", "sha": "fox", "said": {}},
        FRIEND: {"title": "who knows the zebra"},
        CLIP: {"kind": "video", "noun": "clip", "title": "it runs", "href": "a.mp4", "thumb": "a.webp", "sha": "clip", "from": ["fox"], "said": {}},
        ANSWER: {"title": "its judgement", "said": {"texts": ["It has the tail of a unicorn."]}, "from": ["fox"]},
    }  # fmt: skip
    return {**common, **more.get(number, {})}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a gallery of three pages."""
    pictures = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    found = tmp_path_factory.mktemp("large")
    pictures.new("RGB", (480, 270), (60, 90, 140)).save(found / "a.webp", "webp")
    items = [{name: value for name, value in _item(number).items() if value != {}} for number in range(ALL)]
    pages = Pages([line for item in items for line in lines_of(item["id"], "stored", [item])])
    for key, data in pages.files():
        (found / key).parent.mkdir(parents=True, exist_ok=True)
        (found / key).write_bytes(data)
    (found / "gallery.html").write_bytes(laid_out("All of it", pages.newest(), pages.told()))
    return found


@pytest.fixture
def gallery(page: Page, folder: Path) -> Page:
    """Open it."""
    page.goto((folder / "gallery.html").as_uri())
    return page


def _settled(page: Page) -> str:
    """Return what is said of how many there are, once nothing is searched any more."""
    holds(page, "!document.getElementById('count').textContent.startsWith('Searching')")
    return page.inner_text("#count")


def test_all_of_it_comes_as_one_scrolls(page: Page, folder: Path) -> None:
    """The newest are there at once, the others as one scrolls, each once and in order; nothing asks a network."""
    complaints, asked = overheard(page)
    page.goto((folder / "gallery.html").as_uri())
    assert "question 1299" in (page.locator(".tile").first.text_content() or "")
    assert page.inner_text("#count").startswith("1,300 in all, ")
    assert "1,298 answers" in page.inner_text("#totals").replace("1 picture · 1 clip · ", "")
    assert "about $13.00 estimated" in page.inner_text("#totals")
    assert not any("/000001-" in url or "/000002-" in url for url in asked), "the newest are in the page itself"
    for _ in range(600):
        if page.locator(".tile").count() == ALL:
            break
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(30)
    ids = page.evaluate("[...document.querySelectorAll('.tile')].map(tile => tile.dataset.id)")
    assert [f"{number:04d}/any" for number in reversed(range(ALL))] == ids
    assert "1,300 in all" == page.inner_text("#count")
    assert not page.get_by_role("button", name="Show more").is_visible()
    page.locator(".tile").last.click()
    assert "question 0" == page.inner_text("#name")
    page.keyboard.press("Escape")
    assert [] == complaints
    assert [] == [url for url in asked if not url.startswith(("file:", "data:"))]


def test_search_and_filters_reach_everything(gallery: Page) -> None:
    """A word on the oldest page is found, also one that is only said about a picture there; filters count what is not loaded."""
    words = gallery.get_by_label("Search prompts")
    words.fill("ZEBRA")
    gallery.locator(".tile", has_text="who knows the zebra").wait_for()
    assert "1 of 1,300" == _settled(gallery)
    words.fill("unicorn")
    gallery.locator(".tile", has_text="a fox").wait_for()
    assert "2 of 1,300" == _settled(gallery)
    words.fill("no such thing")
    gallery.get_by_text("Nothing here matches.").wait_for()
    assert "0 of 1,300" == _settled(gallery)
    words.fill("of many")
    assert "or more of 1,300" in _settled(gallery)
    words.fill("")
    gallery.get_by_label("Kind").select_option("picture")
    gallery.locator(".tile", has_text="a fox").wait_for()
    assert "1 of 1,300" == _settled(gallery)
    gallery.get_by_label("Kind").select_option("")
    gallery.get_by_label("Model").select_option("m/1")
    assert "650 of 1,300" in _settled(gallery)
    gallery.get_by_label("Model").select_option("")
    gallery.get_by_label("Run").select_option("run-0")
    gallery.locator(".tile", has_text="question 99").wait_for()
    holds(gallery, "document.querySelectorAll('.tile').length >= 60")
    assert "100 of 1,300" in _settled(gallery)
    assert "film-0" in gallery.locator("#run option:checked").inner_text()


def test_the_way_leads_across_pages(gallery: Page, chromium: Browser) -> None:
    """A picture shows what is said of it and leads to its clip, wherever they are; its address opens it again."""
    gallery.get_by_label("Search prompts").fill("a fox")
    gallery.locator(".tile", has_text="a fox").click()
    holds(gallery, "document.querySelector('dialog').open")
    assert "the tail of a unicorn" in gallery.inner_text("#notes")
    gallery.locator("#way").get_by_role("button", name="clip: it runs").click()
    holds(gallery, "document.getElementById('name').textContent === 'it runs'")
    address = gallery.url
    context = chromium.new_context()
    again = context.new_page()
    again.goto(address)
    holds(again, "document.querySelector('dialog').open")
    assert "it runs" == again.inner_text("#name")
    context.close()


def test_the_arrow_keys_go_on_into_pages_that_are_not_there(gallery: Page) -> None:
    """From the last file of what is loaded, the next key loads more."""
    gallery.locator(".tile").first.click()
    for _ in range(305):
        gallery.keyboard.press("ArrowRight")
    holds(gallery, "document.getElementById('name').textContent.match(/question (99[0-9]|98[0-9])/) !== null")
    name = gallery.inner_text("#name")
    gallery.keyboard.press("Escape")
    focus = "document.activeElement"
    holds(gallery, f"{focus}.matches('.tile') && {focus}.textContent.includes({json.dumps(name)})")
    assert name in (gallery.locator(":focus").text_content() or "")


@pytest.mark.parametrize(("scheme", "size"), [("light", (1400, 1000)), ("dark", (390, 844))], ids=["desk", "phone"])
def test_without_a_mouse_or_eyes(chromium: Browser, folder: Path, size: tuple[int, int], scheme: Any) -> None:
    """A button shows more and leads to it, how many are shown is said, and axe finds nothing."""
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    # Where nothing loads by itself, as for whoever reads with a screen reader and never scrolls.
    page.add_init_script("window.IntersectionObserver = class { observe() {} unobserve() {} }")
    page.goto((folder / "gallery.html").as_uri())
    assert "- status: 1,300 in all, 60 shown" in page.locator("body").aria_snapshot()
    check(page, "the page")
    page.get_by_role("button", name="Show more").focus()
    page.keyboard.press("Enter")
    holds(page, "document.querySelectorAll('.tile').length === 120")
    assert "1,300 in all, 120 shown" == page.inner_text("#count")
    assert "question 1239" in (page.locator(":focus").text_content() or "")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator("form").bounding_box()["height"] <= 110, "it stays on top of the pictures"  # type: ignore[index]
    page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    shoot(page, f"gallery-large-{scheme}", whole=False)
    context.close()


def test_a_page_that_is_not_there_is_said(page: Page, folder: Path) -> None:
    """Where only gallery.html was copied, what is in it is shown, and what is missing is said; once it is there, one goes on."""
    alone = folder / "alone"
    alone.mkdir()
    (alone / "gallery.html").write_bytes((folder / "gallery.html").read_bytes())
    page.goto((alone / "gallery.html").as_uri())
    for _ in range(600):
        if page.get_by_role("alert").is_visible():
            break
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(30)
    assert "copy that folder too" in page.get_by_role("alert").inner_text()
    assert 300 == page.locator(".tile").count()
    check(page, "what is missing")
    shoot(page, "gallery-large-missing", whole=False)
    (alone / "gallery").symlink_to(folder / "gallery")
    page.get_by_role("button", name="Show more").click()
    holds(page, "document.querySelectorAll('.tile').length > 300")
    assert not page.get_by_role("alert").is_visible()
