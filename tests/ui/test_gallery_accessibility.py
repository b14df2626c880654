"""`gallery.html` for those who see little, use no mouse, or hear it read: axe finds nothing, and all of it has a name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_together.ui.gallery_page import page as page_of

from .accessibility import check
from .conftest import ROOT, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

WORDS = "The fox sleeps under the oak. The wood is still. "


def _item(name: str, **more: Any) -> dict[str, Any]:
    common: dict[str, Any] = {
        "id": name, "kind": "image", "state": "kept", "model": "black-forest-labs/FLUX.2-pro", "title": name,
        "when": "2026-11-22T10:00:00+00:00", "run": "run-1", "runName": "film", "cost": 0.03, "how": "estimated",
        "sha": name, "from": [], "code": "ImageRequest(\n    prompt='a red fox',\n)",
    }  # fmt: skip
    return {**common, **more}


def _items() -> list[dict[str, Any]]:
    """Return one of each sort that there can be, some of them long."""
    lines = [[second, WORDS, "SPEAKER_00"] for second in range(60)]
    values = [["score", "7"], ["faults", "the moon\nthe hand"]]
    answer = {"kind": "chat", "noun": "answer", "model": "Qwen/Qwen3.5-9B", "cost": 0.0003, "how": "reported"}
    return [
        _item("a red fox", href="a.webp", thumb="a.webp", w=480, h=270, seed=7),
        _item("its clip", kind="video", href="a.mp4", thumb="a.webp", seconds=6.0, fps=25, **{"from": ["a red fox"]}),
        _item("a recording", kind="audio", noun="recording", href="tone.wav", thumb="a.webp", seconds=3.5, rate=48000, channels=1),
        _item("what was heard", kind="transcription", noun="transcript", said={"lines": lines}, **{"from": ["a recording"]}),
        _item("its judgement", said={"values": values}, **answer, **{"from": ["a red fox"]}),
        _item("a story", said={"texts": [WORDS * 200], "aside": [["Thinking", WORDS * 20]]}, **answer),
        _item("a call", said={"calls": [["look_up", '{"animal": "fox"}']]}, **answer),
        _item("not by its schema", said={"texts": ["{"], "fault": "it is cut off"}, **answer),
        _item("a job that failed", state="failed", why="The model refused the picture.", cost=None, how="unknown"),
        _item("a job that renders", state="waiting", cost=None, how="unknown"),
        _item("a request that nobody knows of", state="unknown", cost=None, how="unknown", model="pixverse/pixverse-v5", run="run-2"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a page with one of each sort, and return its address."""
    pictures = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    folder = tmp_path_factory.mktemp("accessible")
    pictures.new("RGB", (480, 270), (60, 90, 140)).save(folder / "a.webp", "webp")
    shutil.copy(ROOT / "tests" / "data" / "tone.wav", folder)
    (folder / "gallery.html").write_text(page_of("Films of November", _items()), encoding="utf-8")
    return Path(folder / "gallery.html").as_uri()


@pytest.mark.parametrize(("scheme", "size"), [("light", (1400, 1000)), ("dark", (390, 844))], ids=["desk", "phone"])
def test_axe_finds_nothing(chromium: Browser, gallery: str, size: tuple[int, int], scheme: Any) -> None:
    """The page, and the dialog of each sort of thing on it, keep nobody out."""
    viewport: Any = {"width": size[0], "height": size[1]}
    context = chromium.new_context(viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    page.goto(gallery)
    check(page, "the page")
    for item in _items():
        page.locator(f".tile[data-id='{item['id']}']").click()
        check(page, str(item["title"]))
        page.keyboard.press("Escape")
    shoot(page, f"gallery-accessible-{size[0]}-{scheme}")
    context.close()


def test_by_keyboard_alone(page: Page, gallery: str) -> None:
    """From the search to a file, through all of its dialog and back to where one was, with a ring around what has the focus."""
    page.goto(gallery)
    focus = "document.activeElement"
    seen: list[str] = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(f"{focus}.getAttribute('aria-label')")))
        assert "none" != page.evaluate(f"getComputedStyle({focus}).outlineStyle"), seen
    assert ["Search prompts", "Kind", "Model", "Run", "State"] == seen[:5]
    assert seen[5].startswith("picture, kept: a red fox")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # what was heard
    assert "what was heard" == page.inner_text("#name")
    assert "Close" == page.evaluate(f"{focus}.innerText")
    stops: set[str] = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        assert page.evaluate(f"{focus} === document.body || document.querySelector('dialog').contains({focus})"), (
            "the focus left"
        )
        stops.add(str(page.evaluate(f"{focus}.getAttribute('aria-label') || {focus}.innerText || {focus}.tagName")).strip())
    assert {"Play from 0:00", "Play from 0:59", "Copy the request", "Previous", "Next", "Close"} <= stops
    page.keyboard.press("Escape")
    assert "what was heard" == page.evaluate(f"{focus}.dataset.id")


def test_a_long_answer_is_scrolled_by_keyboard(page: Page, gallery: str) -> None:
    """What is longer than its place can be reached by Tab, and moved by the arrow keys."""
    page.goto(gallery)
    page.locator(".tile[data-id='a story']").click()
    page.keyboard.press("Tab")
    for _ in range(12):
        if page.evaluate("document.activeElement.id") == "stage":
            break
        page.keyboard.press("Tab")
    assert "stage" == page.evaluate("document.activeElement.id")
    for _ in range(20):  # a browser that has no time drops a key, and a reader presses it again
        page.keyboard.press("ArrowDown")
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        if page.evaluate("document.activeElement.scrollTop"):
            break
    where = "(({id, scrollTop, scrollHeight, clientHeight}) => [id, scrollTop, scrollHeight, clientHeight])"
    assert page.evaluate("document.activeElement.scrollTop"), page.evaluate(f"{where}(document.activeElement)")


def test_what_a_screen_reader_says(page: Page, gallery: str) -> None:
    """Landmarks, headings, lists and buttons have roles and names; another file in the dialog is said."""
    page.goto(gallery)
    tree = page.locator("body").aria_snapshot()
    for said in (
        "- banner:", '- heading "Films of November" [level=1]', '- search "Filter"', "- main:", '- list "Files"',
        'button "picture, kept: a red fox, FLUX.2-pro, about $0.03"', "- status: 11 in all",
        'button "picture, failed: a job that failed, FLUX.2-pro, cost unknown"',
    ):  # fmt: skip
        assert said in tree, tree
    page.get_by_role("button", name="picture, kept: a red fox").click()
    tree = page.get_by_role("dialog", name="a red fox").aria_snapshot()
    for said in (
        '- img "a red fox"',
        '- heading "a red fox" [level=2]',
        '- region "What is said of it"',
        '- link "Open the file"',
    ):
        assert said in tree, tree
    page.get_by_role("button", name="Next").click()
    assert "its clip" == page.get_by_role("dialog").get_by_role("status").text_content()
