"""Contact sheets: some pictures of a batch side by side in one small picture. Needs Pillow; None without it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from prefect_together.media import GeneratedMedia
from prefect_together.thumbnails import picture_of

SHOWN = 48
"""Pictures on a sheet at most."""
COLUMNS = 8
CELL = 128
"""Pixels of the longer side of each picture."""
GAP = 4
LARGEST = 300 * 1024
"""Bytes of the encoded sheet at most."""


def contact_sheet(media: Sequence[GeneratedMedia]) -> bytes | None:
    """Return a WebP with the first ``SHOWN`` of some files; None without Pillow, or where nothing can be shown."""
    try:
        from PIL import Image
    except ImportError:
        return None
    cells: list[Image.Image] = []
    for file in media[:SHOWN]:
        try:
            picture = picture_of(file).convert("RGB")
        except Exception:  # noqa: S112 - a picture that cannot be drawn is left out of a decoration
            continue
        picture.thumbnail((CELL, CELL))
        cells.append(picture)
    if not cells:
        return None
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, rows * (CELL + GAP) + GAP), "white")
    for index, picture in enumerate(cells):
        left, top = GAP + index % columns * (CELL + GAP), GAP + index // columns * (CELL + GAP)
        sheet.paste(picture, (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2))
    for quality in (80, 60, 40, 20):
        out = io.BytesIO()
        sheet.save(out, "webp", quality=quality, method=2)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()


def data_uri(sheet: bytes) -> str:
    """Return a sheet as a ``data:`` URI."""
    return f"data:image/webp;base64,{base64.b64encode(sheet).decode()}"
