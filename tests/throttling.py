"""An S3 that asks for fewer requests: in front of another one, it answers some of them with ``503 SlowDown``, as S3 does."""

from __future__ import annotations

import contextlib
import http.client
import itertools
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.serving import serving

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.'
    b"</Message><RequestId>4442587FB7D0A2F9</RequestId><HostId>abc</HostId></Error>"
)
Fault = Callable[[str, str, int], str | None]
"""Is given method, path and number of a request; returns ``refused``, ``done`` (and then refused), or None for nothing."""


class ThrottledS3:
    """What a test says to it, and what it counted."""

    def __init__(self, behind: str) -> None:
        self.url = ""
        self.refused: Counter[str] = Counter()
        """How many requests were refused, by their method."""
        self.done: list[str] = []
        """The paths of those that were refused after they were done."""
        self.fault: Fault = _none
        """What becomes of a request."""
        self._behind = urlsplit(behind).netloc
        self._numbers = itertools.count(1)

    def share(self, one_in: int) -> None:
        """Refuse one request in so many from now on."""
        self.fault = lambda _, __, number: "refused" if number % one_in == 0 else None

    def all(self) -> None:
        """Refuse all from now on."""
        self.when(lambda: True)

    def when(self, true: Callable[[], bool], path: str = "") -> None:
        """Refuse all while something is true, or all with something in their path."""
        self.fault = lambda _method, asked, _number: "refused" if path in asked and true() else None

    def done_and_refused(self) -> None:
        """Do each first write of an object, and answer that it was refused."""
        self.fault = lambda method, path, _: "done" if method == "PUT" and path not in self.done else None

    def none(self) -> None:
        """Refuse nothing any more."""
        self.fault = _none

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Answer a request: by what is behind, or that it comes too often."""
        what = self.fault(method, path, next(self._numbers))
        if what is not None:
            self.refused[method] += 1
        if what == "refused":
            return 503, [("Content-Type", "application/xml")], SLOW_DOWN
        with contextlib.closing(http.client.HTTPConnection(self._behind, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            came = (answer.status, answer.getheaders(), answer.read())
        if what == "done":
            self.done.append(path)
            return 503, [("Content-Type", "application/xml")], SLOW_DOWN
        return came


def _none(*_: object) -> None:
    return None


@contextmanager
def throttled(behind: str) -> Generator[ThrottledS3]:
    """Run one in front of the S3 at a URL."""
    s3 = ThrottledS3(behind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = s3.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

    with serving(Handler) as s3.url:
        yield s3
