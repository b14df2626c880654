"""Which voices a model of speech has, what language each speaks, and what is wrong with one that is asked for.

A model of which no voices are known may have any: its voices are ids that its maker gives out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from prefect_together.catalog.loader import find, sources
from prefect_together.catalog.messages import choice, dated, given
from prefect_together.catalog.types import Finding, Model, Source

_PART = re.compile(r"(?P<id>[^()+\s]+)(?:\((?:\d+(?:\.\d*)?|\.\d+)\))?")
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of a model."""

    id: str
    """What a request names it by."""
    name: str
    """What a person calls it."""
    language: str
    """The language that it speaks, such as `ja` or `en-gb`; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class _Voices:
    voices: Mapping[str, Voice]
    mixes: bool
    source: Source


def voices_of(model_id: str) -> tuple[Voice, ...]:
    """List the voices of a model; none where they are not known.

    Args:
        model_id: Together's id of the model, in upper or lower case.
    """
    known = _known(model_id)
    return () if known is None else tuple(known.voices.values())


def voice_parts(model_id: str, voice: str) -> tuple[str, ...]:
    """Return the voices that one request names: one, or those of a mixture such as `af_heart(2)+af_sky(1)`.

    Args:
        model_id: Together's id of the model; only some mix voices.
        voice: What the request asks for. What is not written as a mixture is returned as it is.
    """
    known = _known(model_id)
    if known is None or not known.mixes:
        return (voice,)
    parts = [_PART.fullmatch(part) for part in voice.split("+")]
    return tuple(part["id"] if part is not None else voice for part in parts)


def unknown_voice(model_id: str, voice: str) -> str | None:
    """Return the part of what is asked for that the model does not have; None where it has all, or its voices are not known.

    Args:
        model_id: Together's id of the model.
        voice: A voice's id, or a mixture of several; upper and lower case differ, as at Together.
    """
    known = _known(model_id)
    if known is None:
        return None
    return next((part for part in voice_parts(model_id, voice) if part not in known.voices), None)


def voice_meant(model_id: str, voice: str) -> Voice | None:
    """Return the voice of which an unknown one is a misspelling, or that is called so; None where none is alike."""
    known = voices_of(model_id)
    by_id, by_name = ({_plain(one): voice for one, voice in reversed(pairs)} for pairs in _spellings(known))
    wanted = _plain(voice)
    if same := by_id.get(wanted) or by_name.get(wanted):
        return same
    for spelled in (by_id, by_name):
        if near := difflib.get_close_matches(wanted, spelled, n=1, cutoff=_ALIKE):
            return spelled[near[0]]
    return None


def speaking(model: Model, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Report a voice that the model does not have, and one that speaks another language than the text is said to be in."""
    voice, known = fields.get("voice"), _known(model.id)
    if known is None or not isinstance(voice, str) or not voice:
        return
    when = dated(known.source.date)
    if (missing := unknown_voice(model.id, voice)) is not None:
        meant = voice_meant(model.id, missing)
        instead = f"did you mean {meant.id}?" if meant else f"it has {choice(tuple(known.voices))}."
        newer = "If it is newer than this catalogue, set PREFECT_INTEGRATIONS_TOGETHER_PREFLIGHT=warn."
        yield Finding("error", "voice", f"{model.id} has no voice {missing!r} {when}: {instead} {newer}")
        return
    language = fields.get("language")
    spoken = dict.fromkeys(known.voices[part].language for part in voice_parts(model.id, voice))
    if isinstance(language, str) and spoken and all(_base(one) != _base(language) for one in spoken):
        what = f"{given('voice', voice)} of {model.id} speaks {choice(tuple(spoken))}, not {given('language', language)}"
        yield Finding("warning", "voice", f"{what} {when}: choose a voice of that language.")


def _spellings(known: tuple[Voice, ...]) -> tuple[list[tuple[str, Voice]], list[tuple[str, Voice]]]:
    return [(voice.id, voice) for voice in known], [(voice.name, voice) for voice in known]


def _base(language: str) -> str:
    """Return a language without its country: `en-gb` is `en`."""
    return language.casefold().partition("-")[0]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _known(model_id: str) -> _Voices | None:
    model = find(model_id)
    return None if model is None else _table().get(model.id)


@cache
def _table() -> Mapping[str, _Voices]:
    """Read the data file, once."""
    file = resources.files("prefect_together.catalog") / "voices.json"
    entries: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["models"]
    return {model_id: _read(entry) for model_id, entry in entries.items()}


def _read(entry: Mapping[str, Any]) -> _Voices:
    voices = {
        one: Voice(one, one.rpartition("_")[2].capitalize(), language)
        for language, ids in entry["voices"].items()
        for one in ids
    }
    return _Voices(voices, entry["mixes"], sources()[entry["source"]])
