"""Texts in pieces that are spoken by themselves: whole sentences, so that a changed sentence changes one piece. No I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from prefect_together.generations.line_breaks import width

_SHORT = 25  # characters below which a sentence is said with the next one: models slur a word that stands alone
_END = re.compile(r"""(?<=[.!?…])["'”’»)\]]*\s+|(?<=[。！？｡．])["'”’」』）]*\s*|(?<=[।؟۔።])\s*|\n\s*\n\s*""")
_CLAUSE = re.compile(r"(?<=[,;:–—])\s+|(?<=[，、；：])\s*")
_SHORTENED = re.compile(
    r"(?:^|[\s(\"'“‘«])(?:[A-ZÀ-ÞА-Я]|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Mt|vs|No|Nr|Bd|Abb|ca|bzw|evtl|ggf|usw|etc|e\.g|i\.e"
    r"|z\.\s?B|d\.\s?h|u\.\s?a|p\.\s?ex|Fig|Vol|approx|Mme|Mlle|Sra?|Dra?|\d+)\.$"
)
"""What ends with a dot and ends no sentence: titles, initials, ``e.g.``, the day in ``3. Mai``."""


def sentence_pieces(text: str, most: int) -> tuple[str, ...]:
    """Return a text in pieces of whole sentences, which together are all of it but the space between them.

    Each sentence is a piece, very short ones together with what follows; one longer than allowed is parted at clauses,
    then at words. How a text is parted depends on each sentence alone, so that a change of one moves no other.

    Args:
        text: Any text.
        most: Characters that a piece may have.
    """
    pieces: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        waiting = ""
        for space, sentence in _sentences(paragraph):
            together = f"{waiting}{space}{sentence}" if waiting else sentence
            if waiting and len(together) > most:
                pieces += _fitting(waiting, most)
                together = sentence
            waiting = together if width(together) < _SHORT else ""
            if not waiting:
                pieces += _fitting(together, most)
        pieces += _fitting(waiting, most)
    return tuple(pieces)


def _sentences(paragraph: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence, after the space that it is said with behind the one before: Chinese and Japanese have none."""
    begun, space = 0, ""
    for end in _END.finditer(paragraph):
        sentence = paragraph[begun : end.end()].strip()
        goes_on = paragraph[end.end() : end.end() + 1].islower()  # “Where?” she asked.
        if sentence and not goes_on and not _SHORTENED.search(sentence):
            yield space, sentence
            begun = end.end()
            spaced = end.group()[-1:].isspace() and unicodedata.east_asian_width(sentence[-1]) not in "WFH"
            space = " " if spaced else ""
    if rest := paragraph[begun:].strip():
        yield space, rest


def _fitting(sentence: str, most: int) -> Iterator[str]:
    """Yield a sentence in as few parts as it takes: cut at clauses where it has some, at words, and else anywhere."""
    rest = sentence
    while len(rest) > most:
        cuts = [cut.start() for cut in _CLAUSE.finditer(rest, 1, most + 1) if cut.start() <= most]
        cut = cuts[-1] if cuts else max(rest.rfind(" ", 1, most + 1), rest.rfind("\n", 1, most + 1))
        cut = cut if cut > 0 else _between(rest, most)
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest


def _between(text: str, most: int) -> int:
    """Return the last place in a text where a character ends: accents and parts of an emoji stay with what they are of."""
    cut = most
    while cut > most // 2 and (unicodedata.category(text[cut])[0] == "M" or "\u200d" in text[cut - 1 : cut + 1]):
        cut -= 1
    return cut if cut > most // 2 else most
