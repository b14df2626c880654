"""Words for what the sandbox cannot hear: speech of people, and recordings that are far away; and English for other words.

A flow that is tried with a recording of a meeting needs words to go on with, so it gets some, always the same for the same
recording. Silence, music and noise have none, and get none: an empty text is what a person would write down too.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import statistics
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from prefect_together.sandbox.sound.hearing import HeardWord
from prefect_together.sandbox.sound.listening import MOMENT, Heard
from prefect_together.sandbox.sound.notes import pieces
from prefect_together.sandbox.sound.speaking import say

OPENINGS = (
    "Thank you all for coming", "Let me begin with the plan", "That is a good question", "I looked at the numbers again",
    "We should talk about the harbour", "Nobody expected that", "Let us go on with the next point", "I agree with that",
)  # fmt: skip
ENDINGS = (
    "and I will send you the details tomorrow", "so the decision can wait until Monday", "because the work is nearly done",
    "and that is what matters most", "but the schedule is tight", "so somebody has to look after it",
    "and the results are better than before", "though it took longer than we thought",
)  # fmt: skip
ENGLISH = (
    "the", "a", "light", "sea", "house", "night", "day", "old", "new", "small", "great", "boat", "road", "hand", "water",
    "story", "people", "time", "year", "way", "world", "word", "city", "garden", "winter", "summer", "morning", "evening",
    "river", "mountain", "letter", "friend", "child", "window", "door", "table", "music", "colour", "silence", "storm",
    "walks", "finds", "keeps", "brings", "holds", "opens", "turns", "waits", "sees", "hears", "begins", "ends", "stands",
    "leaves", "knows", "calls", "shows", "asks", "gives", "slowly", "always", "never", "again", "here", "there", "quietly",
    "together", "almost", "already", "still", "soon", "far", "near", "well", "often", "today",
)  # fmt: skip
SPEAKERS = (118, 210)
"""Hz; the pitches of those who talk."""
_QUIET = 3e-5
"""Loudness below which nobody speaks."""
_SPEECH = 1.2
"""Standard deviation of the loudness (natural logarithm) from which sound is taken for speech: it comes and goes."""
_PER_SECOND = 2.5


def people(heard: Heard, name: str) -> Iterator[HeardWord]:
    """Yield words where people may be speaking in a recording.

    Args:
        heard: What is in it; there are no words in it that can be read.
        name: What tells the recording from others: the same name gets the same words.
    """
    levels = [level for level in heard.loudness if level > _QUIET]
    if len(levels) < 1 / MOMENT or len(levels) < 0.1 * len(heard.loudness):
        return
    deep = [max(level, _QUIET) for level in heard.loudness]
    if statistics.pstdev(map(math.log, deep)) < _SPEECH:
        return
    loud = statistics.fmean(levels) / 20
    spoken = _talk(name)
    for start, end in _active(heard.loudness, loud):
        count = max(1, round((end - start) * _PER_SECOND))
        step = (end - start) / count
        for number in range(count):
            begins = start + number * step
            ends = min(heard.seconds, begins + 0.9 * step)
            word, pitch = next(spoken)
            yield HeardWord(word, round(begins, 3), round(ends, 3), joined=False, pitch=pitch)


def _active(loudness: Sequence[float], loud: float) -> Iterator[tuple[float, float]]:
    """Yield where it is loud, start and end in seconds; shorter pauses than a third of a second are none."""
    begin, last = None, -1
    for place, level in enumerate(loudness):
        if level < loud:
            continue
        if begin is None:
            begin = place
        elif (place - last) * MOMENT > 0.35:
            yield begin * MOMENT, (last + 1) * MOMENT
            begin = place
        last = place
    if begin is not None:
        yield begin * MOMENT, (last + 1) * MOMENT


def far_away(address: str) -> Heard:
    """Return what a recording might say that lies at a public address, from which nothing is fetched."""
    tail = address.rstrip("/").rpartition("/")[2] or address
    text = f"This stands in for {tail}. " + " ".join(word for word, _ in itertools.islice(_talk(address), 24))
    said = list(say(text, model="", voice=address, rate=8_000))
    seconds = sum(len(sentence.samples) for sentence in said) / 16_000
    words = tuple(
        HeardWord(one.text, one.start, one.end, one.joined, SPEAKERS[number % len(SPEAKERS)])
        for number, sentence in enumerate(said)
        for one in sentence.words
    )
    return Heard(seconds, words, ())


def english(words: Iterable[HeardWord]) -> Iterator[HeardWord]:
    """Yield an English word for each, at the same times: always the same for the same word, whatever it means."""
    for word in words:
        yield HeardWord(_english(word.text), word.start, word.end, joined=False, pitch=word.pitch)


def _english(word: str) -> str:
    core = "".join(character for character in word if unicodedata.category(character)[0] in "LMN")
    if not core or core.isdecimal():
        return word
    chosen = ENGLISH[_number(core.casefold()) % len(ENGLISH)]
    chosen = chosen.capitalize() if core[0].isupper() else chosen
    before, after = word[: word.find(core[0])], word[word.rfind(core[-1]) + 1 :]
    return unicodedata.normalize("NFKC", f"{before}{chosen}{after}").replace("。", ".").replace("、", ",")


def _talk(name: str) -> Iterator[tuple[str, int]]:
    """Yield words without end and who says them: two people take turns, a sentence each."""
    rng = random.Random(name)
    for pitch in itertools.cycle(SPEAKERS):
        sentence = f"{rng.choice(OPENINGS)}, {rng.choice(ENDINGS)}."
        yield from ((piece.text, pitch) for piece in pieces(sentence))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
