"""`POST /v1/audio/speech`: check what is asked, charge its characters, and answer with sound, whole or as a stream."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, json_body
from prefect_together.sandbox.broken_responses import Stream, paced
from prefect_together.sandbox.chat.shapes import DONE, event
from prefect_together.sandbox.chat.spoiling import broken
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault, Place
from prefect_together.sandbox.file_server import faulty
from prefect_together.sandbox.records import whole
from prefect_together.sandbox.sound import files
from prefect_together.sandbox.sound.speaking import Sentence, say

SPEAK = "POST /v1/audio/speech"
FIELDS = frozenset({
    "model", "input", "voice", "response_format", "response_encoding", "sample_rate", "bit_rate", "language", "stream",
    "extra_params", "alignment", "segment", "speed",
})  # fmt: skip
FORMATS = {"wav": "audio/wav", "mp3": "audio/mpeg", "raw": "application/octet-stream", "mulaw": "application/octet-stream"}
STREAMED = ("raw", "mulaw")
RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
"""Hz. Not Together's: what the encoders here take, at any of their bit rates."""
BIT_RATES = (32_000, 64_000, 96_000, 128_000, 192_000)
DEFAULT_RATE, DEFAULT_BIT_RATE = 44_100, 128_000
MAX_CHARACTERS = 10_000
"""Not Together's, which says nothing: keeps one absurd request from eating the machine."""
DELTA_SECONDS = 0.25
"""How much sound an event of a stream carries."""
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to speak, checked."""

    model: str
    text: str
    """What is said: the input, with the words replaced whose pronunciation is given."""
    voice: str
    form: str
    encoding: str
    rate: int
    bit_rate: int
    speed: float
    stream: bool
    aligned: bool

    def say(self) -> Iterator[Sentence]:
        """Yield what is said, sentence by sentence."""
        return say(self.text, model=self.model, voice=self.voice, rate=self.rate, speed=self.speed)


async def speak(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/audio/speech`."""
    owner = account(request)
    body = await json_body(request)
    asked = read_body(body)
    said = whole(str(body["input"]))
    answer_id = error_messages.request_id()
    fault = api.switchboard.take(SPEAK, f"{said} {asked.voice} {asked.model}")

    async def accept(_: Fault | None) -> None:
        api.store.accept(charge=api.charge(answer_id, kind="speech", body=body, prompt=said, account=owner), files={})

    async def answer() -> Response:
        headers = {"x-request-id": answer_id}
        if asked.stream:
            return _streamed(await api.read(lambda: list(_events(asked, fault))), headers, fault)
        headers["content-type"] = FORMATS[asked.form]
        return _whole(await api.read(lambda: _sound(asked, fault)), headers, fault)

    return await apply_fault(fault, accept, answer)


def read_body(body: checks.Body) -> Asked:
    """Check the body, or raise the refusal of the first thing that is wrong."""
    model = checks.known_model(body, "speech")
    if model is not None and not model.listed:
        raise error_messages.no_model(model.id)
    checks.known_fields(body, FIELDS)
    text, voice = _text(body, "input"), _text(body, "voice")
    if len(text) > MAX_CHARACTERS:
        raise error_messages.out_of_range("The length of input", 1, MAX_CHARACTERS)
    name = str(body["model"])
    if (missing := catalog.unknown_voice(name, voice)) is not None:
        message = f"Voice '{missing}' is not available for model {name}. See GET /v1/voices?model={name}."
        raise error_messages.Refusal(400, message, param="voice", code="invalid_voice")
    checks.booleans(body, ("stream",))
    checks.numbers(body, ("speed",))
    form = checks.one_of(body, "response_format", tuple(FORMATS), "wav")
    encoding = checks.one_of(body, "response_encoding", tuple(files.ENCODINGS), "pcm_f32le")
    alignment = checks.one_of(body, "alignment", ("none", "word"), "none")
    checks.one_of(body, "segment", ("sentence", "immediate", "never"), "sentence")
    if not LANGUAGE.fullmatch(str(body.get("language") or "en")):
        raise error_messages.wrong_type("language", "an ISO 639-1 code such as 'en', or a locale such as 'zh-hk'")
    asked = Asked(
        model=name, text=_pronounced(body, whole(text)), voice=voice, form=form,
        encoding=encoding if model is None or encoding in model.encodings else "pcm_s16le",
        rate=_rate(body, model), bit_rate=_one_number(body, "bit_rate", BIT_RATES, DEFAULT_BIT_RATE),
        speed=min(2.0, max(0.5, float(body.get("speed") or 1.0))), stream=body.get("stream") is True,
        aligned=alignment == "word",
    )  # fmt: skip
    _check_stream(asked, model)
    return asked


