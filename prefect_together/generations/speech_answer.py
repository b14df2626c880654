"""Reads what ``POST /v1/audio/speech`` answers: a file, or events with sound and the times of words. No I/O here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from prefect_together._internal.answer_file import AnswerFile
from prefect_together._internal.event_stream import Events
from prefect_together._internal.readers import as_list, as_mapping, as_number, as_text
from prefect_together.generations.formats import HEAD, Incoming
from prefect_together.generations.spec import Blobs, Payload, ResponseFormatError

_CHUNK = 1024 * 1024


def parse(answer: Any) -> Payload:
    """Read an answer: a file, or events with pieces of sound and the times of words (together-other-types.md 5.2)."""
    if isinstance(answer, AnswerFile):
        _check(answer)
        return Blobs((answer,))
    if isinstance(answer, Events):
        return _joined(answer)
    said = as_text(as_mapping(as_mapping(answer).get("error")).get("message"))
    raise ResponseFormatError(f"the answer is an error: {said}" if said else "the answer holds no sound")


def _check(answer: AnswerFile) -> None:
    """Look whether a file is all there, by what it says of itself."""
    if not answer.size:
        raise ResponseFormatError("the answer holds no sound: it is empty")
    answer.content.seek(0)
    head = answer.content.read(HEAD)
    if not answer.media_type.startswith("audio/") and not head.startswith(b"RIFF"):
        return  # bare samples, which may look like the start of anything
    incoming = Incoming(head)
    answer.content.seek(0)
    while chunk := answer.content.read(_CHUNK):
        incoming.feed(chunk)
    if incoming.format is not None and not incoming.whole():
        what = f"the sound is cut off: {answer.size:,} bytes of {incoming.format.media_type} without its end"
        raise ResponseFormatError(what)


def _joined(events: Events) -> Blobs:
    sound, words = bytearray(), list[dict[str, Any]]()
    for event in events.items:
        if error := event.get("error"):
            said = as_text(as_mapping(error).get("message")) or str(error)
            raise ResponseFormatError(
                f"the sound broke off after {len(sound):,} bytes, which are lost, with an error: {said}"
            )
        # The documentation's chunks have `delta`, the SDK's class says `b64`.
        if piece := as_text(event.get("delta")) or as_text(event.get("b64")):
            try:
                sound += base64.b64decode(piece, validate=True)
            except (binascii.Error, ValueError):
                raise ResponseFormatError("the answer holds sound that is not valid base64") from None
        words += _words(event)
    if not events.complete:
        raise ResponseFormatError(f"the sound broke off after {len(sound):,} bytes, which are lost")
    if not sound:
        raise ResponseFormatError("the answer holds no sound")
    return Blobs((bytes(sound),), content={"words": words})


def _words(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the times of words; a word without both is left out."""
    found = zip(
        as_list(event.get("words")), as_list(event.get("start_seconds")), as_list(event.get("end_seconds")), strict=False
    )
    read = [(as_text(word), as_number(start), as_number(end)) for word, start, end in found]
    return [
        {"word": word, "start": start, "end": end}
        for word, start, end in read
        if word and start is not None and end is not None
    ]
