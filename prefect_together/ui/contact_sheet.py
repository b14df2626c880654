"""Contact sheets: some pictures side by side in one. Needs Pillow."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from prefect_together.generations.kept_file import KeptFile
from prefect_together.ui.thumbnails import picture_of

SHOWN = 48
"""Pictures on a sheet at most."""


@dataclass(frozen=True)
class Layout:
    """How a sheet looks."""

    columns: int
    cell: int
    """Pixels of the longer side of each picture."""
    gap: int
    largest: int
    """Bytes of the encoded sheet at most."""


SMALL = Layout(columns=8, cell=128, gap=4, largest=300 * 1024)
"""One that is shown inside a page."""
LARGE = Layout(columns=4, cell=480, gap=12, largest=4 * 1024 * 1024)
"""One that is looked at by itself."""


def draw_contact_sheet(media: Sequence[KeptFile], layout: Layout, *, all_of_them: bool = False) -> bytes:
    """Return a WebP with the first ``SHOWN`` of some files.

    Args:
        media: Pictures and clips.
        layout: How it looks.
        all_of_them: Whether to raise what keeps one of them from being drawn, in place of leaving it out.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: None of them can be drawn.
    """
    from PIL import Image

    cells: list[Image.Image] = []
    for file in media[:SHOWN]:
        try:
            picture = picture_of(file, side=layout.cell).convert("RGB")
        except Exception:  # whatever a decoder raises, a decoration has one picture less
            if all_of_them:
                raise
            continue
        picture.thumbnail((layout.cell, layout.cell))
        cells.append(picture)
    if not cells:
        raise ValueError("there is nothing to draw")
    columns, gap = min(layout.columns, len(cells)), layout.gap
    rows = -(-len(cells) // columns)
    # As wide and high as the largest picture: clips and films are rarely square.
    width, height = max(picture.width for picture in cells), max(picture.height for picture in cells)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), "white")
    for index, picture in enumerate(cells):
        left, top = gap + index % columns * (width + gap), gap + index // columns * (height + gap)
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
    for quality in (80, 60, 40, 20):
        out = io.BytesIO()
        sheet.save(out, "webp", quality=quality, method=2)
        if out.tell() <= layout.largest:
            break
    return out.getvalue()


def data_uri(sheet: bytes) -> str:
    """Return a sheet as a ``data:`` URI."""
    return f"data:image/webp;base64,{base64.b64encode(sheet).decode()}"
