"""What bytes are: kind, size, length and whether they are whole, from the bytes alone. Decodes nothing, fetches nothing."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import imagesize  # pyright: ignore[reportMissingTypeStubs]


class Format(NamedTuple):
    """A format of files."""

    media_type: str
    extension: str

    @property
    def family(self) -> str:
        """What it is of: ``image`` or ``video``."""
        return self.media_type.partition("/")[0]


_PNG = Format("image/png", "png")
_JPEG = Format("image/jpeg", "jpg")
_WEBP = Format("image/webp", "webp")
_AVIF = Format("image/avif", "avif")
_MP4 = Format("video/mp4", "mp4")
_WEBM = Format("video/webm", "webm")

IMAGES = ("image/jpeg", "image/png", "image/webp", "image/avif")
VIDEOS = ("video/mp4", "video/webm")

_STILLS = frozenset({b"heic", b"heix", b"hevc", b"mif1", b"msf1"})  # HEIF: pictures in MP4's boxes, none of Together's kinds

HEAD = 64
"""Bytes from the start of a file that ``sniff`` needs."""


def sniff(head: bytes) -> Format | None:
    """Return what a file is by its first bytes, or None: names, URLs and Content-Type headers are not believed."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG
    if head.startswith(b"\xff\xd8\xff"):
        return _JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return _AVIF if brand in {b"avif", b"avis"} else None if brand in _STILLS else _MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _WEBM
    return None


def is_moving(media_type: str) -> bool:
    """Tell whether files of a media type are videos, of which the first frame is shown."""
    return media_type.startswith("video/")


class Incoming:
    """Follows a file as it comes in: counts it, and tells at the end whether it is whole.

    A server that closes a connection without having said the length cuts a file off silently; what the formats themselves
    say about their end finds that out.
    """

    def __init__(self, head: bytes) -> None:
        self.format = sniff(head)
        self.size = 0
        self._tail = b""
        self._stated = struct.unpack("<I", head[4:8])[0] + 8 if self.format is _WEBP else None  # RIFF states its length
        self._boxes = _Boxes() if self.format is _MP4 else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._boxes:
            self._boxes.feed(chunk, self.size)
        self.size += len(chunk)
        self._tail = (self._tail + chunk[-64:])[-64:]

    def whole(self) -> bool:
        """Tell whether the file ends where its format says it should (True where the format does not say)."""
        if self.format is _PNG:
            return self._tail[-8:-4] == b"IEND"
        if self.format is _JPEG:
            return b"\xff\xd9" in self._tail
        if self._boxes:
            return self._boxes.whole(self.size)
        if self._stated is not None:
            return self.size >= self._stated
        return self.size > 0


class _Boxes:
    """Walks the top-level boxes of an MP4 (ISO/IEC 14496-12, 4.2) as its bytes pass."""

    def __init__(self) -> None:
        self._next = 0  # offset of the next box header
        self._header = b""
        self._open_ended = False
        self._kinds: set[bytes] = set()

    def feed(self, chunk: bytes, offset: int) -> None:
        end = offset + len(chunk)
        while not self._open_ended and self._next + len(self._header) < end:
            start = self._next + len(self._header) - offset
            self._header += chunk[start : start + 16 - len(self._header)]
            size, kind, header = _box(self._header)
            if not header:
                return
            self._kinds.add(kind)
            self._open_ended = size == 0  # the last box may run to the end of the file
            self._next += max(size, header)
            self._header = b""

    def whole(self, size: int) -> bool:
        return {b"moov", b"mdat"} <= self._kinds and (self._open_ended or self._next == size)


def _box(header: bytes) -> tuple[int, bytes, int]:
    """Return size, kind and header length of a box; header length 0 means that more bytes are needed."""
    if len(header) < 8:
        return 0, b"", 0
    size, kind = struct.unpack(">I4s", header[:8])
    if size != 1:
        return size, kind, 8
    if len(header) < 16:
        return 0, b"", 0
    return struct.unpack(">Q", header[8:16])[0], kind, 16


@dataclass(frozen=True)
class Shape:
    """What a picture or clip measures: pixels, seconds, frames per second; None where the file does not tell."""

    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None


def measured(format: Format, file: BinaryIO) -> Shape:
    """Return what a file of a format measures, as far as the file itself tells."""
    return video_shape(file) if is_moving(format.media_type) else image_shape(file.read(64 * 1024))


def image_shape(data: bytes) -> Shape:
    """Return the size of a picture from its header."""
    try:
        width, height = imagesize.get(io.BytesIO(data))  # pyright: ignore[reportUnknownMemberType]
    except (ValueError, TypeError, IndexError, struct.error):
        return Shape()  # a header that cannot be read: the picture is kept all the same
    return Shape(int(width), int(height)) if width > 0 and height > 0 else Shape()


def video_shape(file: BinaryIO) -> Shape:
    """Return size, length and frame rate of a clip, by PyAV where it is installed, else from the MP4's own index."""
    try:
        import av  # optional, and slow to import
    except ImportError:
        return _mp4_shape(file)
    library: Any = av  # its stubs speak of numpy, which need not be there
    try:
        with library.open(file) as clip:
            video = clip.streams.video[0]
            seconds = clip.duration / 1_000_000 if clip.duration else None
            fps = float(video.average_rate) if video.average_rate else None
            return Shape(video.width, video.height, round(seconds, 3) if seconds else None, fps)
    except (library.FFmpegError, IndexError, ValueError):
        return Shape()  # a clip that we cannot measure is still the clip that was paid for


def _mp4_shape(file: BinaryIO) -> Shape:
    try:
        return _indexed_shape(file)
    except (struct.error, IndexError):
        return Shape()  # an index too short for its fields; the clip is kept all the same


def _indexed_shape(file: BinaryIO) -> Shape:
    moov = _child(file, b"moov", 0, file.seek(0, io.SEEK_END))
    if moov is None:
        return Shape()
    shape = Shape()
    if mvhd := _child(file, b"mvhd", *moov):
        file.seek(mvhd[0])
        data = file.read(32)
        timescale, duration = struct.unpack(">IQ", data[20:32]) if data[0] else struct.unpack(">II", data[12:20])
        shape = Shape(seconds=round(duration / timescale, 3) if timescale else None)
    start, end = moov
    while track := _child(file, b"trak", start, end):
        if tkhd := _child(file, b"tkhd", *track):
            file.seek(tkhd[1] - 8)  # width and height are its last two fields, 16.16 fixed point
            width, height = struct.unpack(">II", file.read(8))
            if width and height:
                return Shape(width >> 16, height >> 16, shape.seconds)
        start = track[1]
    return shape


def _child(file: BinaryIO, wanted: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return where the first box of a kind between two offsets has its content."""
    while start + 8 <= end:
        file.seek(start)
        size, kind, header = _box(file.read(16))
        if not header or (size and size < header):
            return None
        stop = start + size if size else end
        if kind == wanted:
            return start + header, stop
        start = stop
    return None
