"""NumPy's ``.npy`` files of 32-bit floats in rows, written and read without NumPy. No I/O here."""

from __future__ import annotations

import ast
import struct
import sys
from array import array
from typing import Any, cast

START = b"\x93NUMPY"
_VERSION = b"\x01\x00"
_BEFORE = len(START) + len(_VERSION) + 2
_ALIGNED = 64  # bytes at a multiple of which the numbers begin, so that the file can be mapped into memory


def npy_header(rows: int, columns: int) -> bytes:
    """Return what stands in front of the numbers, which follow row by row, the least significant byte first."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    length = -(-(_BEFORE + len(text) + 1) // _ALIGNED) * _ALIGNED - _BEFORE
    return START + _VERSION + struct.pack("<H", length) + text.ljust(length - 1).encode() + b"\n"


def read_npy(data: bytes) -> list[array[float]]:
    """Return the rows of a file that was written with such a header.

    Raises:
        ValueError: It is none, or not whole.
    """
    (rows, columns), begin = npy_shape(data)
    if len(data) != begin + rows * columns * 4:
        raise ValueError(f"it has {len(data)} bytes, and {rows} rows of {columns} numbers have others")
    numbers = array("f")
    numbers.frombytes(data[begin:])
    if sys.byteorder == "big":
        numbers.byteswap()
    return [numbers[at : at + columns] for at in range(0, rows * columns, columns)]


def npy_shape(data: bytes) -> tuple[tuple[int, int], int]:
    """Return how many rows and columns a file has by its first bytes, and where its numbers begin.

    Raises:
        ValueError: It is no such file.
    """
    if not data.startswith(START + _VERSION) or len(data) < _BEFORE:
        raise ValueError("it is no .npy file")
    begin = _BEFORE + struct.unpack("<H", data[_BEFORE - 2 : _BEFORE])[0]
    try:
        about = cast("dict[str, Any]", ast.literal_eval(data[_BEFORE:begin].decode("ascii").strip()))
        rows, columns = about["shape"]
    except (SyntaxError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ValueError("its header cannot be read") from error
    if about.get("descr") != "<f4" or about.get("fortran_order") is not False:
        raise ValueError("it holds no rows of 32-bit floats")
    return (int(rows), int(columns)), begin
