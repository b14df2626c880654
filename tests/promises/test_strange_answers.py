"""Answers that no HTTP library takes: the request was read before they came, so they are unknown outcomes and no refusals."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prefect_together import (
    ChatRequest,
    SpeechRequest,
    TogetherCredentials,
    generate_image,
    generate_speech,
    generate_text,
    generate_video,
)
from prefect_together._internal.event_loop import shutdown
from prefect_together.errors import UnknownOutcome
from prefect_together.generations.sound_shape import PCM, SampleForm

from .asking import dear_clip, picture

HEAD = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"
DEEP = b"[" * 200_000
ANSWERS = [
    pytest.param(b"garbage\r\n\r\n", id="no-http"),
    pytest.param(b"HTTP/1.1 200\xff\r\n\r\n", id="no-status"),
    pytest.param(HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", id="two-hundred-headers"),
    pytest.param(HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", id="a-long-header"),
    pytest.param(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two-lengths"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", id="a-bad-chunk"),
    pytest.param(HEAD + JSON + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", id="no-gzip"),
    pytest.param(b"HTTP/1.1 502 D\xe9faut\r\nContent-Length: 0\r\n\r\n", id="a-reason-in-latin-1"),
    pytest.param(HEAD + JSON + b"Content-Length: %d\r\n\r\n" % len(DEEP) + DEEP, id="deep-json"),
    pytest.param(HEAD + JSON + b"Content-Length: 99\r\n\r\n{}", id="cut-off"),
]
Answering = Callable[[bytes], tuple[TogetherCredentials, list[str]]]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Yield what starts a server that reads every request whole, counts it, gives one answer, and hangs up."""
    servers: list[socketserver.ThreadingTCPServer] = []

    def start(answer: bytes) -> tuple[TogetherCredentials, list[str]]:
        heard: list[str] = []

        class Answers(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines = list(iter(self.rfile.readline, b"\r\n"))
                length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
                self.rfile.read(length)
                heard.append(lines[0].decode())
                self.wfile.write(answer)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return TogetherCredentials(api_key="k", base_url=f"http://127.0.0.1:{server.server_address[1]}"), heard  # pyright: ignore[reportArgumentType]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
    shutdown()


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_nobody_understands_may_have_been_paid(answer: bytes, answering: Answering) -> None:
    """A dear clip is sent once, whatever comes back and however often it is asked for."""
    credentials, heard = answering(answer)
    for _ in range(2):
        with pytest.raises(UnknownOutcome) as caught:
            generate_video(dear_clip(seed=1), credentials=credentials)
        assert "maybe" == caught.value.paid
    assert ["POST /v2/videos HTTP/1.1\r\n"] == heard


def test_what_we_do_not_understand_ourselves_may_have_been_paid(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours behind the answer is no refusal either."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    credentials, heard = answering(HEAD + JSON + b'Content-Length: 24\r\n\r\n{"data":[{"url":"a://b"}]}'[:-2])
    monkeypatch.setattr("prefect_together.engine.claims.Acceptance", broken)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_RESUBMIT_BELOW", "0")
    for _ in range(2):
        with pytest.raises(UnknownOutcome):
            generate_image(picture(seed=1), credentials=credentials)
    assert 1 == len(heard)


SAID = b'{"choices": [{"message": {"content": "Rusty."}, "finish_reason": "stop"}]}'
SOUND = SampleForm(PCM, 16, 24000).header(4800) + bytes(4800)


@pytest.mark.parametrize("media_type", ["application/octet-stream", "text/plain", "audio/wav", ""])
def test_an_answer_is_read_whatever_it_is_called(answering: Answering, media_type: str) -> None:
    """What was asked for says how it is read: words are JSON, and speech is a file unless it is text."""
    head = HEAD + (f"Content-Type: {media_type}\r\n".encode() if media_type else b"")
    credentials, _ = answering(head + b"Content-Length: %d\r\n\r\n" % len(SAID) + SAID)
    asked = ChatRequest(prompt="Name a fox.", model="zai-org/GLM-5.3-Flash", seed=7)
    assert "Rusty." == generate_text(asked, credentials=credentials).text
    if media_type.startswith("text/"):
        return
    credentials, _ = answering(head + b"Content-Length: %d\r\n\r\n" % len(SOUND) + SOUND)
    line = SpeechRequest(input="The sea.", model="hexgrad/Kokoro-82M", voice="af_heart")
    assert 0.1 == generate_speech(line, credentials=credentials).seconds


@pytest.mark.parametrize("response_format", ["wav", "raw"])
@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/problem+json"])
def test_a_page_is_no_sound(answering: Answering, media_type: str, response_format: Any) -> None:
    """Not even where samples without a header were asked for, which any bytes could be."""
    page = b"<html>Please log in</html>"
    credentials, heard = answering(
        HEAD + f"Content-Type: {media_type}\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page
    )
    line = SpeechRequest(input="The sea.", model="hexgrad/Kokoro-82M", voice="af_heart", response_format=response_format)
    with pytest.raises(UnknownOutcome):
        generate_speech(line, credentials=credentials, on_unknown="fail")
    assert 1 == len(heard)
