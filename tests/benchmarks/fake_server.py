"""A Together that only answers: as fast as Python can, for measuring clients. It checks, draws and counts nothing.

python tests/benchmarks/fake_server.py [file size in KB] [seconds per job]     prints its address, and serves until killed
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import sys
import time
import wave
from typing import Any

JOBS: dict[str, float] = {}
"""When each job is over, by the server's clock."""
COUNTED = {"jobs": 0, "polls": 0}
CLIP = b"\0\0\0\x14ftypmp42\0\0\0\0mp42\0\0\0\x08mdat"
"""Begins like a clip, and shows nothing."""
AT_ONCE = b"at once"
"""A job with these words is done as soon as it is asked for."""


def picture(kilobytes: int) -> bytes:
    """Return a JPEG like a photo, of as many pixels as one of so many bytes has; what is missing is put behind its end."""
    from PIL import Image, ImageChops

    side = max(16, int((kilobytes * 1024 * 6) ** 0.5))
    shapes = Image.frombytes("RGB", (12, 12), random.Random(1).randbytes(432)).resize((side, side), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((side, side), 24).convert("RGB")
    out = io.BytesIO()
    ImageChops.blend(shapes, grain, 0.15).save(out, "jpeg", quality=75)
    return out.getvalue().ljust(kilobytes * 1024 - 2, b"\0") + b"\xff\xd9"


def sound(kilobytes: int) -> bytes:
    """Return a WAV of one channel at 24,000 Hz, of so many bytes: noise."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(random.Random(1).randbytes(kilobytes * 1024 - 44))
    return out.getvalue()


class Together(asyncio.Protocol):
    """One keep-alive connection."""

    data = picture(100)
    speech = sound(100)
    seconds = (0.0, 0.0)
    origin = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            lowered = head.lower()
            length = 0
            if (at := lowered.find(b"content-length:")) >= 0:
                length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            method, path, _ = head.split(b" ", 2)
            self._answer(method, path.decode(), body)

    def _answer(self, method: bytes, path: str, body: bytes) -> None:
        if path.endswith(".mp4"):
            self._send(b"video/mp4", CLIP)
        elif path.startswith("/file"):
            # No two files are equal: what is done for each of them cannot be remembered.
            self._send(b"image/jpeg", self.data[:-10], random.randbytes(8), self.data[-2:])
        elif path == "/counted":
            self._send(b"application/json", json.dumps(COUNTED).encode())
        elif path.startswith("/v2/videos"):
            self._send(b"application/json", self._job(path.rpartition("/")[2] if method == b"GET" else "", body))
        elif path.endswith("/audio/speech"):
            self._send(b"audio/wav", self.speech[:-8], random.randbytes(8))
        elif path.endswith("/chat/completions"):
            self._send(b"application/json", _said(body))
        else:
            url = f"{self.origin}/file/{random.getrandbits(64):016x}.jpg"
            answer = {"id": "x", "model": "m", "object": "list", "data": [{"index": 0, "url": url, "type": None}]}
            self._send(b"application/json", json.dumps(answer).encode())

    def _job(self, job: str, body: bytes) -> bytes:
        if not job:
            job = f"{random.getrandbits(64):016x}"
            JOBS[job] = time.time() + (0.0 if AT_ONCE in body else random.uniform(*self.seconds))
            COUNTED["jobs"] += 1
        else:
            COUNTED["polls"] += 1
        status = "completed" if time.time() >= JOBS[job] else "in_progress"
        outputs = {"video_url": f"{self.origin}/file/{job}.mp4", "cost": 0.1} if status == "completed" else None
        return json.dumps({"id": job, "object": "video", "model": "m", "status": status, "outputs": outputs}).encode()

    def _send(self, kind: bytes, *body: bytes) -> None:
        length = sum(map(len, body))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, length)
        self._transport.writelines([head, *body])


def _said(body: bytes) -> bytes:
    """Return an answer to a question, which no other one is like."""
    words = f"{random.getrandbits(64):016x} " + "A fox has more to it than one expects. " * 12
    text = json.dumps({"words": words, "score": 7}) if b'"response_format"' in body else words
    message: dict[str, Any] = {"role": "assistant", "content": text, "tool_calls": list[Any]()}
    usage = {"prompt_tokens": 120, "completion_tokens": 140, "total_tokens": 260, "cached_tokens": 0}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "seed": 1, "logprobs": None}
    answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(answer).encode()


async def main(kilobytes: int, seconds: float) -> None:
    """Serve until killed."""
    Together.data, Together.speech = picture(kilobytes), sound(kilobytes)
    Together.seconds = (seconds * 0.75, seconds * 1.25)
    server = await asyncio.get_running_loop().create_server(Together, "127.0.0.1", 0, backlog=2048)
    Together.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(Together.origin, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
