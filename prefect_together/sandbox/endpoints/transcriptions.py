"""`POST /v1/audio/transcriptions` and `/translations`: check the form, charge the seconds, answer with what was said.

A recording is sent in, or its address is; in a batch it is always the address, and the line says `"method": "FILE"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import AnswerLine, Api, Endpoint, Handler, LineAnswer, account, success
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault, Place
from prefect_together.sandbox.forms import Part, form
from prefect_together.sandbox.recordings import LARGEST_UPLOAD, invalid, too_large
from prefect_together.sandbox.records import Charge, whole
from prefect_together.sandbox.sound import standins
from prefect_together.sandbox.sound.languages import language_of
from prefect_together.sandbox.sound.listening import Heard
from prefect_together.sandbox.sound.transcripts import Transcript, tell_apart

WHISPER = "openai/whisper-large-v3"
TRANSLATES = frozenset({WHISPER})
"""Models that give English for another language."""
SPOILED = frozenset({"null_segments", "no_duration"})
"""Faults that change what is answered, however it is asked."""
LISTS = ("segments", "words", "speaker_segments")
LANGUAGE = re.compile(r"auto|[a-z]{2,3}")
GRANULARITIES = ("segment", "word")
MOST_SPEAKERS = 100
Fields = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Task:
    """What the two endpoints do differently."""

    name: str
    kind: str
    """As what it is charged."""
    route: str
    fields: frozenset[str]


_FIELDS = frozenset({"file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities"})
TRANSCRIBE = Task(
    "transcribe", "transcription", "POST /v1/audio/transcriptions", _FIELDS | {"diarize", "min_speakers", "max_speakers"}
)
TRANSLATE = Task("translate", "translation", "POST /v1/audio/translations", _FIELDS)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a recording, checked."""

    task: Task
    model: str
    language: str | None
    """None for whichever is heard."""
    prompt: str
    verbose: bool
    words: bool
    diarize: bool
    most_speakers: int | None


def _handler(task: Task) -> Handler:
    async def answer(api: Api, request: HttpRequest) -> Response:
        owner = account(request)
        async with form(request, most=LARGEST_UPLOAD) as parts:
            asked = read_fields(_texts(parts), task)
            file = next(part for part in parts if part.name == "file")
            if file.filename is not None and file.size > LARGEST_UPLOAD:
                raise too_large()
            name = whole(file.filename or file.text)
            fault = api.switchboard.take(task.route, f"{name} {asked.model} {asked.prompt}")
            heard = await api.read(_listening(api, file))
        found = await api.read(lambda: _transcript(asked, heard))
        answer_id = error_messages.request_id()

        async def accept(_: Fault | None) -> None:
            api.store.accept(charge=_charge(api, answer_id, asked, heard, name, owner), files={})

        async def respond() -> Response:
            return success(_spoiled(_body(found, asked, found.short()), fault), answer_id)

        return await apply_fault(fault, accept, respond)

    return answer


def _line_answerer(task: Task) -> AnswerLine:
    async def answer_line(api: Api, body: Mapping[str, Any], account: str) -> LineAnswer:
        asked = read_fields({name: _as_texts(value) for name, value in body.items()}, task)
        address = str(body["file"])
        fault = api.switchboard.take(task.route, f"{address} {asked.model} {asked.prompt}", names=SPOILED)
        heard = await api.read(lambda: api.recordings.at_address(_address(address)))
        found = await api.read(lambda: _transcript(asked, heard))
        charge = _charge(api, error_messages.request_id(), asked, heard, address, account)
        return LineAnswer(_spoiled(_body(found, asked, found.line()), fault), charge)

    return answer_line


