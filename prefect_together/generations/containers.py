"""Whether a file ends where its format says that it ends, told from its bytes as they pass. Decodes nothing.

What stands behind the end is nobody's business here: cameras and phones put clips and maps behind their pictures.
"""

from __future__ import annotations

import re
import struct
import zlib
from abc import ABC, abstractmethod
from typing import Protocol

_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]", re.DOTALL)  # those of a JPEG that stand for something
_STREAMED = 0x7FFFF000  # sizes from here on are what programs write that do not know theirs yet


class Structure(Protocol):
    """Follows the bytes of one file."""

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take the next bytes, which begin at an offset of the file."""
        ...

    def whole(self, size: int) -> bool:
        """Tell whether a file of a size is all there."""
        ...


class Stated:
    """A file whose first bytes state its size, or nothing.

    Args:
        size: Bytes that it has to have; None where it does not say, so that any size will do.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take the next bytes."""

    def whole(self, size: int) -> bool:
        """Tell whether it has the size that it states."""
        return size >= (self._size or 1)


def riff(head: bytes) -> Stated:
    """Return the structure of WebP, WAV and AVI, by the start of a file."""
    stated = _little(head[4:8])
    return Stated(None if stated in {None, 0} or (stated or 0) >= _STREAMED else (stated or 0) + 8)


def bitmap(head: bytes) -> Stated:
    """Return the structure of a BMP, by the start of a file."""
    return Stated(_little(head[2:6]))


def matroska(head: bytes) -> Stated:
    """Return the structure of a WebM, by the start of a file: a header, and one segment that may state its size."""
    after, size = _element(head, 0)
    after, size = _element(head, after + (size or 0))
    return Stated(len(head) + 1 if size is None else after + size)  # where it states none, more than its header


def _little(field: bytes) -> int | None:
    return struct.unpack("<I", field)[0] if len(field) == 4 else None


def _element(head: bytes, at: int) -> tuple[int, int | None]:
    """Return where the content of a Matroska element begins, and its size; None where it is not known."""
    if at + 5 > len(head):
        return at, None
    at += 4  # EBML and Segment both have ids of four bytes
    length = 9 - head[at].bit_length()
    if length > 8 or at + length > len(head):
        return at, None
    size = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return at + length, None if size == (1 << 7 * length) - 1 else size


class Records(ABC):
    """Walks records that stand behind each other and say how long they are."""

    def __init__(self, first: int = 0) -> None:
        self.next = first  # offset of the next record
        self.over = False
        self._header = b""

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take the next bytes."""
        end = offset + len(chunk)
        while not self.over and self.next + len(self._header) < end:
            length, needed = self.record(self._header)
            if needed:
                start = self.next + len(self._header) - offset
                self._header += chunk[start : start + needed - len(self._header)]
                length, needed = self.record(self._header)
                if needed:
                    continue
            self.next += length
            self._header = b""

    def whole(self, size: int) -> bool:
        """Tell whether the last record is all there."""
        return self.over and size >= self.next

    @abstractmethod
    def record(self, header: bytes) -> tuple[int, int]:
        """Return the length of the record that begins so and 0, or 0 and how many bytes of it tell its length."""


class Boxes(Records):
    """The top-level boxes of MP4, MOV, M4A, AVIF and HEIF (ISO/IEC 14496-12, 4.2).

    Args:
        needed: Kinds of boxes without which a file is none.
    """

    def __init__(self, *needed: bytes) -> None:
        super().__init__()
        self._needed = frozenset(needed)
        self._kinds: set[bytes] = set()

    def record(self, header: bytes) -> tuple[int, int]:
        """See above."""
        size, kind, length = box(header)
        if not length:
            return 0, 16 if len(header) >= 8 else 8
        self._kinds.add(kind)
        self.over = size == 0  # the last box may run to the end of the file
        return max(size, length), 0

    def whole(self, size: int) -> bool:
        """Tell whether it ends with a box, and has those that it needs."""
        return self._needed <= self._kinds and (self.over or self.next == size)


def box(header: bytes) -> tuple[int, bytes, int]:
    """Return size, kind and header length of a box; header length 0 means that more bytes are needed."""
    if len(header) < 8:
        return 0, b"", 0
    size, kind = struct.unpack(">I4s", header[:8])
    if size != 1:
        return size, kind, 8
    if len(header) < 16:
        return 0, b"", 0
    return struct.unpack(">Q", header[8:16])[0], kind, 16


