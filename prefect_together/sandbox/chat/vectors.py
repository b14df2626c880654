"""Turn texts into vectors that are near each other where the texts share words; knows no model."""

from __future__ import annotations

import hashlib
import math

from prefect_together.sandbox.chat.ideas import PLAIN, words_of

SIZE = 256
"""Numbers of a vector."""


def vector(text: str) -> list[float]:
    """Return a vector of length 1, the same for the same text: each word counts, the plain ones little."""
    numbers = [0.0] * SIZE
    for word in words_of(text) or [text]:
        digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
        weight = 0.2 if word in PLAIN else 1.0
        for place, sign in ((digest[0], digest[1]), (digest[2], digest[3]), (digest[4], digest[5])):
            numbers[place] += weight if sign % 2 else -weight
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 6) for number in numbers]


def nearness(one: list[float], other: list[float]) -> float:
    """Return how alike two texts are, 0 to 1."""
    return round(max(0.0, min(1.0, sum(a * b for a, b in zip(one, other, strict=True)))), 6)
