"""How a word is written in notes: half a byte is one of sixteen notes, each word begins with a note that no byte has.

The notes are a pentatonic scale, so that any text sounds like a tune. They are far enough apart to be told from each other
within one note's length, and deep enough to be left alone by encoders and by a sample rate of 8 kHz.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SECONDS = 0.026
"""How long a note is: about 15 characters of a text in a second, pauses included."""
ONSET = 330
"""Hz; the note with which a word begins."""
NOTES = (440, 523, 587, 659, 784, 880, 1047, 1175, 1319, 1568, 1760, 2093, 2349, 2637, 3136, 3520)
"""Hz; what half a byte sounds like."""
CHECK = 2
"""Notes at the end of a word by which it is known to be whole."""
MOST_BYTES = 16
"""A longer word is said in pieces."""
PIECE_BYTES = 12
_JOINED = b"\x01"
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।")
_RESTS = (",", ";", ":", "、", "，", "；", "：")
_CLOSING = "\"'”’»)]}"
MOST_NOTES = 2 * (MOST_BYTES + len(_JOINED)) + CHECK


@dataclass(frozen=True)
class Piece:
    """A word, or a part of a long one, or of a text that is written without spaces."""

    text: str
    joined: bool
    """Whether no space stands before it."""
    rest: float
    """How long the pause behind it is, as a share of that at the end of a sentence."""

    @property
    def notes(self) -> tuple[int, ...]:
        """Its notes, 0 to 15, those of the check at the end; the one of the onset stands before them."""
        said = (_JOINED if self.joined else b"") + self.text.encode()
        return tuple(half for byte in (*said, _sum(said)) for half in (byte >> 4, byte & 15))


def pieces(text: str) -> Iterator[Piece]:
    """Yield what is said of a text, one piece after the other; of white space only that there is some."""
    for word in text.split():
        parts = [word] if len(word.encode()) <= MOST_BYTES else list(_cut(word))
        for place, part in enumerate(parts):
            yield Piece(part, joined=place > 0, rest=_rest(part))


def read(notes: Sequence[int]) -> tuple[str, bool, int] | None:
    """Return the longest word that these notes begin with, whether it joins the one before, and how many notes it has.

    None is returned where no check fits: the notes are none of a word, or the word was cut.
    """
    for count in range(len(notes) - len(notes) % 2, 2 * CHECK - 1, -2):
        said = bytes(high << 4 | low for high, low in zip(notes[0:count:2], notes[1:count:2], strict=True))
        said, check = said[:-1], said[-1]
        if check != _sum(said):
            continue
        joined = said.startswith(_JOINED)
        try:
            word = said.removeprefix(_JOINED).decode()
        except UnicodeDecodeError:
            continue
        if word and word.isprintable() and not any(character.isspace() for character in word):
            return word, joined, count
    return None


def _sum(said: bytes) -> int:
    return binascii.crc32(said) & 0xFF


def _cut(word: str) -> Iterator[str]:
    part = ""
    for character in word:
        if len((part + character).encode()) > PIECE_BYTES:
            yield part
            part = ""
        part += character
    yield part


def _rest(word: str) -> float:
    plain = word.rstrip(_CLOSING)
    if plain.endswith(_ENDS):
        return 1.0
    return 0.35 if plain.endswith(_RESTS) else 0.0
