"""What comes back from speech: a recording, its length, the times of its words and its price. No I/O but of kept files."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from prefect_together import catalog
from prefect_together._internal.optional import library
from prefect_together.generations.derived import DerivedMedia, Spliced
from prefect_together.generations.description import Description
from prefect_together.generations.formats import Shape
from prefect_together.generations.kept_file import KeptFile, StoredFile
from prefect_together.generations.parts import JoinedFile, Parts
from prefect_together.generations.policy import Policy
from prefect_together.generations.request import MediaReference
from prefect_together.generations.results import GeneratedMedia, ResultFacts
from prefect_together.generations.sentences import sentence_pieces
from prefect_together.generations.sound_joining import encode, join_wavs
from prefect_together.generations.sound_shape import ALAW, FLOAT, MULAW, PCM, SampleForm, wav_head
from prefect_together.generations.spec import (
    GenerationSpec,
    Keeping,
    Payload,
)
from prefect_together.generations.speech import SAID, SpeechRequest
from prefect_together.generations.speech_answer import parse
from prefect_together.generations.timed_text import Word, spoken_lines

_ENCODINGS = {"pcm_f32le": (FLOAT, 32), "pcm_s16le": (PCM, 16), "pcm_mulaw": (MULAW, 8), "pcm_alaw": (ALAW, 8)}
_RATE = 44100
_BARE = ("raw", "mulaw")
"""Formats that come without a header."""
_MEDIA_TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac"}
SOUNDS = ("audio/wav", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aac", "audio/mp4")


class GeneratedAudio(GeneratedMedia):
    """A recording of a text, kept, that can be opened; may be given to any request that takes sound.

    ``cost`` is the price of its characters at the list price of that day; None where no price is known.
    """

    kind: ClassVar[str] = "speech"

    request: SpeechRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    seconds: float | None = None
    """Length in seconds, measured from the samples."""
    sample_rate: int | None = None
    """Samples per second."""
    channels: int | None = None
    """Channels; speech has one."""
    words: tuple[Word, ...] = ()
    """The words with their times, where ``alignment="word"`` asked for them."""
    pieces: tuple[MediaReference, ...] = ()
    """The recordings that it was joined from, where the text was long."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def text(self) -> str:
        """What is said."""
        return self.request.input

    @property
    def voice(self) -> str:
        """Who says it."""
        return self.request.voice

    @property
    def characters(self) -> int:
        """How many characters were paid for."""
        return self.request.characters

    @property
    def shape(self) -> Shape:
        """What it measures."""
        return Shape(seconds=self.seconds, sample_rate=self.sample_rate, channels=self.channels)

    def made_from(self) -> tuple[MediaReference, ...]:
        """Return the recordings that it was joined from."""
        return self.pieces

    def description(self) -> Description:
        """Return what is said, and how."""
        facts = {"Voice": self.voice, "Characters": f"{self.characters:,}"}
        if self.sample_rate:
            facts["Sound"] = f"{self.sample_rate:,} Hz, " + ("mono" if self.channels == 1 else f"{self.channels} channels")
        if self.pieces:
            facts["Pieces"] = f"{len(self.pieces):,}"
        return Description(lines=tuple(spoken_lines(self.words)), texts=(self.text,), facts=facts)

    def span_attributes(self) -> dict[str, Any]:
        """Return what only this type says of its results in a trace span."""
        return {"prefect_together.sound_seconds": self.seconds} if self.seconds else {}


def _head(request: SpeechRequest, head: bytes, size: int) -> tuple[bytes, int]:
    """Return a WAV's header for samples that came without one, and the true one where an encoder did not know it yet."""
    if request.format in _BARE and not head.startswith(b"RIFF"):  # bare samples may look like the start of anything
        return _form(request).header(size), 0
    found = wav_head(io.BytesIO(head))
    if found is None or not found.lies(size):
        return b"", 0
    return found.form.header(found.size(size)), found.start


def _form(request: SpeechRequest) -> SampleForm:
    """Return how samples are written that come without a header: as asked for, where the model has the choice."""
    model = catalog.find(request.model)
    encodings, rates = (model.encodings, model.sample_rates) if model else ((), ())
    encoding = "pcm_mulaw" if request.format == "mulaw" else request.response_encoding or "pcm_f32le"
    if request.format != "mulaw" and encodings and encoding not in encodings:
        encoding = encodings[0]
    rate = request.sample_rate or _RATE
    if rates and rate not in rates:
        rate = rates[0]
    return SampleForm(*_ENCODINGS[encoding], rate)


