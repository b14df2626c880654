"""What an answer about a recording says and costs, and how those about its pieces become one. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from prefect_together import catalog
from prefect_together._internal.readers import as_list, as_mapping, as_text
from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.policy import Policy
from prefect_together.generations.request import is_remote
from prefect_together.generations.results import ResultFacts
from prefect_together.generations.spec import (
    ColumnType,
    Payload,
    ResponseFormatError,
    Value,
)
from prefect_together.generations.spoken import RecordingRequest, clock
from prefect_together.generations.transcript import Transcript

RequestT = TypeVar("RequestT", bound=RecordingRequest)
ResultT = TypeVar("ResultT", bound=Transcript)


def parse(answer: Any) -> Payload:
    """Read an answer; what is missing of times and speakers is empty, for the words were paid for."""
    body = as_mapping(answer)
    if not isinstance(body.get("text"), str) or body.get("error"):
        raise ResponseFormatError("the answer holds no text")
    speaking = [as_mapping(one) for one in as_list(body.get("speaker_segments"))]
    words = as_list(body.get("words")) or [word for one in speaking for word in as_list(one.get("words"))]
    seconds = _number(body.get("duration"))
    return Value(
        {
            "content": body["text"].strip(),
            "language": as_text(body.get("language")),
            "seconds": seconds if seconds is None or seconds >= 0 else None,
            "segments": _told(_segments(as_list(body.get("segments"))), _segments(speaking)),
            "speaker_segments": _segments(speaking),
            "words": [word for one in words if (word := _word(as_mapping(one)))],
        }
    )


def _segments(found: Sequence[Any]) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = []
    for place, one in enumerate(map(as_mapping, found)):
        start, end, text, number = _number(one.get("start")), _number(one.get("end")), one.get("text"), one.get("id")
        if start is None or end is None or not isinstance(text, str) or not text.strip():
            continue
        number = number if type(number) is int else place
        segments.append(_with_speaker({"id": number, "start": start, "end": max(start, end), "text": text.strip()}, one))
    return segments


def _told(segments: Sequence[dict[str, Any]], speaking: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return segments with who says the most of each, where somebody was told apart."""

    def of(segment: Mapping[str, Any]) -> dict[str, Any]:
        heard = [
            (min(one["end"], segment["end"]) - max(one["start"], segment["start"]), one.get("speaker")) for one in speaking
        ]
        most, speaker = max(heard, key=lambda one: one[0], default=(0.0, None))
        return {**segment, "speaker": speaker} if speaker and most > 0 else dict(segment)

    return [of(segment) for segment in segments]


def _word(one: Mapping[str, Any]) -> dict[str, Any] | None:
    start, end, word = _number(one.get("start")), _number(one.get("end")), one.get("word")
    if start is None or end is None or not isinstance(word, str) or not word.strip():
        return None
    return _with_speaker({"word": word.strip(), "start": start, "end": max(start, end)}, one)


def _with_speaker(fields: dict[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    speaker = as_text(one.get("speaker_id"))
    return {**fields, "speaker": speaker} if speaker else fields


def _number(found: Any) -> float | None:
    return float(found) if type(found) in {int, float} and math.isfinite(found) else None


def cost(request: RecordingRequest, payload: Payload) -> Decimal | None:
    """Return what an answer cost: the length that was heard at the list price; None where it does not say how long."""
    seconds = payload.content.get("seconds") if isinstance(payload, Value) else None
    return catalog.estimate(request.model, {"seconds": seconds}) if seconds else None


def fields_of(request: RecordingRequest, value: Value, facts: ResultFacts) -> dict[str, Any]:
    """Return the fields of a transcript; times count from the start of the recording, of which a part may have been sent."""
    content = dict(value.content)
    for name in ("segments", "speaker_segments", "words"):
        content[name] = [_later(one, request.start or 0.0) for one in content.get(name) or ()]
    return {**facts.fields(request), **content}


def _later(one: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    return (
        {**one, "start": round(one["start"] + seconds, 3), "end": round(one["end"] + seconds, 3)} if seconds else dict(one)
    )


def row(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in a table for a transcript that was written down."""
    said = (*(fields.get("speaker_segments") or ()), *(fields.get("words") or ()))
    return {
        "text": fields.get("content"),
        "language": fields.get("language"),
        "seconds": fields.get("seconds"),
        "segments": len(fields.get("segments") or ()),
        "speakers": len({one["speaker"] for one in said if one.get("speaker")}),
    }


def not_in_a_batch(request: RecordingRequest) -> str | None:
    """Return why a recording cannot go into a batch at Together, or None where it can."""
    if isinstance(request.file, str) and is_remote(request.file):
        return None
    return "which take recordings by http(s) URLs only, and this one is a file"


def split(request: RequestT, _: Policy) -> Sequence[RequestT]:
    """Return requests for the pieces of a recording that is longer than Together takes; none where it is not."""
    return request.parts()


def joined(request: RecordingRequest, fingerprint: str, results: Sequence[ResultT], _: DerivedMedia | None) -> ResultT:
    """Return the transcript of a long recording, made of those of its pieces, whose times count from its start already."""
    said: dict[str, Any] = {"segments": [], "speaker_segments": [], "words": []}
    for number, result in enumerate(results, 1):
        for name, found in said.items():
            found += [_of_piece(one, number) for one in getattr(result, name)]
    for name in ("segments", "speaker_segments"):
        said[name] = [one.model_copy(update={"id": place}) for place, one in enumerate(said[name])]
    cuts = ", ".join(clock(result.request.start or 0.0) for result in results[1:])
    changes = [f"heard in {len(results)} pieces, cut where it is quiet: at {cuts}"]
    if any(result.speakers for result in results):
        changes.append("speakers are told apart for each piece by itself: whoever speaks in several has several names")
    languages = dict.fromkeys(result.language for result in results if result.language)
    changed = {
        "request": request,
        "fingerprint": fingerprint,
        "created_at": max(result.created_at for result in results),
        "content": " ".join(filter(None, (result.content for result in results))),
        "language": ", ".join(languages) or None,
        "seconds": _sum([result.seconds for result in results]),
        "changes": tuple(changes),
        **{name: tuple(found) for name, found in said.items()},
    }
    return results[0].model_copy(update=changed)


def _of_piece(one: Any, number: int) -> Any:
    return one.model_copy(update={"speaker": f"{number}:{one.speaker}"}) if one.speaker else one


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, 0.0) if len(known) == len(amounts) else None


COLUMNS: Mapping[str, ColumnType] = {
    "text": "string",
    "language": "string",
    "seconds": "float64",
    "segments": "int64",
    "speakers": "int64",
}
