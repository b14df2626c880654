"""Pictures as models see them: upright, JPEG, no larger than what counts; and pictures cut out of clips. Opens no files."""

from __future__ import annotations

import io
from functools import partial
from typing import Any, BinaryIO

from prefect_together._internal.optional import library
from prefect_together.generations.formats import image_shape
from prefect_together.generations.orientation import TRANSPOSITIONS, turn_of

LARGEST = 1120
"""Pixels of the longer side: beyond two by two tiles of 560 nothing more is counted (together-other-types.md 3.8)."""
_QUALITY = 90
_HEADER = 64 * 1024  # bytes in which a camera says how a picture lies


class NotDecodable(ValueError):
    """Bytes that should be a picture or a clip are none."""


def seen(data: bytes) -> bytes:
    """Return a picture as it is shown to a model: a JPEG that is small enough as it is, any other anew.

    Raises:
        ConfigurationError: The extra ``media`` is needed and not installed.
        NotDecodable: It cannot be decoded.
    """
    shape = image_shape(data)
    small = shape.width is not None and shape.height is not None and max(shape.width, shape.height) <= LARGEST
    if small and data.startswith(b"\xff\xd8\xff") and b"Exif\0\0" not in data[:_HEADER]:
        return data
    images = library("PIL.Image", "Showing pictures to a model", extra="media")
    try:
        with images.open(io.BytesIO(data)) as picture:
            return _jpeg(picture)
    except (OSError, SyntaxError, images.DecompressionBombError) as error:
        raise NotDecodable(f"it cannot be decoded: {error}") from None


def frames(file: BinaryIO, count: int) -> list[bytes]:
    """Return pictures that are cut out of a clip evenly, the first and the last moment among them, each as ``seen``.

    Args:
        file: The clip, open for reading and seeking.
        count: How many; fewer where the clip has fewer.

    Raises:
        ConfigurationError: The extra ``media`` is needed and not installed.
        NotDecodable: It cannot be decoded.
    """
    av = library("av", "Showing clips to a model", extra="media")
    library("PIL.Image", "Showing clips to a model", extra="media")
    try:
        with av.open(file) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            total = stream.frames or sum(1 for _ in container.decode(stream))
            wanted = {round(place * (total - 1) / max(1, count - 1)) for place in range(count)} if count > 1 else {0}
            container.seek(0)
            found = [_jpeg(upright(frame)) for place, frame in enumerate(container.decode(stream)) if place in wanted]
    except (av.FFmpegError, IndexError, OSError) as error:
        raise NotDecodable(f"it cannot be decoded: {error}") from None
    if not found:
        raise NotDecodable("no picture can be cut out of it")
    return found


def upright(frame: Any) -> Any:
    """Return a picture that PyAV decoded as Pillow's, the way up in which it is shown.

    Raises:
        ImportError: Pillow is not installed.
    """
    from PIL import Image  # optional, and slow to import

    picture = frame.to_image()
    how = TRANSPOSITIONS.get(turn_of(frame))
    return picture if how is None else picture.transpose(Image.Transpose[how])


def eight_bits(picture: Any) -> Any:
    """Return a picture of Pillow's whose greys have more than 256 steps with as many as are shown; any other as it is.

    Pillow itself cuts off what is above 255. Of whole numbers of 16 bits all are meant; of larger ones, and of fractions,
    those between the darkest and the lightest, unless they fit already.
    """
    if not picture.mode.startswith(("I", "F")):
        return picture
    sixteen = picture.mode.startswith("I;16")
    wide = picture.convert("I" if sixteen else "F")
    low, high = (0, 65535) if sixteen else wide.getextrema()
    if not sixteen and low >= 0 and 1 < high <= 255:  # the greys of 8 bits
        return wide.convert("L")
    scale = 255 / (high - low) if high > low else 0.0
    return wide.convert("F").point(partial(_shifted, scale, -low * scale)).convert("L")


def _shifted(scale: float, offset: float, grey: Any) -> Any:
    return grey * scale + offset


def _jpeg(picture: object) -> bytes:
    """Return a picture of Pillow's as an upright JPEG on white, no larger than what counts."""
    images, operations = library("PIL.Image", "Pictures", extra="media"), library("PIL.ImageOps", "Pictures", extra="media")
    turned = eight_bits(operations.exif_transpose(picture))
    if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
        flat = images.new("RGBA", turned.size, "white")
        flat.alpha_composite(turned.convert("RGBA"))
        turned = flat
    colours = turned.convert("RGB")
    colours.thumbnail((LARGEST, LARGEST), images.Resampling.LANCZOS)
    written = io.BytesIO()
    colours.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
