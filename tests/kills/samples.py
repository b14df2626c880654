"""A request of every generation type, and what it is to be known by: ``test_contract`` holds each type to it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prefect_together._internal.answer_file import AnswerFile
from prefect_together._internal.event_stream import Events
from prefect_together.generations.sound_shape import PCM, SampleForm

from .asking import INLINE, PICTURE, TINY


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One request of a type, and what it is to be known by for ever."""

    fields: Mapping[str, Any]
    """A request that the sandbox makes quickly, and whose result may be taken by everybody."""
    fingerprint: str
    """What Together's ledger knows it by: a change here orphans what was paid for."""
    answer: Any
    """A good answer to its POST."""
    malformed: tuple[Any, ...] = ()
    """Answers that look like good ones, beside ``MALFORMED``."""
    changes: tuple[Mapping[str, Any], ...] = ()
    """Fields that make it another request, beside ``CHANGES``."""
    wrong: tuple[Mapping[str, Any], ...] = ()
    """Fields that no request of the type may have, beside ``WRONG``."""
    unsendable: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields that name a local file which is not there; empty for a type that takes no files."""


def seeded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's request with a seed, so that everybody may have its result."""
    return {**{name: value for name, value in fields.items() if name != "kind"}, "seed": 7}


NO_ANSWERS: tuple[dict[str, Any], ...] = (
    {"choices": []},
    {"choices": [{"finish_reason": "stop"}]},
    {"choices": [{"message": {}}]},
    {"error": {"message": "It broke off.", "type": "server_error"}},
)
QUESTION = {"prompt": "Name a fox.", "model": "zai-org/GLM-5.3-Flash", "seed": 7, "max_tokens": 200}

SPOKEN = {"input": "The sea was calm that night.", "model": "hexgrad/Kokoro-82M", "voice": "af_heart"}
WAV = SampleForm(PCM, 16, 24000).header(4800) + bytes(4800)

DEDICATED = "my-team/words-1a2b3c4d"
"""A model on an endpoint of one's own."""

TONE = str(Path(__file__).parents[1] / "data" / "tone.wav")
"""A second of sound."""
NO_TEXTS: tuple[dict[str, Any], ...] = (
    {"text": None},
    {"text": ["Hi."]},
    {"text": "Hi.", "error": {"message": "It broke off."}},
)
LISTENED: tuple[dict[str, Any], ...] = (
    {"file": "https://example.com/harbour.mp3"},
    {"prompt": "a fox"},
    {"temperature": 0.5},
    {"timestamp_granularities": "word"},
)
NOT_HEARD: tuple[dict[str, Any], ...] = (
    {"file": " "},
    {"file": "ftp://example.com/fox.mp3"},
    {"start": 1},
    {"start": 2, "end": 1, "file": "fox.mp3"},
    {"temperature": 2},
    {"timestamp_granularities": list[str]()},
    {"timestamp_granularities": "letter"},
)

