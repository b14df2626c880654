"""Write down what was heard as the API answers it: the text, segments, words and who said them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect_together.sandbox.sound.hearing import HeardWord
from prefect_together.sandbox.sound.voices import STEP

PAUSE = 0.6
"""Seconds of silence that end a segment."""
LONGEST = 12.0
"""Seconds after which a segment ends with the next word."""
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।")
_CLOSING = "\"'”’»)]}"


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording, ready to be written in any of the ways that can be asked for."""

    task: str
    """`transcribe` or `translate`."""
    language: str
    seconds: float
    words: tuple[HeardWord, ...]
    speakers: tuple[int, ...] | None
    """Who said each word; None where nobody asked."""

    @property
    def text(self) -> str:
        """All that was said."""
        return text_of(self.words)

    def short(self) -> dict[str, Any]:
        """Return the answer `json`."""
        return {"text": self.text}

    def line(self) -> dict[str, Any]:
        """Return the answer `json` as the output of a batch has it."""
        return {"duration": self.seconds, "language": self.language, "text": self.text}

    def verbose(self, *, words: bool) -> dict[str, Any]:
        """Return the answer `verbose_json`, with words where they are asked for, or speakers are."""
        turns = None if self.speakers is None else _turns(self.words, self.speakers)
        answer: dict[str, Any] = {
            "task": self.task, "language": self.language, "duration": self.seconds, "text": self.text,
            "segments": [
                {"id": number, "start": segment[0].start, "end": segment[-1].end, "text": text_of(segment)}
                for number, segment in enumerate(segments(self.words))
            ],
        }  # fmt: skip
        if words or turns is not None:
            answer["words"] = [
                _word(word, number, None if self.speakers is None else self.speakers[number])
                for number, word in enumerate(self.words)
            ]
        if turns is not None:
            answer["speaker_segments"] = [
                {
                    "id": number, "speaker_id": _speaker(who), "start": turn[0].start, "end": turn[-1].end,
                    "text": text_of(turn), "words": [_word(word, place, who) for place, word in enumerate(turn)],
                }
                for number, (who, turn) in enumerate(turns)
            ]  # fmt: skip
        return answer


def text_of(words: Sequence[HeardWord]) -> str:
    """Return words as text, with spaces between them but where a word joins the one before."""
    return "".join(("" if word.joined or not place else " ") + word.text for place, word in enumerate(words))


def segments(words: Sequence[HeardWord]) -> list[list[HeardWord]]:
    """Return the words sentence by sentence, cut also at pauses and where a sentence has no end."""
    found = list[list[HeardWord]]()
    for word in words:
        last = found[-1] if found else None
        if last is None or _ended(last, word):
            found.append([word])
        else:
            last.append(word)
    return found


def _ended(segment: Sequence[HeardWord], following: HeardWord) -> bool:
    last = segment[-1]
    if last.text.rstrip(_CLOSING).endswith(_ENDS) and not following.joined:
        return True
    return following.start - last.end > PAUSE or following.end - segment[0].start > LONGEST


def tell_apart(words: Sequence[HeardWord], most: int | None) -> tuple[int, ...]:
    """Return who said each word, numbered as they first speak: by the pitch of their voices.

    Args:
        words: What was heard; a word without a pitch is taken for the speaker's before.
        most: How many there are at most; None for as many as there are.
    """
    pitches = list[int]()
    said = list[int | None]()
    for word in words:
        if word.pitch is None:
            said.append(None)
            continue
        known = next((place for place, one in enumerate(pitches) if abs(one - word.pitch) <= STEP), None)
        if known is None:
            known = len(pitches)
            pitches.append(word.pitch)
        said.append(known)
    while most is not None and len(pitches) > max(1, most):
        # Whose voices are most alike are taken for one.
        gone = len(pitches) - 1
        near = min(range(gone), key=lambda place: abs(pitches[place] - pitches[gone]))
        said = [near if one == gone else one for one in said]
        pitches.pop()
    before, found = next((one for one in said if one is not None), 0), list[int]()
    for one in said:
        before = before if one is None else one
        found.append(before)
    return tuple(found)


def _turns(words: Sequence[HeardWord], speakers: Sequence[int]) -> list[tuple[int, list[HeardWord]]]:
    turns = list[tuple[int, list[HeardWord]]]()
    for word, who in zip(words, speakers, strict=True):
        if turns and turns[-1][0] == who:
            turns[-1][1].append(word)
        else:
            turns.append((who, [word]))
    return turns


def _word(word: HeardWord, number: int, who: int | None) -> dict[str, Any]:
    named = {} if who is None else {"speaker_id": _speaker(who)}
    return {"word": word.text, "start": word.start, "end": word.end, "id": number, **named}


def _speaker(number: int) -> str:
    return f"SPEAKER_{number:02d}"
