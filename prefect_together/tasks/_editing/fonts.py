"""Fonts on this machine, and which characters they have. Draws nothing.

``fontTools`` would read them too, and takes seconds for those of a desktop: of each only one table is needed.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_KINDS = {".ttf", ".otf", ".ttc", ".otc"}
_BEST = (
    r"noto ?sans(-regular|\[.*\])?",
    r"dejavusans",
    r"liberationsans-regular",
    r"arial",
    r"helvetica(neue)?",
    r"segoeui",
    r"(roboto|opensans|ubuntu|lato|inter)(-regular|\[.*\])?",
    r"notosanscjk-regular",
    r"(pingfang|hiragino.*|msyh|meiryo|malgun)",
    r"notosans[a-z]+-regular",
    r"(arialuni|arial unicode|nirmala|mangal|kohinoor.*|geezapro|arialhb)",
)
"""The fonts that are best read on a picture come first, by the names of their files."""
_STYLED = re.compile(
    r"bold|italic|oblique|light|thin|black|mono|serif|condensed|symbol|math|emoji|extra|medium|semi", re.IGNORECASE
)
_DRAWN = ({"glyf"}, {"CFF "}, {"CFF2"})  # tables of which a font has one whose letters can be drawn at any size


@dataclass(frozen=True)
class FontFile:
    """A font, and which characters it has.

    Args:
        path: Its file; None for the one that Pillow brings along.
        face: Which one of a collection.
    """

    path: Path | None
    face: int
    _lookup: _Lookup = field(repr=False, compare=False)

    def faces(self) -> Sequence[FontFile]:
        """Return all fonts of its file."""
        return [self] if self.path is None else _faces(self.path)

    def has(self, character: str) -> bool:
        """Tell whether it has a character."""
        return self._lookup.has(ord(character))

    def has_all(self, characters: Iterable[str]) -> bool:
        """Tell whether it has all of several characters."""
        return all(map(self.has, characters))


def font_file(path: Path) -> FontFile:
    """Return a font of one's own.

    Raises:
        ValueError: It is none, or its letters cannot be drawn at any size.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return FontFile(path, 0, _lookup(file, 0))


def fonts() -> Iterator[FontFile]:
    """Yield the fonts of this machine, the best ones first, and behind them the one that Pillow brings along."""
    for path in _files():
        with suppress(OSError, ValueError, struct.error, IndexError):  # a broken font, or one of pictures
            yield from _faces(path)
    if own := _pillows():
        yield own


@lru_cache(maxsize=1)
def _files() -> Sequence[Path]:
    found = {
        Path(root, name)
        for folder in _folders()
        for root, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in _KINDS
    }
    return sorted(found, key=_rank)


def _folders() -> list[Path]:
    """Return where fonts are."""
    home = Path.home()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local"))
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), local / "Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    own = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    return [home / ".fonts", *(Path(folder, "fonts") for folder in (own, *shared.split(":")))]


def _rank(path: Path) -> tuple[int, int, str]:
    name = path.stem.lower()
    best = next((place for place, pattern in enumerate(_BEST) if re.fullmatch(pattern, name)), len(_BEST))
    return best, len(_STYLED.findall(name)), str(path)


@lru_cache(maxsize=512)
def _faces(path: Path) -> tuple[FontFile, ...]:
    with path.open("rb") as file:
        head = file.read(12)
        count = struct.unpack(">I", head[8:12])[0] if head[:4] == b"ttcf" else 1
        return tuple(FontFile(path, face, _lookup(file, face)) for face in range(min(count, 64)))


@lru_cache(maxsize=1)
def _pillows() -> FontFile | None:
    """Return the font that Pillow brings along, where it was built to."""
    try:
        from PIL import ImageFont  # optional

        file: object = getattr(ImageFont.load_default(24), "path", None)
        return FontFile(None, 0, _lookup(io.BytesIO(file.getvalue()), 0)) if isinstance(file, io.BytesIO) else None
    except (ImportError, AttributeError, ValueError, struct.error):
        return None


