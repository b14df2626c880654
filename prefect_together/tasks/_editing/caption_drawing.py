"""Captions as pictures: letters with an outline, or on a box, of a size that follows the film. Needs Pillow."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from prefect_together._internal.text import with_article
from prefect_together.errors import ConfigurationError
from prefect_together.tasks._editing.fonts import FontFile, drawn, fonts
from prefect_together.tasks._editing.pyav import missing

Style = Literal["outline", "box"]
"""How letters are told from the picture behind them: by a dark outline, or by a dark box."""

_WIDE, _HIGH = 0.058, 0.052  # of a film's sides: the size of its letters
_LINE = 0.9  # of a film's width
_MARGIN = 0.05  # of its height, below the last line
_MOST = 0.4  # of its height, that captions take at most
_LETTER = 0.5  # of the size of letters: how wide one is, as a rule
_LONGEST = 42
_SMALLEST = 8  # pixels
_JOINED = ("Arabic", "Syriac", "Hebrew", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu",
           "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer")  # fmt: skip
"""Scripts whose letters change by those beside them, or run from right to left, in the words of Unicode."""


@dataclass(frozen=True)
class Drawn:
    """A caption as a picture with transparency, and where its upper left corner is in the film."""

    picture: Any
    place: tuple[int, int]


def letter_size(size: tuple[int, int]) -> int:
    """Return the size of letters for a film of a size, in pixels."""
    return max(_SMALLEST, round(min(size[0] * _WIDE, size[1] * _HIGH)))


def line_length(size: tuple[int, int]) -> int:
    """Return how many characters of a line a film of a size has room for."""
    return min(_LONGEST, max(8, int(size[0] * _LINE / (letter_size(size) * _LETTER))))


class Drawing:
    """Draws captions for a film.

    Args:
        size: Of the film, in pixels.
        texts: All that will be drawn, so that one font is chosen for all of it where one has it.
        style: How it is told from the picture.
        font: One of one's own, which is asked first.

    Raises:
        ConfigurationError: Pillow is not installed, or no font has a character, or letters of a script cannot be laid out.
    """

    def __init__(self, size: tuple[int, int], texts: Sequence[str], style: Style, font: FontFile | None) -> None:
        try:
            from PIL import Image, ImageDraw, ImageFont, features  # optional
        except ImportError:
            raise missing("Pillow") from None
        self._image, self._draw, self._truetype = Image, ImageDraw, ImageFont
        self._raqm = features.check("raqm") and features.check("fribidi")
        self._size, self._style = size, style
        texts = [_plain(text) for text in texts]
        if not self._raqm and (script := _script(texts)):
            raise ConfigurationError(
                f"The Pillow that is installed cannot lay out {script}: install one with Raqm, as its wheels have."
            )
        self._fonts = _chosen(texts, font)
        self._loaded = lru_cache(maxsize=64)(self._load)

    def of(self, text: str) -> Drawn:
        """Return a caption as a picture."""
        size, lines = self._fitted(_plain(text))
        outline = 0 if self._style == "box" else max(1, round(size / 11))
        pad = round(size * 0.35) if self._style == "box" else outline
        step = round(size * 1.25)
        widths = [self._length(line, size) for line in lines]
        across = -(-(round(max(widths)) + 2 * pad + 2) // 8) * 8
        down = -(-(step * len(lines) + 2 * pad + 2) // 2) * 2
        picture = self._image.new("RGBA", (across, down), (0, 0, 0, 0))
        draw = self._draw.Draw(picture)
        if self._style == "box":
            draw.rectangle((0, 0, across - 1, down - 1), fill=(0, 0, 0, 190))
        for place, (line, width) in enumerate(zip(lines, widths, strict=True)):
            left, base = (across - width) / 2, pad + step * place + round(size * 0.95)
            for run, font in self._runs(line):
                letters = self._loaded(font, size)
                draw.text(
                    (left, base), run, font=letters, fill=(255, 255, 255, 255), anchor="ls",
                    stroke_width=outline, stroke_fill=(0, 0, 0, 255),
                )  # fmt: skip
                left += letters.getlength(run)
        x = max(0, (self._size[0] - across) // 4 * 2)
        y = max(0, (self._size[1] - down - round(self._size[1] * _MARGIN)) // 2 * 2)
        return Drawn(picture, (x, y))

    def _load(self, font: FontFile, size: int) -> Any:
        if font.path is None:
            return self._truetype.load_default(size)
        engine = self._truetype.Layout.RAQM if self._raqm else self._truetype.Layout.BASIC
        return self._truetype.truetype(str(font.path), size, index=font.face, layout_engine=engine)

    def _fitted(self, text: str) -> tuple[int, list[str]]:
        """Return the size of the letters and the lines: smaller ones where there is not the room for the usual ones."""
        size = letter_size(self._size)
        while True:
            lines = [part for line in text.split("\n") for part in self._broken(line, size)]
            room = size * 1.25 * len(lines) <= self._size[1] * _MOST and all(
                self._length(line, size) <= self._size[0] * _LINE for line in lines
            )
            if room or size <= _SMALLEST:
                return size, lines
            size = max(_SMALLEST, round(size * 0.88))

    def _broken(self, line: str, size: int) -> Iterator[str]:
        """Yield a line in parts that fit: broken at spaces, or between letters where there are none."""
        most, part = self._size[0] * _LINE, ""
        for piece in self._short_enough(_pieces(line), size):
            if part.strip() and self._length((part + piece).strip(), size) > most:
                yield part.strip()
                part = ""
            part += piece
        if part.strip():
            yield part.strip()

    def _short_enough(self, pieces: Iterator[str], size: int) -> Iterator[str]:
        """Yield pieces of which those that fill more than a line are broken anywhere: not every script has spaces."""
        for piece in pieces:
            if self._length(piece, size) <= self._size[0] * _LINE:
                yield piece
                continue
            part = ""
            for character in piece:
                if part and unicodedata.category(character)[0] != "M" and self._length(part, size) > self._size[0] * 0.7:
                    yield part
                    part = ""
                part += character
            yield part

    def _length(self, line: str, size: int) -> float:
        return sum(self._loaded(font, size).getlength(run) for run, font in self._runs(line))

    def _runs(self, line: str) -> list[tuple[str, FontFile]]:
        """Return the parts of a line in the order in which they stand, each with a font that has all of it."""
        whole = drawn(line)
        if one := next((font for font in self._fonts if font.has_all(whole)), None):
            return [(line, one)]
        runs: list[tuple[str, FontFile]] = []
        for character in line:
            before = runs[-1] if runs else None
            if before and (character.isspace() or not drawn(character) or before[1].has(character)):
                runs[-1] = (before[0] + character, before[1])
            else:
                font = next((font for font in self._fonts if font.has(character)), self._fonts[0])
                runs.append((character, font))
        return runs[::-1] if _runs_left(line) else runs


def _chosen(texts: Sequence[str], own: FontFile | None) -> list[FontFile]:
    """Return the fonts that have all characters of some texts: one where one has them.

    Raises:
        ConfigurationError: A character is in none.
    """
    characters = drawn("".join(texts))
    chosen, missed = [own] if own else [], [one for one in characters if not own or not own.has(one)]
    several: list[FontFile] = []
    for font in fonts():
        if not missed:
            break
        if font.has_all(characters):
            return [*chosen, _for_language(font, characters)]
        several.append(font)
    for font in several:
        if any(map(font.has, missed)):
            chosen.append(_for_language(font, missed))
            missed = [one for one in missed if not font.has(one)]
    if missed:
        raise ConfigurationError(_none_has(missed))
    return chosen or [next(fonts())]


def _for_language(font: FontFile, characters: Sequence[str]) -> FontFile:
    """Return the font of a collection whose letters are those of a text's language: Han letters differ between them."""
    names = [unicodedata.name(one, "") for one in characters]
    if not any(name.startswith("CJK") for name in names):
        return font
    ending = "KR" if any("HANGUL" in name for name in names) else "SC"
    if any(kana in name for name in names for kana in ("HIRAGANA", "KATAKANA")):
        ending = "JP"
    from PIL import ImageFont  # it is there: the letters are drawn by it

    for face in font.faces():
        called = ImageFont.truetype(str(face.path), 16, index=face.face).getname()[0] if face.path else None
        if called and called.endswith(f" {ending}"):
            return face
    return font