class PngChunks(Records):
    """The chunks of a PNG (ISO/IEC 15948, 5.3), up to IEND."""

    def __init__(self) -> None:
        super().__init__(first=8)
        self._drawn = False
        self._sums = Checksums()

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take the next bytes."""
        super().feed(chunk, offset)
        self._sums.feed(chunk)

    def record(self, header: bytes) -> tuple[int, int]:
        """See above."""
        if len(header) < 8:
            return 0, 8
        length, kind = struct.unpack(">I4s", header)
        self._drawn |= kind == b"IDAT"
        self.over = kind == b"IEND"
        return length + 12, 0

    def whole(self, size: int) -> bool:
        """Tell whether there is a picture in it, and its end."""
        return self._drawn and self._sums.right and super().whole(size)


class Checksums:
    """The checksum behind each chunk of a PNG (ISO/IEC 15948, 5.5), held against what is in it, up to IEND."""

    def __init__(self) -> None:
        self.right = True
        """Whether all so far are what they should be."""
        self._waiting = b""
        self._signature = 8  # bytes of it that are still to come
        self._left = 0  # bytes of the chunk that passes, before its checksum
        self._sum: int | None = None  # what that should be; None between two chunks
        self._last = self._over = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._over:
            return
        view = memoryview(self._waiting + data)
        at = min(self._signature, len(view))
        self._signature -= at
        while not self._over and len(view) > at:
            if self._left > 0:
                taken = view[at : at + self._left]
                self._sum = zlib.crc32(taken, self._sum or 0)
                at, self._left = at + len(taken), self._left - len(taken)
            elif self._sum is not None:
                if len(view) - at < 4:
                    break
                self.right &= self._sum == int.from_bytes(view[at : at + 4], "big")
                at, self._sum, self._over = at + 4, None, self._last
            elif len(view) - at < 8:
                break
            else:
                self._last = bytes(view[at + 4 : at + 8]) == b"IEND"
                self._left = 4 + int.from_bytes(view[at : at + 4], "big")
                at += 4
        self._waiting = bytes(view[at:])


class GifBlocks(Records):
    """The blocks of a GIF (89a, 15 to 27), up to the trailer."""

    def __init__(self, head: bytes) -> None:
        flags = head[10] if len(head) > 10 else 0
        super().__init__(first=13 + _colours(flags))
        self._within = False  # a block's own sub-blocks, of which an empty one is the last

    def record(self, header: bytes) -> tuple[int, int]:
        """See above."""
        if not header:
            return 0, 1
        kind = header[0]
        if self._within:
            self._within = kind != 0
            return kind + 1, 0
        if kind == 0x2C and len(header) < 10:  # a picture: its place, its own colours, one byte, then its sub-blocks
            return 0, 10
        self._within = kind in {0x21, 0x2C}
        self.over = kind == 0x3B
        return {0x21: 2, 0x2C: 11 + _colours(header[9] if kind == 0x2C else 0)}.get(kind, 1), 0


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


class OggPages(Records):
    """The pages of an Ogg file (RFC 3533, 6)."""

    def record(self, header: bytes) -> tuple[int, int]:
        """See above."""
        if len(header) < 27:
            return 0, 27
        if header[:4] != b"OggS":
            self.over = True
            return 0, 0
        needed = 27 + header[26]
        return (needed + sum(header[27:]), 0) if len(header) >= needed else (0, needed)

    def whole(self, size: int) -> bool:
        """Tell whether its last page is all there."""
        return self.next > 0 and size >= self.next and not self._header


class JpegSegments:
    """The segments of a JPEG (ITU-T T.81, B.1), to the end of the picture itself: small ones may stand within segments."""

    def __init__(self) -> None:
        self._at = 2  # offset from which the next marker is looked for
        self._rest: bytes = b""
        self._drawn: bool = False
        self._over: bool = False

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take the next bytes."""
        data: bytes = self._rest + chunk
        begin = offset - len(self._rest)
        while not self._over:
            marker = _MARKER.search(data, max(0, self._at - begin))
            if marker is None:
                self._at = max(self._at, begin + len(data) - 1)  # the last byte may be half a marker
                break
            self._at, code = begin + marker.start(), data[marker.start() + 1]
            length = data[marker.end() : marker.end() + 2]
            if code != 0xD9 and len(length) < 2:
                break
            self._over = code == 0xD9
            self._drawn |= code == 0xDA
            self._at += 2 if self._over else 2 + int.from_bytes(length, "big")
        self._rest = data[max(0, self._at - begin) :] if not self._over else b""

    def whole(self, size: int) -> bool:  # noqa: ARG002 - its end says it
        """Tell whether there is a picture in it, and its end."""
        return self._drawn and self._over
