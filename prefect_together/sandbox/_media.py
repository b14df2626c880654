"""Import Pillow and PyAV in one place, say how to install them, and type what their stubs leave open; draws nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

try:
    import av as _av
    from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps, UnidentifiedImageError
except ImportError as error:  # pragma: no cover - needs an environment without the extra
    raise ImportError(
        f'The sandbox draws real pictures and clips and needs {error.name}: pip install "prefect-together[media]"'
    ) from error

__all__ = [
    "Image", "ImageChops", "ImageDraw", "ImageFilter", "ImageFont", "ImageOps", "av", "levels", "opened", "resized",
]  # fmt: skip

# PyAV's stubs and Pillow's `resize` and `point` speak of numpy, which is not needed here and may not be installed.
av: Any = _av

BICUBIC = Image.Resampling.BICUBIC
Box = tuple[float, float, float, float]


def resized(
    image: Image.Image, size: tuple[int, int], how: Image.Resampling = BICUBIC, box: Box | None = None
) -> Image.Image:
    """Return `image`, or the part of it in `box`, at another size in pixels."""
    return image.resize(size, how, box)  # pyright: ignore[reportUnknownMemberType]


def levels(mask: Image.Image, table: Sequence[int]) -> Image.Image:
    """Return a mask with every level replaced by its entry in a table of 256."""
    return mask.point(list(table))  # pyright: ignore[reportUnknownMemberType]


def opened(content: bytes) -> Image.Image | None:
    """Decode an image file, the right way up, as RGB; return None for what is no image.

    Raises:
        ValueError: It is an image that is damaged.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(content))
        upright: Image.Image = ImageOps.exif_transpose(image)
        return upright.convert("RGB")
    except UnidentifiedImageError:
        return None
    except Exception as error:  # decoders raise what they like
        raise ValueError("a damaged image") from error
