"""Read the words back from sound, whatever it went through, with their times and the pitch of who said them.

It listens for the note with which words begin, and reads the notes that follow until they fit their check. Sound comes in
stretches, so that hours of it need little memory.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, cycle
from operator import add, mul, sub

from prefect_together.sandbox.sound.notes import MOST_NOTES, NOTES, ONSET, SECONDS, read
from prefect_together.sandbox.sound.voices import PITCHES, STEP

RATE = 8_000
"""Samples in a second, at which sound is listened to."""
_NOTE = round(SECONDS * RATE)
_HEART = 2 * round(0.4 * _NOTE)
"""Samples in the middle of a note in which it is read: its edges may be blurred."""
_EDGE = (_NOTE - _HEART) // 2
_COARSE = 4
"""How many samples are taken as one where words are searched for."""
_WINDOW = _NOTE // _COARSE
_HOP = 2
_APART = 3
"""Steps of `_HOP` between two places where a word may begin."""
_STRETCH = 20 * RATE
_LONGEST = (MOST_NOTES + 3) * _NOTE
_PURE = 0.2
"""The least share that the first note has in the sound around it."""
_QUIETEST = 50
"""Amplitude of the quietest word, of 32,768."""
_FAINT = 0.12
"""Below this share of the energy of the notes before there is no further note."""
_DISTINCT = 1.25
"""How much more energy a note has than any other at its time."""
_SURE = 0.65
"""The share of all sound from which a note is known to be the loudest, and distinctly so."""
_LIKELY = ((5, 4, 1, 15, 9, 14, 3, 8, 2, 12, 7, 13, 6, 0, 11, 10), (6, 7, 2, 4, 3, 5, 14, 12, 13, 8, 9, 10, 11, 15, 0, 1))
"""Second and first halves of bytes, by how often they are in texts."""
_SHIFTS = (0, 8, -8, 16, -16, 24, -24)
_THIN = 8
"""For the pitch, every so many samples are taken as one."""
_CLEAR = 2.0
"""How much more energy a pitch must have than those that are not next to it."""


@dataclass(frozen=True)
class HeardWord:
    """A word that was heard, and when, in seconds from the beginning."""

    text: str
    start: float
    end: float
    joined: bool
    """Whether no space stands before it."""
    pitch: int | None
    """Hz, at which the voice hums; None where that cannot be told."""


Waves = tuple[list[float], list[float]]


def _waves(frequency: float, count: int, rate: int) -> Waves:
    """Return cosine and sine from the middle of a window outwards, for `_folded` windows of this length."""
    turn = 2 * math.pi * frequency / rate
    places = [at + 0.5 for at in range(count // 2)]
    return [math.cos(turn * at) for at in places], [math.sin(turn * at) for at in places]


_TABLES = tuple(_waves(frequency, _HEART, RATE) for frequency in NOTES)
_FIRST = _waves(ONSET, _HEART, RATE)
# 33 waves of 330 Hz are 800 samples.
_TURNING = tuple(cmath.exp(-2j * math.pi * ONSET * at / RATE) for at in range(0, 800, _COARSE))


def hear(stretches: Iterable[Sequence[int]]) -> Iterator[HeardWord]:
    """Yield the words in sound that comes in stretches of any length: samples of 16 bits, `RATE` in a second."""
    held, begins = list[int](), 0
    for stretch in stretches:
        held.extend(stretch)
        if len(held) < _STRETCH:
            continue
        ready = len(held) - 2 * _LONGEST
        after = yield from _words(held, ready, begins)
        del held[:after]
        begins += after
    yield from _words([*held, *([0] * 2 * _NOTE)], len(held), begins)


def _words(held: list[int], until: int, begins: int) -> Generator[HeardWord, None, int]:
    """Yield the words that begin before `until`, and return where to go on."""
    after = 0
    for onset in _onsets(held, until):
        if onset + _NOTE // 2 < after:
            continue
        found = _word(held, onset)
        if found is None:
            continue
        word, joined, start, end = found
        hum = _pitch(held[start : end + _NOTE])
        yield HeardWord(word, (begins + start) / RATE, (begins + end) / RATE, joined, hum)
        after = end
    return max(after, until)


def _onsets(held: list[int], until: int) -> Iterator[int]:
    """Yield where a word may begin: where most of the note that begins words is within its length."""
    thin = _thinned(held[: min(len(held), until + 2 * _NOTE)])
    turned = list(accumulate(map(mul, thin, cycle(_TURNING)), initial=0j))
    power = list(accumulate(map(mul, thin, thin), initial=0))
    tones = list(map(abs, map(sub, turned[_WINDOW::_HOP], turned[::_HOP])))
    powers = list(map(sub, power[_WINDOW::_HOP], power[::_HOP]))
    least, share = _QUIETEST * _COARSE * _WINDOW / 2, _PURE * _WINDOW / 2
    likely = [
        at for at, (tone, near) in enumerate(zip(tones, powers, strict=False)) if tone > least and tone * tone > share * near
    ]
    best, before = -1, -10
    for at in likely:
        if at - before > _APART and best >= 0:
            yield best * _HOP * _COARSE
            best = -1
        if best < 0 or tones[at] > tones[best]:
            best = at
        before = at
    if best >= 0:
        yield best * _HOP * _COARSE


def _thinned(held: Sequence[int]) -> list[int]:
    """Return sums of `_COARSE` samples each: enough for the note that begins words, and a quarter of the work."""
    parts = [held[first::_COARSE] for first in range(_COARSE)]
    return list(map(add, map(add, parts[0], parts[1]), map(add, parts[2], parts[3])))


def _word(held: list[int], onset: int) -> tuple[str, bool, int, int] | None:
    """Return the word that begins about here, whether it joins the one before, where it begins and ends; None for none."""
    starts = [onset + shift for shift in _SHIFTS if onset + shift >= 0]
    doubtful = list[tuple[int, list[_Note]]]()
    for start in starts:
        notes = _notes(held, start)
        if found := read([note.loudest for note in notes]):
            word, joined, count = found
            return word, joined, start, start + (count + 1) * _NOTE
        doubtful.append((start, notes))
    for start, notes in doubtful:
        for word, joined, count in filter(None, map(read, _mended(notes))):
            return word, joined, start, start + (count + 1) * _NOTE
    return None


@dataclass(frozen=True)
class _Note:
    """What sounds at the time of one note."""

    loudest: int
    second: int | None
    """The one that it may have been before it was encoded; None where there is no doubt."""
    energy: float


def _mended(notes: Sequence[_Note]) -> Iterator[list[int]]:
    """Yield the notes with one of them taken for another: encoders get one wrong now and then."""
    plain = [note.loudest for note in notes]
    for place, note in enumerate(notes):
        if note.second is not None:
            yield [*plain[:place], note.second, *plain[place + 1 :]]


def _notes(held: list[int], start: int) -> list[_Note]:
    """Return the notes after the first one, until they fall silent."""
    first = held[start + _EDGE : start + _EDGE + _HEART]
    loud = _energy(_folded(first), _FIRST)
    if loud < _PURE * _HEART / 2 * sum(map(mul, first, first)):
        return []
    notes = list[_Note]()
    for number in range(1, MOST_NOTES + 1):
        at = start + number * _NOTE + _EDGE
        window = held[at : at + _HEART]
        if len(window) < _HEART:
            break
        note = _loudest(window, _LIKELY[number % 2])
        if note is None or note.energy < _FAINT * loud:
            break
        loud = (2 * loud + note.energy) / 3
        notes.append(note)
    return notes


def _loudest(window: Sequence[int], likely: Sequence[int]) -> _Note | None:
    """Return the note that sounds in a window, None where no one stands out.

    Args:
        window: The samples.
        likely: All notes, the likeliest first: one that has most of the sound is the loudest without a look at the others.
    """
    folded, sure = _folded(window), _SURE * _HEART / 2 * sum(map(mul, window, window))
    energies = dict[int, float]()
    for note in likely:
        energies[note] = _energy(folded, _TABLES[note])
        if energies[note] > sure:
            return _Note(note, None, energies[note])
    loudest, second = sorted(energies, key=lambda note: -energies[note])[:2]
    if energies[loudest] < _DISTINCT * energies[second]:
        return None
    return _Note(loudest, second, energies[loudest])


def _folded(window: Sequence[float]) -> Waves:
    """Return sums and differences of the samples that are equally far from the middle: half the work for every note."""
    half = len(window) // 2
    later, earlier = window[len(window) - half :], window[half - 1 :: -1] if half else window[:0]
    return list(map(add, later, earlier)), list(map(sub, later, earlier))


def _energy(folded: Waves, waves: Waves) -> float:
    (even, odd), (cosine, sine) = folded, waves
    return sum(map(mul, even, cosine)) ** 2 + sum(map(mul, odd, sine)) ** 2


def _pitch(word: Sequence[float]) -> int | None:
    """Return the pitch that hums below a word."""
    thin = [sum(word[at : at + _THIN]) for at in range(0, len(word) - _THIN + 1, _THIN)]
    folded = _folded(thin)
    energies = {pitch: _energy(folded, waves) for pitch, waves in _hums().items()}
    best = max(energies, key=lambda pitch: energies[pitch])
    others = max(energy for pitch, energy in energies.items() if abs(pitch - best) > 2 * STEP)
    return best if energies[best] > _CLEAR * others else None


@cache
def _hums() -> dict[int, Waves]:
    return {pitch: _waves(pitch, _LONGEST // _THIN, RATE // _THIN) for pitch in PITCHES}