def _check_stream(asked: Asked, model: catalog.Model | None) -> None:
    if not asked.stream:
        return
    if model is not None and model.takes.get("stream") is False:
        raise error_messages.unsupported_use("stream")
    if asked.form not in STREAMED:
        message = f"Streaming is not supported with response_format '{asked.form}'. Supported values are: 'raw'."
        raise error_messages.Refusal(400, message, param="response_format")


def _text(body: checks.Body, name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise error_messages.missing(name)
    if not isinstance(value, str) or not value.strip():
        raise error_messages.wrong_type(name, "a string that is not empty")
    return value


def _one_number(body: checks.Body, name: str, allowed: Sequence[int], default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or value not in allowed:
        raise error_messages.wrong_type(name, "one of " + ", ".join(map(str, allowed)))
    return int(cast("int", value))


def _rate(body: checks.Body, model: catalog.Model | None) -> int:
    """Return the rate of the samples: what is asked for, but of models that have one rate only."""
    value = body.get("sample_rate")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise error_messages.wrong_type("sample_rate", "an integer")
    if model is not None and model.sample_rates:
        return model.sample_rates[0]
    return _one_number(body, "sample_rate", RATES, DEFAULT_RATE)


def _pronounced(body: checks.Body, text: str) -> str:
    """Return the text as it is said: words of the dictionary are replaced by how they are pronounced."""
    extra: Any = body.get("extra_params")
    if extra is None:
        return text
    if not isinstance(extra, dict):
        raise error_messages.wrong_type("extra_params", "an object")
    for entry in checks.strings(cast("dict[str, Any]", extra), "pronunciation_dict"):
        source, slash, spoken = entry.partition("/")
        if not slash or not source:
            raise error_messages.wrong_type("pronunciation_dict", "an array of 'source/replacement'")
        text = text.replace(source, spoken)
    return text


def _sound(asked: Asked, fault: Fault | None) -> bytes:
    """Return the whole answer, in the form that was asked for."""
    samples = b"".join(sentence.samples for sentence in asked.say())
    if asked.form == "wav":
        stated = int(fault.options["value"]) if fault is not None and fault.name == "lying_header" else None
        return files.wav(samples, asked.rate, text=asked.text, stated=stated)
    if asked.form == "mp3":
        return files.mp3(samples, asked.rate, bit_rate=asked.bit_rate)
    return files.bare(samples, asked.rate, encoding="pcm_mulaw" if asked.form == "mulaw" else asked.encoding)


def _whole(content: bytes, headers: dict[str, str], fault: Fault | None) -> Response:
    if fault is not None and fault.name == "empty":
        return Response(b"", headers=headers)
    if fault is not None and fault.name in ("truncated_silently", "slow"):
        return faulty(fault, content, headers)
    return Response(content, headers=headers)


def _events(asked: Asked, fault: Fault | None) -> Iterator[bytes]:
    """Yield the events of a stream: sound bit by bit, and after each sentence the times of its words."""
    declared = fault is not None and fault.name == "declared_chunks"
    encoding = "pcm_mulaw" if asked.form == "mulaw" else asked.encoding
    step = 2 * round(DELTA_SECONDS * asked.rate)
    for sentence in asked.say():
        for at in range(0, len(sentence.samples), step):
            sound = files.bare(sentence.samples[at : at + step], asked.rate, encoding=encoding)
            delta = base64.b64encode(sound).decode()
            if declared:
                yield event({"object": "audio.tts.chunk", "model": asked.model, "b64": delta})
            else:
                yield event({"type": "conversation.item.audio_output.delta", "item_id": "tts_1", "delta": delta})
        if asked.aligned and not declared:
            yield event({
                "type": "conversation.item.word_timestamps",
                "words": [word.text for word in sentence.words],
                "start_seconds": [round(word.start, 4) for word in sentence.words],
                "end_seconds": [round(word.end, 4) for word in sentence.words],
            })  # fmt: skip
    yield DONE


def _streamed(found: list[bytes], headers: dict[str, str], fault: Fault | None) -> Response:
    name = "" if fault is None else fault.name
    pieces = broken(found, name) if name in ("stream_cut", "stream_error") else found
    wait = float(fault.options["seconds"]) / len(found) if fault is not None and name == "slow" else 0.0
    headers = {**headers, "content-type": "text/event-stream", "cache-control": "no-cache"}
    return Stream(paced(pieces, wait), headers=headers, length=None, cut=name == "stream_cut")


ENDPOINTS = (Endpoint(route=SPEAK, handle=speak, faults=Place.CALL | Place.SPEECH),)