def read_fields(fields: Fields, task: Task) -> Asked:
    """Check what a form says, or raise the refusal of the first thing that is wrong."""
    for name in fields:
        if name not in task.fields:
            raise invalid(name, "one of the documented parameters")
    model = _text(fields, "model") or WHISPER
    known = checks.known_model({"model": model}, "transcription")
    if task is TRANSLATE and known is not None and known.id not in TRANSLATES:
        raise error_messages.no_model(model)
    if "file" not in fields:
        raise error_messages.Refusal(400, "Missing required parameter: 'file'.", param="file", code="invalid_params")
    language = _text(fields, "language")
    if language and not LANGUAGE.fullmatch(language):
        raise invalid("language", "an ISO 639-1 code, or 'auto'")
    shape = _word(fields, "response_format", ("json", "verbose_json"))
    if not 0 <= _number(fields, "temperature", float, "a number between 0 and 1", 0.0) <= 1:
        raise invalid("temperature", "a number between 0 and 1")
    granularities = fields.get("timestamp_granularities") or ("segment",)
    if any(one not in GRANULARITIES for one in granularities):
        raise invalid("timestamp_granularities", "'segment', 'word', or both")
    diarize = _word(fields, "diarize", ("false", "true"))
    least, most = (_speakers(fields, name) for name in ("min_speakers", "max_speakers"))
    if least is not None and most is not None and least > most:
        raise invalid("min_speakers", "at most max_speakers")
    return Asked(
        task=task, model=model, language=None if language in ("", "auto") else language, prompt=_text(fields, "prompt"),
        # The documentation's examples ask for speakers alone, and read what only the long answer has.
        verbose=shape == "verbose_json" or diarize == "true", words="word" in granularities, diarize=diarize == "true",
        most_speakers=most,
    )  # fmt: skip


def _texts(parts: list[Part]) -> Fields:
    """Return the fields of a form; the model must be known before the file comes, as the edge routes by it."""
    texts = dict[str, tuple[str, ...]]()
    for part in parts:
        name = part.name.removesuffix("[]")
        if name == "model" and "file" in texts:
            raise invalid("model", "it to be sent before the file")
        text = "" if name == "file" and part.filename is not None else part.text
        texts[name] = (*texts.get(name, ()), text)
    return texts


def _as_texts(value: Any) -> tuple[str, ...]:
    """Return a JSON value of a batch's line as a form would send it."""
    if isinstance(value, list):
        return tuple(text for one in cast("list[Any]", value) for text in _as_texts(one))
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _text(fields: Fields, name: str) -> str:
    return fields.get(name, ("",))[-1]


def _word(fields: Fields, name: str, allowed: tuple[str, ...]) -> str:
    """Return one word out of a closed set, the first of which is the default."""
    text = _text(fields, name) or allowed[0]
    if text not in allowed:
        raise invalid(name, "one of " + ", ".join(f"'{word}'" for word in allowed))
    return text


def _number(fields: Fields, name: str, read: Callable[[str], float], expected: str, default: float) -> float:
    try:
        return read(_text(fields, name) or str(default))
    except ValueError:
        raise invalid(name, expected) from None


def _speakers(fields: Fields, name: str) -> int | None:
    if not _text(fields, name):
        return None
    count = int(_number(fields, name, int, "a whole number", 1))
    if not 1 <= count <= MOST_SPEAKERS:
        raise invalid(name, f"a number between 1 and {MOST_SPEAKERS}")
    return count


def _listening(api: Api, file: Part) -> Callable[[], Heard]:
    if file.filename is not None:
        return lambda: api.recordings.in_file(file.file)
    return lambda: api.recordings.at_address(_address(file.text))


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise invalid("file", "an audio file, or a public http or https address")
    return text


def _transcript(asked: Asked, heard: Heard) -> Transcript:
    spoken = heard.words
    language = asked.language or language_of([word.text for word in spoken])
    if asked.task is TRANSLATE:
        # The language of a translation is the one that it is in; the documentation offers English alone.
        heard_in = language_of([word.text for word in spoken])
        spoken, language = (spoken if heard_in == "en" else tuple(standins.english(spoken))), "en"
    speakers = tell_apart(spoken, asked.most_speakers) if asked.diarize else None
    return Transcript(asked.task.name, language, heard.seconds, spoken, speakers)


def _body(found: Transcript, asked: Asked, short: Mapping[str, Any]) -> dict[str, Any]:
    return found.verbose(words=asked.words) if asked.verbose else dict(short)


def _spoiled(body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    if fault is not None and fault.name == "no_duration":
        return {name: value for name, value in body.items() if name != "duration"}
    if fault is not None and fault.name == "null_segments":
        return {name: None if name in LISTS else value for name, value in {**body, "segments": None, "words": None}.items()}
    return body


def _charge(api: Api, answer_id: str, asked: Asked, heard: Heard, name: str, owner: str) -> Charge:
    body = {"model": asked.model, "seconds": heard.seconds}
    return api.charge(answer_id, kind=asked.task.kind, body=body, prompt=name, account=owner)


ENDPOINTS = tuple(
    Endpoint(route=task.route, handle=_handler(task), faults=Place.CALL | Place.TRANSCRIPT, answer_line=_line_answerer(task))
    for task in (TRANSCRIBE, TRANSLATE)
)