def _none_has(missed: Sequence[str]) -> str:
    shown = " ".join(missed[:12]) + (" …" if len(missed) > 12 else "")
    letter = unicodedata.category(missed[0])[0] in "LM"
    script = unicodedata.name(missed[0], "").split(" ")[0].title().replace("Cjk", "CJK") if letter else ""
    return (
        f"No font on this machine has the characters {shown}: install {with_article(f'{script} font'.strip())} that has "
        "them, such as those of Noto (https://notofonts.github.io), or give its path as font=."
    )


def _plain(text: str) -> str:
    """Return a text in composed characters, without those that choose another look of the one before them."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(one if not one.isspace() or one == "\n" else " " for one in composed if not "\ufe00" <= one <= "\ufe0f")


def _script(texts: Sequence[str]) -> str | None:
    """Return a script of some texts whose letters have to be laid out, or None."""
    for character in drawn("".join(texts)):
        if (name := unicodedata.name(character, "").split(" ")[0].title()) in _JOINED:
            return name
    return None


def _runs_left(line: str) -> bool:
    first = next((unicodedata.bidirectional(one) for one in line if unicodedata.bidirectional(one) in {"L", "R", "AL"}), "L")
    return first != "L"


def _pieces(line: str) -> Iterator[str]:
    """Yield the parts of a line between which it may be broken."""
    piece = ""
    for character in line:
        broken = piece.endswith(" ") or _stands_alone(piece[-1:]) or (_stands_alone(character) and piece)
        if broken and not unicodedata.category(character).startswith(("M", "P")):
            yield piece
            piece = ""
        piece += character
    yield piece


def _stands_alone(character: str) -> bool:
    """Tell whether lines are broken beside a character: those of Chinese, Japanese and Korean."""
    return bool(character) and unicodedata.east_asian_width(character) in {"W", "F"}
