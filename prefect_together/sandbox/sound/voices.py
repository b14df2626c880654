"""How the voices differ: each hums at a pitch of its own under its words, by which speakers can be told apart."""

from __future__ import annotations

import hashlib
import re

from prefect_together import catalog

STEP = 4
"""Hz between two pitches."""
LOW, HIGH = tuple(range(86, 151, STEP)), tuple(range(166, 255, STEP))
"""Hz; deep voices and high ones."""
PITCHES = LOW + HIGH
_DEEP = frozenset({"leo", "dan", "zac"})
_SPREAD = 7
"""Voices that follow each other in a list are so many steps apart."""
_PART = re.compile(r"([^()+\s]+)(?:\((\d*\.?\d+)\))?")


def pitch(model_id: str, voice: str) -> int:
    """Return the pitch at which a voice hums, Hz: of a mixture the mean of its parts, by their weights."""
    parts = [(part[1], float(part[2] or 1)) for part in _PART.finditer(voice)] or [(voice, 1.0)]
    weight = sum(share for _, share in parts)
    if len(parts) == 1 or not weight:
        return _pitch(model_id, voice)
    mean = sum(_pitch(model_id, part) * share for part, share in parts) / weight
    return min(PITCHES, key=lambda one: abs(one - mean))


def brightness(voice: str) -> float:
    """Return how much of the second harmonic is in a voice's notes."""
    return 0.01 + 0.015 * (_number(voice) % 8)


def _pitch(model_id: str, voice: str) -> int:
    known = [one.id for one in catalog.voices_of(model_id)]
    if voice not in known:
        return PITCHES[_number(voice) % len(PITCHES)]
    deep = _is_deep(voice)
    alike = [one for one in known if _is_deep(one) == deep]
    pitches = LOW if deep else HIGH
    return pitches[(alike.index(voice) * _SPREAD + len(pitches) // 2) % len(pitches)]


def _is_deep(voice: str) -> bool:
    return voice in _DEEP or voice[1:3] == "m_"


def _number(voice: str) -> int:
    return int.from_bytes(hashlib.sha256(voice.encode()).digest()[:4], "big")
