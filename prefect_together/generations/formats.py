"""What bytes are: kind, size, length and whether they are whole, from the bytes alone. Decodes nothing, fetches nothing."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, NamedTuple

from prefect_together.generations.containers import (
    Boxes,
    GifBlocks,
    JpegSegments,
    OggPages,
    PngChunks,
    Stated,
    Structure,
    bitmap,
    box,
    matroska,
    riff,
)
from prefect_together.generations.numpy_files import START
from prefect_together.generations.orientation import UPRIGHT, Turn, turn_of_matrix, turned
from prefect_together.generations.sound_frames import SoundFrames, frame_of
from prefect_together.generations.sound_shape import sound_facts

Family = Literal["image", "video", "audio", "recording"]
"""What files are of, in the words of media types; a recording is a sound, or a clip for its sound."""

NOUNS: dict[Family, str] = {"image": "picture", "video": "clip", "audio": "sound", "recording": "recording"}
"""What a person calls them."""


def plural(families: Sequence[Family]) -> str:
    """Return what a person calls files of some families, such as ``clips and sounds``."""
    return " and ".join(f"{NOUNS[family]}s" for family in families)


class Format(NamedTuple):
    """A format of files."""

    media_type: str
    extension: str

    @property
    def family(self) -> str:
        """What it is of: ``image``, ``video``, ``audio`` or ``application``."""
        return self.media_type.partition("/")[0]


_PNG = Format("image/png", "png")
_JPEG = Format("image/jpeg", "jpg")
_WEBP = Format("image/webp", "webp")
_AVIF = Format("image/avif", "avif")
_HEIF = Format("image/heic", "heic")
_GIF = Format("image/gif", "gif")
_BMP = Format("image/bmp", "bmp")
_TIFF = Format("image/tiff", "tiff")
_MP4 = Format("video/mp4", "mp4")
_WEBM = Format("video/webm", "webm")
_AVI = Format("video/x-msvideo", "avi")
_WAV = Format("audio/wav", "wav")
_MP3 = Format("audio/mpeg", "mp3")
_M4A = Format("audio/mp4", "m4a")
_OGG = Format("audio/ogg", "ogg")
_FLAC = Format("audio/flac", "flac")
_AAC = Format("audio/aac", "aac")
NUMPY = "application/x-npy"
_NPY = Format(NUMPY, "npy")

_ALL = (_PNG, _JPEG, _WEBP, _AVIF, _HEIF, _GIF, _BMP, _TIFF, _MP4, _WEBM, _AVI, _WAV, _MP3, _M4A, _OGG, _FLAC, _AAC, _NPY)
MEDIA_TYPES = {known.extension: known.media_type for known in _ALL}
"""What files in a library are by their extensions, which were given to them by what is in them."""

IMAGES = ("image/jpeg", "image/png", "image/webp", "image/avif")
VIDEOS = ("video/mp4", "video/webm")

HEAD = 64
"""Bytes from the start of a file that ``sniff`` needs."""

_STARTS = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"\x1a\x45\xdf\xa3", _WEBM),
    (b"ID3", _MP3),
    (b"OggS", _OGG),
    (b"fLaC", _FLAC),
    (b"RF64", _WAV),
    (START, _NPY),
)
_RIFF = {b"WEBP": _WEBP, b"WAVE": _WAV, b"AVI ": _AVI}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), _HEIF),
    **dict.fromkeys((b"M4A ", b"M4B "), _M4A),
}


def sniff(head: bytes) -> Format | None:
    """Return what a file is by its first bytes, or None: names, URLs and Content-Type headers are not believed."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MP4)
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return _BMP
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:  # ADTS: layer 0, which MP3 has not
        return _AAC
    return _MP3 if frame_of(head) else None


def is_of(media_type: str, family: Family) -> bool:
    """Tell whether a media type is of a family."""
    return media_type.startswith(("audio/", "video/") if family == "recording" else f"{family}/")


def is_moving(media_type: str) -> bool:
    """Tell whether files of a media type are videos, of which the first frame is shown."""
    return media_type.startswith("video/")


def is_heard(media_type: str) -> bool:
    """Tell whether files of a media type are sounds, for which their waveform stands."""
    return media_type.startswith("audio/")


