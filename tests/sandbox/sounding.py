"""Short ways to have text spoken and heard, and to do to sound what flows do; asserts nothing but that answers are answers."""

from __future__ import annotations

import array
import base64
import io
import json
import math
import wave
from collections.abc import Sequence
from typing import Any

import httpx

from .asking import reader

SPEECH, LISTEN, TRANSLATE = "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"
KOKORO, ORPHEUS, CARTESIA = "hexgrad/Kokoro-82M", "canopylabs/orpheus-3b-0.1-ft", "cartesia/sonic-3"
WHISPER, PARAKEET = "openai/whisper-large-v3", "nvidia/parakeet-tdt-0.6b-v3"
TEXT = "The keeper wakes before dawn, climbs the stairs and lights the lamp. Nobody sees him; the ships pass far away!"


def speech_body(text: str = TEXT, **fields: Any) -> dict[str, Any]:
    """Return a request to speak, changed as told; None removes a field."""
    body = {"model": KOKORO, "input": text, "voice": "af_heart", **fields}
    return {name: value for name, value in body.items() if value is not None}


def spoken(client: httpx.Client, text: str = TEXT, **fields: Any) -> bytes:
    """Have a text spoken and return the file."""
    answer = client.post(SPEECH, json=speech_body(text, **fields))
    assert answer.status_code == 200, answer.text
    return answer.content


def streamed(client: httpx.Client, text: str = TEXT, **fields: Any) -> list[dict[str, Any]]:
    """Have a text spoken as a stream and return its events, checking that the end is said."""
    answer = client.post(SPEECH, json=speech_body(text, stream=True, response_format="raw", **fields))
    assert answer.headers["content-type"] == "text/event-stream", answer.text
    *events, end, rest = answer.text.split("\n\n")
    assert ("data: [DONE]", "") == (end, rest)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def deltas(events: Sequence[dict[str, Any]]) -> bytes:
    """Put the sound of a stream together."""
    return b"".join(base64.b64decode(event["delta"]) for event in events if "delta" in event)


def listened(
    client: httpx.Client, content: bytes, name: str = "a.wav", *, path: str = LISTEN, model: str = WHISPER, **fields: Any
) -> httpx.Response:
    """Send a recording and return the answer as it came."""
    return client.post(path, data={"model": model, **fields}, files={"file": (name, content)})


def heard(client: httpx.Client, content: bytes, **fields: Any) -> dict[str, Any]:
    """Send a recording and return the long answer, with words."""
    asked: dict[str, Any] = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"], **fields}
    answer = listened(client, content, **asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def linked(client: httpx.Client, address: str, *, path: str = LISTEN, **fields: Any) -> httpx.Response:
    """Send the address of a recording as a field of text."""
    texts = {"model": WHISPER, "response_format": "verbose_json", **fields, "file": address}
    return client.post(path, files=[(name, (None, str(value))) for name, value in texts.items()])


def shape(content: bytes) -> tuple[str, int, int, float]:
    """Return codec, samples in a second, channels and seconds of a recording, decoded to its end."""
    with reader.open(io.BytesIO(content)) as source:
        (stream,) = source.streams.audio
        samples = sum(frame.samples for frame in source.decode(audio=0))
        context = stream.codec_context
        return context.name, context.sample_rate, context.channels, samples / context.sample_rate


def samples(content: bytes, rate: int = 24_000) -> list[int]:
    """Decode a recording of any kind to samples of 16 bits of one channel."""
    found = array.array("h")
    with reader.open(io.BytesIO(content)) as source:
        resampler = reader.AudioResampler(format="s16", layout="mono", rate=rate)
        frames = [piece for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
        for piece in (*frames, *resampler.resample(None)):
            found.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
    return found.tolist()


def wav(values: Sequence[float], rate: int = 24_000) -> bytes:
    """Write samples as a WAV file, cutting what is too loud."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", [max(-32_768, min(32_767, round(value))) for value in values]).tobytes())
    return target.getvalue()


def tone(seconds: float, frequency: float, loud: float = 0.3, rate: int = 24_000) -> list[float]:
    """Return the samples of a single tone."""
    turn = 2 * math.pi * frequency / rate
    return [32_767 * loud * math.sin(turn * at) for at in range(round(seconds * rate))]


def encoded(content: bytes, codec: str, form: str, *, bit_rate: int, rate: int = 48_000, layout: str = "mono") -> bytes:
    """Encode a recording anew."""
    target_file = io.BytesIO()
    with reader.open(io.BytesIO(content)) as source, reader.open(target_file, "w", format=form) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = layout, bit_rate
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return target_file.getvalue()


def soundtrack(film: bytes) -> bytes:
    """Take the sound of a film out of it, as M4A, without encoding it anew."""
    target_file = io.BytesIO()
    with reader.open(io.BytesIO(film)) as source, reader.open(target_file, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return target_file.getvalue()
