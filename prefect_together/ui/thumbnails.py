"""Small pictures of kept files, as WebP bytes or data URIs. Needs Pillow, and PyAV for clips and sounds; None without."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO

from prefect_together.generations.formats import is_seen
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.vision import upright
from prefect_together.ui.waveforms import waveform

if TYPE_CHECKING:
    from PIL import Image

SIDE = 480
"""Pixels of the longer side."""
LARGEST = 22 * 1024
"""Bytes of the encoded picture at most: descriptions are stored in Prefect's database."""

_ROOM = 1.1  # times the pixels that are asked for: to make it that little smaller takes longer than to read the JPEG
_MADE = 128  # a gallery shows what a card of its own has shown already
_made: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
_lock = threading.Lock()


def thumbnail(media: KeptFile, *, side: int = SIDE, largest: int = LARGEST) -> str | None:
    """Return a ``data:image/webp`` URI of a picture, the first frame of a clip or the waveform of a sound, or None as below.

    Raises:
        TogetherError: The file cannot be opened.
    """
    small = small_picture(media, side=side, largest=largest)
    return f"data:image/webp;base64,{base64.b64encode(small).decode()}" if small else None


def small_picture(media: KeptFile, *, side: int = SIDE, largest: int = LARGEST) -> bytes | None:
    """Return a small WebP picture; clips carry a mark, so that nobody takes one for a still. Waveforms are transparent.

    Args:
        media: The file.
        side: Pixels of its longer side, or a tenth more.
        largest: Bytes that it should not exceed.

    Returns:
        None of what is neither seen nor heard, and without Pillow or PyAV.

    Raises:
        TogetherError: The file cannot be opened.
    """
    name = (media.sha256, side, largest)
    with _lock:
        if known := _made.get(name):
            return known
    if not is_seen(media.media_type):
        return None
    try:
        picture = picture_of(media, side=side)
        picture = picture if media.is_heard else picture.convert("RGB")
        if max(picture.size) > side * _ROOM:
            picture.thumbnail((side, side))
        small = _encode(_marked(picture) if media.is_moving else picture, largest)
    except ImportError:
        return None
    with _lock:
        _made[name] = small
        while len(_made) > _MADE:
            _made.popitem(last=False)
    return small


def picture_of(media: KeptFile, *, side: int = SIDE) -> Image.Image:
    """Return a picture, the first frame of a clip, or the waveform of a sound.

    Args:
        media: The file.
        side: Pixels of the longer side that are enough; a picture may be larger.

    Raises:
        ImportError: Pillow or PyAV is not installed.
        TogetherError: The file cannot be opened.
    """
    with media.open() as file:
        if media.is_heard:
            return waveform(file, side)
        return _first_frame(file) if media.is_moving else _picture(file, side)


def _picture(file: BinaryIO, side: int) -> Image.Image:
    from PIL import Image, ImageOps

    picture = Image.open(file)
    scale = min(1.0, side / max(picture.size))
    # Lets JPEG decode at a half, a quarter or an eighth of its size: the least that is enough for this shape.
    picture.draft("RGB", (round(picture.width * scale), round(picture.height * scale)))
    return ImageOps.exif_transpose(picture)  # the way up in which it is shown


def _first_frame(file: BinaryIO) -> Image.Image:
    import av

    library: Any = av  # its stubs speak of numpy, which need not be there
    with library.open(file) as clip:
        return upright(next(clip.decode(video=0)))


def _marked(picture: Image.Image) -> Image.Image:
    """Put a play sign on the first frame of a clip."""
    from PIL import Image, ImageDraw

    scale = 3  # drawn larger and reduced, for smooth edges
    size = max(24, round(min(picture.size) * 0.26))
    sign = Image.new("RGBA", (size * scale, size * scale), (0, 0, 0, 0))
    draw, whole = ImageDraw.Draw(sign), size * scale
    draw.ellipse((0, 0, whole - 1, whole - 1), fill=(15, 18, 24, 165))
    draw.polygon([(whole * 0.40, whole * 0.29), (whole * 0.40, whole * 0.71), (whole * 0.74, whole * 0.50)], fill="white")
    small: Image.Image = sign.reduce(scale)
    corner = ((picture.width - size) // 2, (picture.height - size) // 2)
    marked = picture.copy()
    marked.paste(small, corner, small)
    return marked


def _encode(picture: Image.Image, largest: int) -> bytes:
    out = io.BytesIO()
    for quality in (80, 60, 40, 20):
        out = io.BytesIO()
        picture.save(out, "webp", quality=quality, method=2)
        if out.tell() <= largest:
            break
    return out.getvalue()
