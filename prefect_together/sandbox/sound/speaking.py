"""Say a text: samples and the times of its words, sentence by sentence; writes no file.

The waveform of each note is made once for a sample rate and a voice; a text is then put together from pieces of bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prefect_together.sandbox.sound.notes import NOTES, ONSET, SECONDS, Piece, pieces
from prefect_together.sandbox.sound.voices import brightness, pitch

GAP = 0.036
"""Seconds of silence between two words."""
REST = 0.22
"""Seconds of silence after a sentence."""
LEAD, TAIL = 0.06, 0.12
"""Seconds of silence before the first word and after the last one."""
LOUD, HUM = 0.34, 0.09
"""Amplitudes of a note and of what hums below, of 1."""
EDGE, FADE = 0.004, 0.02
"""Seconds in which a note, and the hum of a sentence, come and go."""
_PLUCK = 0.35
"""How much of its loudness a note loses while it sounds."""
_MIDDLE = 0x4000
"""Zero of a track that is to be mixed: half of what 15 bits can hold, so that the sum of two tracks fits into 16."""


@dataclass(frozen=True)
class TimedWord:
    """A word and when it is said, in seconds from the beginning."""

    text: str
    start: float
    end: float
    joined: bool = False
    """Whether no space stands before it."""


@dataclass(frozen=True)
class Sentence:
    """A stretch of sound with its words."""

    samples: bytes
    """16 bits each, little-endian, one channel."""
    words: tuple[TimedWord, ...]


def say(text: str, *, model: str, voice: str, rate: int, speed: float = 1.0) -> Iterator[Sentence]:
    """Yield what is said, sentence by sentence; put together, the samples are the whole sound.

    Args:
        text: What to say. White space is said as one pause, whatever it is.
        model: Whose voices are meant.
        voice: A voice's id, or a mixture.
        rate: Samples in a second.
        speed: How much shorter the pauses are.
    """
    begins = 0
    groups = list(_sentences(text))
    for place, group in enumerate(groups):
        lead = round(LEAD * rate) if place == 0 else 0
        rest = round(TAIL * rate) if place == len(groups) - 1 else round(REST * rate / speed)
        sentence = _sentence(group, model, voice, rate, speed, begins, lead, rest)
        begins += len(sentence.samples) // 2
        yield sentence


def _sentences(text: str) -> Iterator[list[Piece]]:
    group = list[Piece]()
    for piece in pieces(text):
        group.append(piece)
        if piece.rest == 1:
            yield group
            group = []
    if group:
        yield group


def _sentence(
    group: Sequence[Piece], model: str, voice: str, rate: int, speed: float, begins: int, lead: int, rest: int
) -> Sentence:
    table, gap = _table(rate, brightness(voice)), round(GAP * rate / speed)
    onset, length = table[-1], round(SECONDS * rate)
    track, words, at = [_silence(lead)], list[TimedWord](), lead
    for place, piece in enumerate(group):
        sounds = [onset, *(table[note] for note in piece.notes)]
        ends = at + len(sounds) * length
        words.append(TimedWord(piece.text, (begins + at) / rate, (begins + ends) / rate, piece.joined))
        pause = 0 if place == len(group) - 1 else gap + round(piece.rest * REST * rate / speed)
        track += [*sounds, _silence(pause)]
        at = ends + pause
    hum = _hum(pitch(model, voice), rate, at - lead)
    return Sentence(_mixed(b"".join(track), _silence(lead) + hum) + bytes(2 * rest), tuple(words))


def _mixed(one: bytes, other: bytes) -> bytes:
    """Add two tracks of equal length around `_MIDDLE`; the sum is around zero, as files have it.

    The tracks are added as two large numbers: no sample is so large that it would run over into the next one.
    """
    count = len(one) // 2
    total = int.from_bytes(one, "little") + int.from_bytes(other, "little")
    return (total ^ int.from_bytes(b"\x00\x80" * count, "little")).to_bytes(2 * count, "little")


def _silence(samples: int) -> bytes:
    return struct.pack("<H", _MIDDLE) * samples


def _packed(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}H", *(_MIDDLE + round(0x7FFF * value) for value in values))


@lru_cache(maxsize=64)
def _table(rate: int, bright: float) -> tuple[bytes, ...]:
    """Return the waveforms of the sixteen notes, and that of the onset last."""
    count, edge = round(SECONDS * rate), EDGE * rate
    shape = [
        min(1.0, 0.5 - 0.5 * math.cos(math.pi * min(1.0, min(at + 0.5, count - at - 0.5) / edge)))
        * (1 - _PLUCK * at / count)
        for at in range(count)
    ]
    sounds = list[bytes]()
    for frequency in (*NOTES, ONSET):
        turn = 2 * math.pi * frequency / rate
        sounds.append(
            _packed([
                LOUD * envelope * (math.sin(turn * at) + bright * math.sin(2 * turn * at)) / (1 + bright)
                for at, envelope in enumerate(shape)
            ])
        )  # fmt: skip
    return tuple(sounds)


@lru_cache(maxsize=64)
def _second(frequency: int, rate: int) -> bytes:
    """Return one second of a hum, which can be repeated: a whole number of waves."""
    turn = 2 * math.pi * frequency / rate
    return _packed([HUM * math.sin(turn * at) for at in range(rate)])


def _hum(frequency: int, rate: int, samples: int) -> bytes:
    """Return a hum that comes and goes softly."""
    second, fade = _second(frequency, rate), min(round(FADE * rate), samples // 2)
    whole = (second * (samples // rate + 1))[: 2 * samples]
    first, last = (struct.unpack(f"<{fade}H", part) for part in (whole[: 2 * fade], whole[len(whole) - 2 * fade :]))

    def faded(values: Sequence[int], *, out: bool) -> bytes:
        shares = ((fade - at if out else at) / fade for at in range(fade))
        around = [(value - _MIDDLE) / 0x7FFF * share for value, share in zip(values, shares, strict=True)]
        return _packed(around)

    return faded(first, out=False) + whole[2 * fade : len(whole) - 2 * fade] + faded(last, out=True)