def is_seen(media_type: str) -> bool:
    """Tell whether files of a media type are of those of which a small picture can be shown."""
    return media_type.startswith(("image/", "video/")) or is_heard(media_type)


_STRUCTURES: dict[Format, Callable[[bytes], Structure]] = {
    _PNG: lambda _: PngChunks(),
    _JPEG: lambda _: JpegSegments(),
    _GIF: GifBlocks,
    _BMP: bitmap,
    _WEBP: riff,
    _WAV: riff,
    _AVI: riff,
    _WEBM: matroska,
    _MP4: lambda _: Boxes(b"moov", b"mdat"),
    _M4A: lambda _: Boxes(b"moov", b"mdat"),
    _AVIF: lambda _: Boxes(b"meta"),
    _HEIF: lambda _: Boxes(b"meta"),
    _MP3: lambda _: SoundFrames(),
    _AAC: lambda _: SoundFrames(),
    _OGG: lambda _: OggPages(),
}


class Incoming:
    """Follows a file as it comes in or goes out: counts it, and tells at the end whether it is whole.

    A server that closes a connection without having said the length cuts a file off silently, and so does a disk that was
    full; what the formats themselves say about their end finds that out.
    """

    def __init__(self, head: bytes) -> None:
        self.format = sniff(head)
        self.size = 0
        known = _STRUCTURES.get(self.format) if self.format else None
        self._structure = known(head) if known else Stated(None)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._structure.feed(chunk, self.size)
        self.size += len(chunk)

    def whole(self) -> bool:
        """Tell whether the file ends where its format says it should (True where the format does not say)."""
        return self._structure.whole(self.size)


@dataclass(frozen=True)
class Shape:
    """What a picture, clip or sound measures: pixels, seconds, frames per second, Hz; None where the file does not tell."""

    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None


def measured(format: Format, file: BinaryIO) -> Shape:
    """Return what a file of a format measures, as far as the file itself tells."""
    if is_moving(format.media_type):
        return video_shape(file)
    if format.family == "audio":
        return sound_shape(file)
    return image_shape(file.read(64 * 1024)) if format.family == "image" else Shape()


def sound_shape(file: BinaryIO) -> Shape:
    """Return length, rate and channels of a sound, as far as the file itself tells."""
    found = sound_facts(file)
    return Shape(seconds=found.seconds, sample_rate=found.sample_rate, channels=found.channels)


def image_shape(data: bytes) -> Shape:
    """Return the size of a picture from its header."""
    import imagesize  # pyright: ignore[reportMissingTypeStubs] - imports what reads XML, for a file that is kept

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
            shown = round(video.width * float(video.sample_aspect_ratio or 1))  # its pixels need not be square
            size = turned(shown, video.height, _mp4_turn(file))
            return Shape(*size, round(seconds, 3) if seconds else None, fps)
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
                return Shape(*turned(width >> 16, height >> 16, _turn(file, tkhd)), shape.seconds)
        start = track[1]
    return shape


def _mp4_turn(file: BinaryIO) -> Turn:
    """Return how the pictures of a clip are to be turned, by the index of an MP4; upright in other files."""
    try:
        start, end = _child(file, b"moov", 0, file.seek(0, io.SEEK_END)) or (0, 0)
        while track := _child(file, b"trak", start, end):
            tkhd = _child(file, b"tkhd", *track)
            if tkhd and (turn := _turn(file, tkhd)) != UPRIGHT:
                return turn
            start = track[1]
    except (struct.error, IndexError):
        pass  # an index too short for its fields
    return UPRIGHT


def _turn(file: BinaryIO, tkhd: tuple[int, int]) -> Turn:
    file.seek(max(tkhd[0], tkhd[1] - 44))  # the matrix stands in front of width and height
    return turn_of_matrix(file.read(36))


def _child(file: BinaryIO, wanted: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return where the first box of a kind between two offsets has its content."""
    while start + 8 <= end:
        file.seek(start)
        size, kind, header = box(file.read(16))
        if not header or (size and size < header):
            return None
        stop = start + size if size else end
        if kind == wanted:
            return start + header, stop
        start = stop
    return None