@dataclass(frozen=True)
class _Lookup:
    """Which characters a font has: ranges of code points, and in each which of them."""

    ends: Sequence[int]
    starts: Sequence[int]
    holes: Sequence[frozenset[int]]
    """The code points of each range that it has no letter for."""

    def has(self, code: int) -> bool:
        place = bisect_left(self.ends, code)
        return place < len(self.ends) and self.starts[place] <= code and code not in self.holes[place]


def _lookup(file: BinaryIO, face: int) -> _Lookup:
    file.seek(0)
    start = 0
    if file.read(4) == b"ttcf":
        file.seek(12 + 4 * face)
        start = struct.unpack(">I", file.read(4))[0]
    file.seek(start + 4)
    count = struct.unpack(">H", file.read(2))[0]
    file.seek(start + 12)
    records = [struct.unpack(">4sIII", file.read(16)) for _ in range(min(count, 256))]
    tables = {tag.decode("latin-1"): offset for tag, _, offset, _ in records}
    if "cmap" not in tables or not any(drawn <= tables.keys() for drawn in _DRAWN):
        raise ValueError("it has no letters that can be drawn at any size")
    return _character_map(file, tables["cmap"])


def _character_map(file: BinaryIO, at: int) -> _Lookup:
    """Read the table of characters (OpenType 1.9, cmap), in the two formats that fonts with Unicode have."""
    file.seek(at + 2)
    count = struct.unpack(">H", file.read(2))[0]
    records = [struct.unpack(">HHI", file.read(8)) for _ in range(count)]
    kinds: dict[int, int] = {}
    for platform, encoding, offset in records:
        if platform == 0 or (platform == 3 and encoding in {1, 10}):
            file.seek(at + offset)
            kinds[struct.unpack(">H", file.read(2))[0]] = at + offset
    if 12 in kinds:
        return _groups(file, kinds[12])
    if 4 in kinds:
        return _segments(file, kinds[4])
    raise ValueError("it does not say which characters it has")


def _groups(file: BinaryIO, at: int) -> _Lookup:
    file.seek(at + 12)
    count = struct.unpack(">I", file.read(4))[0]
    numbers = struct.unpack(f">{3 * count}I", file.read(12 * count))
    starts, ends, glyphs = numbers[0::3], numbers[1::3], numbers[2::3]
    holes = [frozenset({start}) if glyph == 0 else frozenset[int]() for start, glyph in zip(starts, glyphs, strict=True)]
    return _Lookup(ends, starts, holes)


def _segments(file: BinaryIO, at: int) -> _Lookup:
    file.seek(at + 2)
    length = struct.unpack(">H", file.read(2))[0]
    file.seek(at)
    table = file.read(length)
    count = struct.unpack(">H", table[6:8])[0] // 2
    ends, starts, deltas, ranges = (
        struct.unpack_from(f">{count}H", table, 14 + 2 * count * part + (2 if part else 0)) for part in range(4)
    )
    offsets = 16 + 6 * count
    holes: list[frozenset[int]] = []
    for place in range(count):
        codes = range(starts[place], ends[place] + 1)
        if not ranges[place]:
            holes.append(frozenset(code for code in codes if code + deltas[place] & 0xFFFF == 0))
            continue
        first = offsets + 2 * place + ranges[place]
        glyphs = (table[first + 2 * step : first + 2 * step + 2] for step in range(len(codes)))
        holes.append(frozenset(code for code, glyph in zip(codes, glyphs, strict=True) if glyph in {b"\0\0", b""}))
    return _Lookup(ends, starts, holes)


def drawn(text: str) -> list[str]:
    """Return the characters of a text that have to be seen, each once, in order: no spaces, no marks of direction."""
    return [one for one in dict.fromkeys(text) if not one.isspace() and unicodedata.category(one)[0] not in "CZ"]
