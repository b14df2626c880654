"""Write a prompt on a picture in a translucent bar, in any script, without ever failing; draws no pictures."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from prefect_together.sandbox._media import Image, ImageDraw, ImageFilter, ImageFont, ImageOps, resized

Font = ImageFont.FreeTypeFont

# Pillow's own font knows Latin only. For other scripts a font of the system is used where there is one.
SYSTEM_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "wqy-zenhei.ttc", "Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc",
    "msyh.ttc", "arialuni.ttf", "arial.ttf",
)  # fmt: skip
NO_GLYPH = "\U0010fffe"
SMALLEST_SIDE = 96
"""Pixels: on anything smaller a caption would be unreadable and is left out."""
SMALLEST_PRINT = 24
"""Pixels: a smaller inset would show nothing."""
TALL = 400
"""Pixels of height from which a caption may have a third line."""


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> Font | None:
    try:
        font = ImageFont.load_default(size) if not name else ImageFont.truetype(name, size)
    except OSError:
        return None
    return font if isinstance(font, ImageFont.FreeTypeFont) else None


@lru_cache(maxsize=4096)
def _has(name: str, character: str) -> bool:
    font = _font(name, 24)
    if font is None:
        return False
    try:
        return character.isspace() or _shape(font, character) != _shape(font, NO_GLYPH)
    except (OSError, ValueError):
        return False


def _shape(font: Font, character: str) -> bytes:
    """Return how a character looks in print, as bytes to compare."""
    page = Image.new("L", (40, 40))
    ImageDraw.Draw(page).text((4, 4), character, font=font, fill=255)
    return page.tobytes()


def choose(text: str) -> tuple[str, str]:
    """Return the font that knows most of `text` ("" is Pillow's own) and the text without what it cannot draw."""
    plain = " ".join(text.split())

    def known(name: str) -> int:
        return sum(_has(name, character) for character in set(plain))

    best = ""
    if known("") < len(set(plain)):
        best = max(("", *SYSTEM_FONTS), key=known)
    return best, _drawable(plain, best) or "(a prompt in a script that no font on this machine knows)"


def _drawable(text: str, name: str) -> str:
    """Return `text` without what the font lacks; an accent it lacks is dropped before its letter is."""
    plain = (c if _has(name, c) else unicodedata.normalize("NFKD", c)[0] for c in text)
    return " ".join("".join(c for c in plain if _has(name, c)).split())


def wrap(text: str, font: Font, width: float, lines: int) -> list[str]:
    """Break `text` into at most `lines` lines of `width` pixels, ending in an ellipsis where it had to stop."""
    wrapped, line = list[str](), ""
    for word in _words(text, font, width):
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        wrapped.append(line)
        line = word
    wrapped.append(line)
    if len(wrapped) <= lines:
        return wrapped
    last = wrapped[lines - 1]
    while last and font.getlength(f"{last}...") > width:
        last = last[:-1]
    return [*wrapped[: lines - 1], f"{last.rstrip()}..."]


def _words(text: str, font: Font, width: float) -> Iterable[str]:
    """Yield words, cut where a single one is wider than the line (scripts without spaces, long tokens)."""
    for word in text[:2_000].split():
        rest = word
        while font.getlength(rest) > width:
            cut = max(1, int(len(rest) * width / font.getlength(rest)) - 1)
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


def caption(picture: Image.Image, text: str, small: str) -> Image.Image:
    """Return `picture` with a bar at the bottom that carries `text` and, in small type, `small`."""
    bar, place = bar_for(picture, text, small)
    if bar is None:
        return picture
    captioned = picture.copy()
    captioned.paste(bar, place)
    return captioned


def bar_for(picture: Image.Image, text: str, small: str) -> tuple[Image.Image | None, tuple[int, int]]:
    """Return the caption bar and where it goes, or None where the picture is too small for one."""
    width, height = picture.size
    if min(width, height) < SMALLEST_SIDE:
        return None, (0, 0)
    size = max(11, round(min(width * 0.034, height * 0.045)))
    little = max(8, round(size * 0.56))
    margin, pad = round(size * 0.8), round(size * 0.75)
    name, text = choose(text)
    font, note_font = _font(name, size), _font("", little)
    if font is None or note_font is None:
        return None, (0, 0)
    room = width - 2 * margin - 2 * pad
    lines = [line for line in wrap(text, font, room, 3 if height > TALL else 2) if line]
    step = round(size * 1.28)
    tall = min(height - 2 * margin, 2 * pad + step * len(lines) + round(little * 1.3))
    box = (margin, height - margin - tall, width - margin, height - margin)
    panel = picture.crop(box)
    blurred = panel.reduce(4).filter(ImageFilter.GaussianBlur(max(2, size / 5)))
    soft = resized(blurred, panel.size, Image.Resampling.BILINEAR)
    glass = Image.blend(soft, Image.new("RGB", panel.size, (10, 14, 26)), 0.56)
    pen = ImageDraw.Draw(glass, "RGBA")
    for row, line in enumerate(lines):
        pen.text((pad, pad * 0.8 + row * step), line, font=font, fill=(255, 255, 255, 245))
    note = _drawable(small, "")
    pen.text(
        (pad, pad * 0.8 + len(lines) * step + little * 0.25),
        wrap(note, note_font, room, 1)[0], font=note_font, fill=(255, 255, 255, 165),
    )  # fmt: skip
    corners = Image.new("L", (panel.width, panel.height))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, panel.width - 1, panel.height - 1), round(size * 0.6), fill=255)
    return Image.composite(glass, panel, corners), (box[0], box[1])


def inset(picture: Image.Image, reference: Image.Image) -> None:
    """Put a small framed print of `reference` into the upper right corner of `picture`, in place."""
    side = round(min(picture.size) * 0.24)
    if side < SMALLEST_PRINT:
        return
    small = ImageOps.contain(reference, (side, side), Image.Resampling.BICUBIC)
    frame = max(2, side // 32)
    framed = ImageOps.expand(small, frame, (250, 248, 242))
    gap = round(min(picture.size) * 0.035)
    place = (picture.width - framed.width - gap, gap)
    shadow = Image.new("L", (framed.width + 4 * frame, framed.height + 4 * frame))
    ImageDraw.Draw(shadow).rectangle((frame, frame, shadow.width - frame, shadow.height - frame), fill=110)
    picture.paste((0, 0, 0), (place[0] - frame, place[1] - frame), shadow.filter(ImageFilter.GaussianBlur(frame)))
    picture.paste(framed, place)