SAMPLES: dict[str, dict[str, Sample]] = {
    "image": {
        "links": Sample(
            fields=seeded(PICTURE),
            fingerprint="69c69d393265226ffac663064964cd266757c99a",
            answer={"data": [{"url": "https://example.com/a.png"}]},
            malformed=({"data": [{"url": 7}]}, {"data": [{"b64_json": ""}]}, {"data": {"url": "https://example.com/a.png"}}),
            changes=({"width": 512}, {"n": 2}, {"reference_images": ["https://example.com/a.png"]}),
            wrong=({"n": 5}, {"prompt": " "}, {"output_format": "gif"}),
            unsendable={"image_url": "gone.png"},
        ),
        "inline": Sample(
            fields=seeded(INLINE),
            fingerprint="69c69d393265226ffac663064964cd266757c99a",
            answer={"data": [{"b64_json": "AAAA"}]},
        ),
    },
    "video": {
        "job": Sample(
            fields=seeded(TINY),
            fingerprint="a99938c6a3ef6735cf6b8e675f1db452eb934904",
            answer={"id": "01JX", "status": "queued"},
            malformed=(
                {"id": ""},
                {"id": 7},
                {"status": "completed", "outputs": {"video_url": "https://example.com/a.mp4"}},
            ),
            changes=({"seconds": 2}, {"frame_images": ["https://example.com/a.png"]}),
            wrong=({"seconds": 0}, {"media_layout": "elsewhere"}),
            unsendable={"frame_images": ["gone.png"]},
        ),
    },
    "chat": {
        "whole": Sample(
            fields=QUESTION,
            fingerprint="e72c24f38bff35ffc84a0a1f601cc5263e215859",
            answer={"choices": [{"message": {"role": "assistant", "content": "Rusty."}, "finish_reason": "stop"}]},
            malformed=NO_ANSWERS,
            changes=(
                {"system": "Be brief."},
                {"temperature": 0.5},
                {"n": 2},
                {"max_tokens": 100},
                {"images": ["https://example.com/a.png"]},
                {"response_format": {"type": "json_object"}},
                {"tools": [{"name": "look"}]},
                {"reasoning": False},
            ),
            wrong=({"prompt": " "}, {"messages": []}, {"n": 0}, {"temperature": 3}, {"response_format": 7}),
            unsendable={"images": ["gone.png"], "model": "Qwen/Qwen3.5-9B"},
        ),
        "stream": Sample(
            fields={**QUESTION, "stream": True},
            fingerprint="e72c24f38bff35ffc84a0a1f601cc5263e215859",  # how it comes does not change what it is
            answer=Events(
                (
                    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Rus"}, "finish_reason": None}]},
                    {"choices": [{"index": 0, "delta": {"content": "ty."}, "finish_reason": "stop"}]},
                ),
                complete=True,
            ),
            malformed=(
                Events((), complete=True),
                Events(({"choices": [{"index": 0, "delta": {"content": "Rus"}, "finish_reason": None}]},), complete=False),
                Events(({"choices": []}, {"error": {"message": "It broke off."}}), complete=True),
            ),
        ),
    },
    "completion": {
        "whole": Sample(
            fields={"prompt": "Once upon a time", "model": DEDICATED, "seed": 7, "max_tokens": 20},
            fingerprint="8ed8ca36b221748056a1e7ddf8880e4c82f6896c",
            answer={"choices": [{"text": " there was a fox.", "finish_reason": "stop", "seed": 7}], "usage": None},
            malformed=(
                {"choices": [{"finish_reason": "stop"}]},
                {"choices": [{"text": None}]},
                {"choices": [{"message": {"content": "a"}}]},
            ),
            changes=({"prompt": "Twice upon a time"}, {"temperature": 0.5}, {"n": 2}, {"max_tokens": 21}, {"stop": "fox"}),
            wrong=({"prompt": " "}, {"n": 0}, {"temperature": 3}, {"max_tokens": 0}, {"messages": []}),
        ),
    },
    "embedding": {
        "whole": Sample(
            fields={"input": ["a fox", "a harbour"], "model": DEDICATED},
            fingerprint="f02599d6d7d817373d6bef9df7bd2bc7a5a6c68b",
            answer={"data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [0.25, -1.5]}]},
            malformed=(
                {"data": [{"index": 0}]},
                {"data": [{"index": 0, "embedding": list[float]()}]},
                {"data": [{"index": 0, "embedding": "AAAA"}]},
                {"data": [{"index": 0, "embedding": [None]}]},
                {"data": [{"index": 0, "embedding": [float("nan")]}]},
                {"data": [{"index": 1, "embedding": [0.5]}]},
                {"data": [{"index": 0, "embedding": [0.5]}, {"index": 0, "embedding": [0.5]}]},
                {"data": [{"index": 0, "embedding": [0.5]}, {"index": 1, "embedding": [0.5, 1]}]},
            ),
            changes=({"input": ["a harbour", "a fox"]}, {"input": "a fox"}),
            wrong=({"input": list[str]()}, {"input": None}, {"input": ["a fox", " "]}, {"input": [7]}),
        ),
    },
    "rerank": {
        "whole": Sample(
            fields={"query": "animals", "documents": ["a harbour", "a fox"], "model": DEDICATED},
            fingerprint="27bed57a8e7fc6581abbb7136740bea2384c06a7",
            answer={"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]},
            malformed=(
                {"results": [{"relevance_score": 0.5}]},
                {"results": [{"index": 0}]},
                {"results": [{"index": -1, "relevance_score": 0.9}]},
                {"results": [{"index": 0, "relevance_score": "high"}]},
                {"choices": [{"index": 0, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]},
            ),
            changes=({"query": "ships"}, {"documents": ["a fox"]}, {"top_n": 1}, {"rank_fields": ["text"]}),
            wrong=({"query": " "}, {"documents": list[str]()}, {"documents": None}, {"documents": [" "]}, {"top_n": 0}),
        ),
    },
    "transcription": {
        "url": Sample(
            fields={"file": "https://example.com/fox.mp3", "model": "openai/whisper-large-v3"},
            fingerprint="a1512685989e15df0b211ceaacd669af90a0d4d4",
            answer={"text": "Hi.", "duration": 1.5},
            malformed=NO_TEXTS,
            changes=(*LISTENED, {"diarize": True}, {"language": "de"}),
            wrong=(*NOT_HEARD, {"language": "English"}, {"min_speakers": 2}, {"diarize": True, "min_speakers": 0}),
            unsendable={"file": "gone.png"},
        ),
        "file": Sample(
            fields={"file": TONE, "model": "openai/whisper-large-v3"},
            fingerprint="fe39ab1bf71ce991546c1f5b4adbdd334f77bbd1",
            answer={"text": "Hi.", "duration": 1.5, "segments": None, "words": None},
            changes=({"start": 0.25}, {"end": 0.75}, {"start": 0.25, "end": 0.75}),
        ),
    },
    "translation": {
        "url": Sample(
            fields={"file": "https://example.com/fox.mp3", "model": "openai/whisper-large-v3"},
            fingerprint="4ff16192a89f7349ceae1b1bfba97018de6c7cff",
            answer={"text": "Hi.", "duration": 1.5},
            malformed=NO_TEXTS,
            changes=(*LISTENED, {"language": "en"}),
            wrong=(*NOT_HEARD, {"language": "auto"}, {"diarize": True}),
            unsendable={"file": "gone.png"},
        ),
        "file": Sample(
            fields={"file": TONE, "model": "openai/whisper-large-v3"},
            fingerprint="a710b1fb40678a9eb9ddff1bc3da05af99439083",
            answer={"text": "", "duration": 1.5},
        ),
    },
    "speech": {
        "file": Sample(
            fields=SPOKEN,
            fingerprint="4a8aede6a8d6f5da40dbf62a2b809bbe9d3a9d9d",
            answer=AnswerFile("audio/wav", io.BytesIO(WAV), len(WAV)),
            malformed=(
                *(AnswerFile("audio/wav", io.BytesIO(data), len(data)) for data in (b"", WAV[:-100], WAV[:40])),
                *NO_ANSWERS,
            ),
            changes=(
                {"input": "The sea was calm that day."},
                {"voice": "am_adam"},
                {"response_format": "mp3"},
                {"language": "en"},
                {"speed": 1.5},
                {"extra_params": {"pronunciation_dict": ["sea/see"]}},
                {"alignment": "word"},
            ),
            wrong=(
                {"input": " "},
                {"input": "..."},
                {"voice": ""},
                {"response_format": "ogg"},
                {"bit_rate": 1},
                {"sample_rate": 1},
                {"speed": 0},
                {"response_format": "mp3", "alignment": "word"},
                {"response_format": "wav", "stream": True},
            ),
        ),
        "stream": Sample(
            fields={**SPOKEN, "alignment": "word"},
            fingerprint="d2f3f78560b92ed226c26f99c59fa17d5d23d23b",
            answer=Events(
                (
                    {"type": "conversation.item.audio_output.delta", "item_id": "tts_1", "delta": "AAAA"},
                    {
                        "type": "conversation.item.word_timestamps",
                        "words": ["The"],
                        "start_seconds": [0],
                        "end_seconds": [1],
                    },
                ),
                complete=True,
            ),
            malformed=(
                Events((), complete=True),
                Events(({"delta": "AAAA"},), complete=False),
                Events(({"delta": "A"},), complete=True),
                Events(({"delta": "AAAA"}, {"error": {"message": "It broke off."}}), complete=True),
            ),
        ),
    },
}
"""A request of each type; of each form in which its answer may come, where there are several."""

NO_OBJECT: tuple[Any, ...] = (None, True, 7, "", "text", [], [{}])
HOLLOW: tuple[dict[str, Any], ...] = ({}, {"data": None}, {"data": []}, {"data": [{}]}, {"id": None}, {"id": {}})
MALFORMED = (*NO_OBJECT, *HOLLOW)
CHANGES: tuple[Mapping[str, Any], ...] = ({"model": "another/model"}, {"take": 0}, {"take": 1}, {"extra": {"newer": 1}})
WRONG: tuple[Mapping[str, Any], ...] = ({"model": " "}, {"take": -1}, {"no_such_field": 1}, {"extra": {"model": "x"}})


def sample_of(kind: str, form: str) -> Sample:
    """Return the sample of a type, or fail the test where nobody has written one."""
    if kind not in SAMPLES:
        pytest.fail(f"The generation type {kind!r} has no sample: add one to SAMPLES in {Path(__file__).name}.")
    return SAMPLES[kind][form]
