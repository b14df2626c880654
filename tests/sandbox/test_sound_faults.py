"""What goes wrong with sound: answers that break off, headers that lie, streams that fail, transcripts without their parts."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .sounding import (
    LISTEN,
    SPEECH,
    TEXT,
    TRANSLATE,
    deltas,
    encoded,
    heard,
    listened,
    samples,
    speech_body,
    spoken,
    streamed,
    tone,
    wav,
)  # fmt: skip

SPEAK, HEAR, ENGLISH = (f"POST {path}" for path in (SPEECH, LISTEN, TRANSLATE))


def ask(client: httpx.Client, route: str) -> httpx.Response:
    """Send a good request of a route."""
    if route == SPEAK:
        return client.post(SPEECH, json=speech_body("Hi."))
    return listened(client, wav(tone(0.5, 440)), path=route.removeprefix("POST "), response_format="verbose_json")


def broken(client: httpx.Client, body: dict[str, Any]) -> tuple[str | None, bytes]:
    """Ask for speech whose answer breaks off; return the length that was announced, and what came."""
    got = b""
    with client.stream("POST", SPEECH, json=body) as answer:
        pieces = answer.iter_bytes()
        with contextlib.suppress(httpx.RemoteProtocolError):
            while True:
                got += next(pieces, b"") or pytest.fail("the answer came to its end")
        return answer.headers.get("content-length"), got


@pytest.mark.parametrize("route", [SPEAK, HEAR, ENGLISH])
@pytest.mark.parametrize(
    ("fault", "options", "status", "charges"),
    [
        ("429", {"hint": "retry-after", "wait": 1}, 429, 0),
        ("500", {}, 500, 0),
        ("500", {"charged": True, "code": "processing_failed"}, 500, 1),
        ("413", {"code": "request_too_large"}, 413, 0),
        ("400", {"code": "unsupported_format"}, 400, 0),
        ("402", {}, 402, 0),
        ("close_before_accepting", {}, None, 0),
        ("accept_then_close", {}, None, 1),
        ("accept_then_delay", {"seconds": 0.3}, 200, 1),
        ("html", {}, 200, 1),
        ("edge_block", {}, 403, 0),
        ("answer_cut", {}, None, 1),
    ],
)
def test_what_strikes_everywhere_strikes_sound(
    together: sandbox.Sandbox,
    client: httpx.Client,
    route: str,
    fault: str,
    options: dict[str, Any],
    status: int | None,
    charges: int,
) -> None:
    """Refused, charged and lost, cut, late: as on every endpoint, and what was accepted is a charge."""
    together.fault(route, fault, **options)
    try:
        assert status == ask(client, route).status_code
    except httpx.TransportError:
        assert status is None
    assert charges == len(together.charges())
    assert 200 == ask(client, route).status_code
    assert charges + 1 == len(together.charges())


def test_speech_that_is_cut_short(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Its length is announced, and half of it comes."""
    whole = spoken(client)
    together.fault(SPEAK, "answer_cut")
    length, got = broken(client, speech_body())
    assert (str(len(whole)), whole[: len(whole) // 2]) == (length, got)


def test_speech_that_ends_early_in_silence(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """No length is announced, half comes, and the answer ends as a whole one does; the WAV's header knows better."""
    whole = spoken(client)
    together.fault(SPEAK, "truncated_silently")
    answer = client.post(SPEECH, json=speech_body())
    assert (200, "audio/wav") == (answer.status_code, answer.headers["content-type"])
    assert whole[: len(whole) // 2] == answer.content
    assert "content-length" not in answer.headers


def test_speech_of_no_bytes(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """200, and nothing in it."""
    together.fault(SPEAK, "empty")
    assert b"" == spoken(client)
    assert 1 == len(together.charges())


def test_slow_speech(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Bit by bit, whole and as a stream, so that a client can be killed half-way."""
    whole, stream = spoken(client), streamed(client)
    for _ in range(2):
        together.fault(SPEAK, "slow", seconds=0.5)
    with client.stream("POST", SPEECH, json=speech_body()) as answer:
        pieces = list(answer.iter_raw())
    assert 0.4 < answer.elapsed.total_seconds()
    assert len(pieces) > 1
    assert whole == b"".join(pieces)
    assert stream == streamed(client)


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0])
def test_a_header_that_lies(together: sandbox.Sandbox, client: httpx.Client, value: int) -> None:
    """As streaming encoders write it: 4 GB, or nothing; the samples are all there."""
    honest = spoken(client)
    together.fault(SPEAK, "lying_header", value=value)
    lying = spoken(client)
    stated = value.to_bytes(4, "little")
    assert (stated, stated) == (lying[4:8], lying[lying.index(b"data") + 4 :][:4])
    assert len(honest) == len(lying)
    found = heard(client, lying)
    assert (TEXT, heard(client, honest)["duration"]) == (found["text"], found["duration"])
    assert samples(honest) == samples(spoken(client))


def test_the_lie_is_said_once(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The default is the length that says nothing at all, and the next answer is honest."""
    together.fault(SPEAK, "lying_header")
    assert b"\xff\xff\xff\xff" == spoken(client)[4:8] != spoken(client)[4:8]


def test_a_stream_that_is_cut(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Some sound comes, and no end is said."""
    whole = deltas(streamed(client))
    together.fault(SPEAK, "stream_cut")
    _, got = broken(client, speech_body(stream=True, response_format="raw"))
    events = [json.loads(event.removeprefix("data: ")) for event in got.decode().split("\n\n") if event]
    assert whole.startswith(deltas(events))
    assert 0 < len(deltas(events)) < len(whole)
    assert "[DONE]" not in got.decode()


def test_an_error_in_a_stream(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """200, some sound, and then an error as an event; the characters are charged."""
    together.fault(SPEAK, "stream_error")
    answer = client.post(SPEECH, json=speech_body(stream=True, response_format="raw"))
    *events, _ = answer.text.split("\n\n")
    assert 200 == answer.status_code
    assert "Internal server error" == json.loads(events[-1].removeprefix("data: "))["error"]["message"]
    assert 1 == len(together.charges())


def test_chunks_as_the_sdk_declares_them(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """`object`, `model` and `b64` in the place of `type`, `item_id` and `delta`; the same sound."""
    whole = deltas(streamed(client))
    together.fault(SPEAK, "declared_chunks")
    events = streamed(client, alignment="word")
    assert all({"object", "model", "b64"} == set(event) for event in events)
    assert {"audio.tts.chunk"} == {event["object"] for event in events}
    assert whole == deltas([{"delta": event["b64"]} for event in events])


@pytest.mark.parametrize("route", [HEAR, ENGLISH])
def test_a_transcript_without_its_parts(together: sandbox.Sandbox, client: httpx.Client, route: str) -> None:
    """`segments` and `words` are null, or the length of the recording is not said; the text is there."""
    path, content = route.removeprefix("POST "), spoken(client)
    usual = heard(client, content, path=path)
    together.fault(route, "null_segments")
    assert {**usual, "segments": None, "words": None} == heard(client, content, path=path)
    together.fault(route, "no_duration")
    assert {name: value for name, value in usual.items() if name != "duration"} == heard(client, content, path=path)
    assert usual == heard(client, content, path=path)


def test_faults_find_their_request(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Speech by its text, voice or model; what is heard by the recording's name."""
    together.fault(SPEAK, "500", match="harbour")
    together.fault(SPEAK, "503", match="am_adam")
    together.fault(HEAR, "500", match="talk.mp3")
    assert [200, 500, 503] == [
        client.post(SPEECH, json=speech_body(text, voice=voice)).status_code
        for text, voice in (("Hi.", "af_sky"), ("The harbour", "af_sky"), ("Hi.", "am_adam"))
    ]
    content = encoded(wav(tone(1, 440)), "libmp3lame", "mp3", bit_rate=64_000)
    assert [200, 500] == [listened(client, content, name).status_code for name in ("a.mp3", "talk.mp3")]


@pytest.mark.parametrize(("route", "fault"), [(SPEAK, "null_segments"), (HEAR, "lying_header"), (HEAR, "stream_cut")])
def test_faults_have_their_place(together: sandbox.Sandbox, route: str, fault: str) -> None:
    """What can only happen to speech is refused for what is heard, and the other way round."""
    with pytest.raises(ValueError, match="cannot strike"):
        together.fault(route, fault)