def _build(request: SpeechRequest, stored: StoredFile, facts: ResultFacts) -> GeneratedAudio:
    shape = stored.shape
    measures: dict[str, Any] = {"seconds": shape.seconds, "sample_rate": shape.sample_rate, "channels": shape.channels}
    return GeneratedAudio(**facts.file_fields(request, stored), **measures, words=facts.reported.get("words") or ())


def _cost(request: SpeechRequest, _: Payload) -> Decimal | None:
    return catalog.estimate(request.model, request.given())


# A long text: spoken sentence by sentence.


def _split(request: SpeechRequest, policy: Policy) -> list[SpeechRequest]:
    if request.characters <= policy.speech_characters:
        return [request]
    changed: dict[str, Any] = {}
    if request.format not in {"wav", *_BARE}:
        library("av", "Compressed recordings of long texts", extra="media")  # before anything is paid
        changed = {"response_format": "wav", "bit_rate": None}
    pieces = sentence_pieces(request.input, policy.speech_characters)
    # The stars between two scenes are a piece in which nothing is to be said: no model takes that.
    said = [piece for piece in pieces if re.search(SAID, piece)]
    return [request.model_copy(update={**changed, "input": piece}) for piece in said]


def _write(request: SpeechRequest, _: Sequence[GeneratedAudio], files: Sequence[KeptFile], path: Path) -> Spliced:
    media_type = _media_type(request)
    if media_type == "audio/wav":
        return Spliced(changes=join_wavs([file.path() for file in files], path))
    joined = path.with_name("joined.wav")
    changes = join_wavs([file.path() for file in files], joined)
    encode(joined, path, media_type, request.bit_rate)
    return Spliced(reencoded=True, changes=(*changes, f"encoded once, as {request.format}, from lossless pieces"))


def _encoding(request: SpeechRequest) -> tuple[str, ...]:
    return () if _media_type(request) == "audio/wav" else (request.format, str(request.bit_rate))


def _media_type(request: SpeechRequest) -> str:
    return _MEDIA_TYPES.get(request.format, "audio/wav")


def _join(
    request: SpeechRequest, fingerprint: str, results: Sequence[GeneratedAudio], file: DerivedMedia | None
) -> GeneratedAudio:
    words, at = list[Word](), 0.0
    for result in results:
        shifted = [{"start": word.start + at, "end": word.end + at} for word in result.words]
        words += [word.model_copy(update=times) for word, times in zip(result.words, shifted, strict=True)]
        at += result.seconds or 0.0
    costs, estimates = [result.cost for result in results], [result.estimated_cost for result in results]
    kept: DerivedMedia | GeneratedAudio = file or results[0]
    return GeneratedAudio(
        **kept.reference().model_dump(),
        model=request.model,
        cost=_total(costs),
        estimated_cost=_total(estimates),
        fingerprint=fingerprint,
        request=request,
        seconds=kept.shape.seconds,
        sample_rate=kept.shape.sample_rate,
        channels=kept.shape.channels,
        words=tuple(words),
        pieces=tuple(result.reference() for result in results),
    )


def _total(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


SPEC = GenerationSpec(
    kind="speech",
    request=SpeechRequest,
    result=GeneratedAudio,
    path="/v1/audio/speech",
    accept="audio/*, application/octet-stream, text/event-stream, application/json",
    parse=parse,
    head=_head,
    build=_build,
    cost=_cost,
    parts=Parts(
        split=_split,
        join=_join,
        file=JoinedFile(operation="join_sounds", write=_write, media_type=_media_type, asked=_encoding),
    ),
    keeping=Keeping(media_types=SOUNDS),
    columns={
        "uri": "string",
        "sha256": "string",
        "media_type": "string",
        "size": "int64",
        "seconds": "float64",
        "sample_rate": "int64",
        "characters": "int64",
    },
    row=lambda fields: {**fields, "characters": len(fields["request"]["input"])},
    noun="recording",
    plural="recordings",
    folder="speech",
    reuse="always",
)
