"""Two endpoints that no sandbox has, on this machine: real HTTP, every charge counted, and answers that never come."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from PIL import Image

from tests.serving import serving

KEY = "own-key"
PRICES = {"/v1/captions": "0.002", "/v1/sketches": "0.01"}

Manner = Literal["answer", "drop", "hold", "spoil"]
"""What becomes of a request that is charged: answered, cut off, kept waiting, or answered with something else."""


@dataclass
class Endpoint:
    """What reached the server, and how it treats what comes next."""

    url: str = ""
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """Paths and bodies, those that were refused too."""
    charged: list[str] = field(default_factory=list[str])
    """The paths of what was accepted, and is paid for."""
    manner: Manner = "answer"
    over: threading.Event = field(default_factory=threading.Event)
    """Lets go of those who are kept waiting."""

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return what is made; the same for the same request."""
        cost, prompt = PRICES[path], str(body["prompt"])
        if path == "/v1/captions":
            seen = "with" if "image" in body else "without"
            return {"caption": f"{prompt}: a <fox>, {seen} a picture", "language": "en", "cost": cost}
        return {"png": base64.b64encode(_drawn(prompt, body.get("seed"))).decode(), "strokes": len(prompt), "cost": cost}


def _drawn(prompt: str, seed: int | None) -> bytes:
    color = tuple((hash_ * 37 + (seed or 0)) % 256 for hash_ in (len(prompt), sum(prompt.encode()), 7))
    file = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(file, "PNG")
    return file.getvalue()


@contextmanager
def serve() -> Generator[Endpoint, None, None]:
    """Run the endpoints in the background."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.posts.append((self.path, body))
            if self.headers["Authorization"] != f"Bearer {KEY}":
                return self._say(401, {"error": {"message": "Invalid API key", "code": "invalid_api_key"}})
            if self.path not in PRICES:
                return self._say(404, {"error": {"message": "No such path", "code": "not_found"}})
            endpoint.charged.append(self.path)
            if endpoint.manner in {"drop", "hold"}:
                if endpoint.manner == "hold":
                    endpoint.over.wait(60)
                self.close_connection = True
                return None
            return self._say(200, endpoint.answer(self.path, body) if endpoint.manner == "answer" else {"made": "nothing"})

        def _say(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as endpoint.url:
        try:
            yield endpoint
        finally:
            endpoint.over.set()
