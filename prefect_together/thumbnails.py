"""Small pictures of kept files, as data URIs for the Prefect UI. Needs Pillow, and PyAV for clips; None without."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, BinaryIO

from prefect_together.media import GeneratedMedia, GeneratedVideo

if TYPE_CHECKING:
    from PIL import Image

SIDE = 480
"""Pixels of the longer side."""
LARGEST = 22 * 1024
"""Bytes of the encoded picture at most: descriptions are stored in Prefect's database."""


def thumbnail(media: GeneratedMedia) -> str | None:
    """Return a ``data:image/webp`` URI of a picture, or of the first frame of a clip; None without Pillow or PyAV.

    Raises:
        TogetherError: The file cannot be opened.
    """
    try:
        picture = picture_of(media)
    except ImportError:
        return None
    return f"data:image/webp;base64,{base64.b64encode(_encode(picture)).decode()}"


def picture_of(media: GeneratedMedia) -> Image.Image:
    """Return a picture, or the first frame of a clip.

    Raises:
        ImportError: Pillow or PyAV is not installed.
        TogetherError: The file cannot be opened.
    """
    with media.open() as file:
        return _first_frame(file) if isinstance(media, GeneratedVideo) else _picture(file)


def _picture(file: BinaryIO) -> Image.Image:
    from PIL import Image

    picture = Image.open(file)
    picture.draft("RGB", (SIDE * 2, SIDE * 2))  # lets JPEG decode at a fraction of its size
    picture.load()
    return picture


def _first_frame(file: BinaryIO) -> Image.Image:
    import av

    library: Any = av  # its stubs speak of numpy, which need not be there
    with library.open(file, metadata_errors="ignore") as clip:
        return next(clip.decode(video=0)).to_image()


def _encode(picture: Image.Image) -> bytes:
    picture = picture.convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    for quality in (80, 60, 40, 20):
        out = io.BytesIO()
        picture.save(out, "webp", quality=quality, method=2)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()
