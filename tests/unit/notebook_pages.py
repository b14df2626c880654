"""Reads what a notebook shows of a value, as a browser would, and holds it to what is promised of all of it."""

# pyright: reportPrivateUsage=false
# What notebooks ask for is private by their convention.

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

SAFE = {"div", "img", "audio", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "span"}
ATTRIBUTES = {"style", "src", "alt", "controls", "preload"}


class Elements(HTMLParser):
    """Reads what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.open += [] if tag == "img" else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        """All that is read."""
        return "".join(self.parts)


def bundle(value: Any) -> dict[str, Any]:
    """Return what a notebook gets and saves, after holding it to what is promised of all."""
    found = value._repr_mimebundle_()
    assert found == json.loads(json.dumps(found))
    assert {"text/plain"} <= set(found) <= {"text/plain", "text/html", "image/png"}
    assert found["text/plain"]
    assert 400_000 > len(json.dumps(found))
    assert found["text/html"] == value._repr_html_()
    page = Elements(found["text/html"])
    assert set(page.tags) <= SAFE
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    assert all(value.startswith("data:") for name, value in page.attributes if name == "src")
    assert [] == page.open
    return found


def text_of(value: Any) -> str:
    """Return all that is read of a value."""
    return Elements(bundle(value)["text/html"]).text


def sources_of(value: Any) -> list[str]:
    """Return the media types of what is shown of a value."""
    return re.findall(r'src="data:([a-z/]+)', bundle(value)["text/html"])
