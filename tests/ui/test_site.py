"""The documentation as a site: built strictly, from `file://`, asking no other host, by search, keyboard, phone and axe."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

import prefect_together

from .accessibility import check
from .conftest import ROOT, holds, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PAGES = ("index.html", "concepts.html", "how-to/tables.html", "examples.html", "reference/requests.html", "comparison.html")
"""One of each sort: text, a drawing, tables, media, docstrings."""
BUILDERS = (ROOT / ".docs-venv" / "bin" / "python", ROOT / ".docs-venv" / "Scripts" / "python.exe")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    builder = next((str(path) for path in BUILDERS if path.exists()), sys.executable)
    if builder == sys.executable and not importlib.util.find_spec("material"):
        pytest.skip("mkdocs-material is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [builder, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert 0 == built.returncode, built.stdout + built.stderr
    return folder


def test_every_page_leads_somewhere(site: Path) -> None:
    """No link, picture, clip, script or style of a page is missing from the site, and no asset is of another host."""
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) >= 45
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assets: list[str] = re.findall(
            r"<(?:script|img|video|audio|source|iframe)\b[^>]*?\b(?:src|poster)=\"?([^\s\">]+)", text
        )
        assets += re.findall(r"<link\b[^>]*?\bhref=\"?([^\s\">]+)", text)
        assert [] == [link for link in assets if urlsplit(link).netloc], page.name
        links: list[str] = assets + re.findall(r"<a\b[^>]*?\bhref=\"?([^\s\">]+)", text)
        own = [urlsplit(link).path for link in links if not urlsplit(link).scheme and urlsplit(link).path]
        assert [] == sorted({link for link in own if not (page.parent / unquote(link)).exists()}), page.name
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert [] == re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^\s\"')]+", styles)


def test_every_public_name_has_its_docstring(site: Path) -> None:
    """The reference shows each name with what it is."""
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    shown = set(re.findall(r"id=\"?prefect_together\.(\w+)[\" >]", text))
    assert [] == [name for name in prefect_together.__all__ if name not in shown]


def test_search_works_without_a_network(chromium: Browser, site: Path) -> None:
    """Who opens the pages from a disk and types a word finds the page about it, and nothing asks a network."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("subtitles")
    page.locator(".md-search-result__link").first.wait_for()
    found = [link.get_attribute("href") or "" for link in page.locator(".md-search-result__link").all()]
    assert any("how-to/subtitles.html" in link for link in found), found
    shoot(page, "site-search")
    context.close()
    assert [] == complaints
    assert [] == [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(chromium: Browser, site: Path, scheme: Any) -> None:
    """No page keeps anybody out: names, contrast, order, landmarks, in both schemes."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name in PAGES:
        page.goto((site / name).as_uri())
        page.wait_for_timeout(300)
        shoot(page, f"site-{name.removesuffix('.html').replace('/', '-')}-{scheme}")
        check(page, name)
    context.close()


def test_on_a_phone(chromium: Browser, site: Path) -> None:
    """Nothing but a table or code that scrolls by itself is wider than a phone, and the menu opens."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2)
    page = context.new_page()
    for name in PAGES:
        page.goto((site / name).as_uri())
        page.wait_for_timeout(300)
        shoot(page, f"site-{name.removesuffix('.html').replace('/', '-')}-phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        check(page, f"{name} on a phone")
    context.close()


def test_by_keyboard_alone(page: Page, site: Path) -> None:
    """The first Tab offers to skip what is above the text, every stop can be seen, and a link is followed by Enter."""
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert "Skip to content" == page.evaluate("document.activeElement.innerText.trim()")
    stops: list[str] = []
    for _ in range(25):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "(e => { const s = getComputedStyle(e); return [e.innerText || e.ariaLabel || e.title || e.name || e.tagName, "
            "s.outlineStyle !== 'none' || s.boxShadow !== 'none' || s.backgroundColor !== 'rgba(0, 0, 0, 0)'] })(document.activeElement)"
        )
        stops.append(str(where[0]).strip())
        assert where[1], f"one cannot see that {where[0]!r} has the focus"
    assert any("Concepts" in stop for stop in stops), stops
    page.get_by_role("link", name="Concepts", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/concepts.html")
    holds(page, "document.title.startsWith('Concepts')")
