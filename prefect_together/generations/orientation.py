"""Which way up the pictures of a clip are shown: cameras write them as the sensor lies, and beside them how to turn them."""

from __future__ import annotations

import struct
from typing import Any

Turn = tuple[int, int, int, int]
"""The signs of a, b, c and d of a display matrix (ISO/IEC 14496-12, 6.2.2): where across and down of the file are shown."""

UPRIGHT: Turn = (1, 0, 0, 1)

FILTERS: dict[Turn, tuple[tuple[str, str], ...]] = {
    UPRIGHT: (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
"""What FFmpeg's filters do to show a picture as each turn says."""

TRANSPOSITIONS: dict[Turn, str] = {
    (0, 1, -1, 0): "ROTATE_270",
    (-1, 0, 0, -1): "ROTATE_180",
    (0, -1, 1, 0): "ROTATE_90",
    (-1, 0, 0, 1): "FLIP_LEFT_RIGHT",
    (1, 0, 0, -1): "FLIP_TOP_BOTTOM",
    (0, 1, 1, 0): "TRANSPOSE",
    (0, -1, -1, 0): "TRANSVERSE",
}
"""What Pillow's ``transpose`` does for the same, but for upright ones."""


def turn_of_matrix(matrix: bytes, order: str = ">") -> Turn:
    """Return the turn that a display matrix of nine numbers says; upright where it says none that a screen could show.

    Args:
        matrix: Its 36 bytes.
        order: Of the bytes of a number, in the letters of ``struct``.
    """
    if len(matrix) < 36:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack(f"{order}9i", matrix[:36])
    # A turn by a few degrees is left alone: only the one that is nearest counts.
    straight = abs(a) + abs(d) >= abs(b) + abs(c)
    turn = (_sign(a), 0, 0, _sign(d)) if straight else (0, _sign(b), _sign(c), 0)
    return turn if turn in FILTERS else UPRIGHT


def turn_of(frame: Any) -> Turn:
    """Return how a decoded picture is to be turned."""
    said = frame.side_data.get("DISPLAYMATRIX")
    return turn_of_matrix(bytes(said), "=") if said is not None else UPRIGHT


def turned(width: int, height: int, turn: Turn) -> tuple[int, int]:
    """Return the size at which a picture of a size is shown."""
    return (height, width) if turn[0] == 0 else (width, height)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
