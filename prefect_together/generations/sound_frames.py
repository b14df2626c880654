"""Sounds that are frames behind each other, MP3 and AAC: where they end, and how long they are. Decodes nothing.

Nothing in such a file says how long it is, or something that is true of its first part alone: its frames may be of any bit
rates, and such files are put behind each other as they are. So its frames are counted.
"""

from __future__ import annotations

from typing import NamedTuple

from prefect_together.generations.containers import Records

_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HERTZ = (44100, 48000, 32000)
_AAC_HERTZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_ABOUT = 48
"""Bytes of a first frame in which one sees that it holds no sound, but what encoders say of the others."""
_SAYINGS = (b"Xing", b"Info", b"VBRI")


class Frame(NamedTuple):
    """A frame of sound."""

    length: int
    """Bytes."""
    samples: int
    """Of each channel."""
    sample_rate: int
    channels: int | None


class SoundFrames(Records):
    """The frames of an MP3 (ISO/IEC 11172-3, 2.4.1.3) or of AAC (ADTS, ISO/IEC 13818-7, 6.2), and the tags between them.

    What is neither a frame nor a tag ends the walk: other tags stand behind the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first: Frame | None = None
        self._samples: dict[int, int] = {}
        self._begins = True  # whether the next frame is the first one behind a tag
        self._end = 0

    @property
    def seconds(self) -> float:
        """How long all frames are that passed."""
        return sum(count / rate for rate, count in self._samples.items())

    def record(self, header: bytes) -> tuple[int, int]:
        """See above."""
        if zeros := len(header) - len(header.lstrip(b"\0")):
            return zeros, 0  # with which tags are filled up
        needed = 10 if header[:3] == b"ID3" else 7
        if len(header) < needed:
            return 0, needed
        if tag := _tag(header):
            self._begins = True
            return tag, 0
        frame = frame_of(header)
        if frame is None:
            self.over = True
            return 0, 0
        if self._begins and len(header) < _ABOUT <= frame.length:
            return 0, _ABOUT
        if not (self._begins and any(saying in header for saying in _SAYINGS)):
            self._samples[frame.sample_rate] = self._samples.get(frame.sample_rate, 0) + frame.samples
        self.first, self._begins, self._end = self.first or frame, False, self.next + frame.length
        return frame.length, 0

    def whole(self, size: int) -> bool:
        """Tell whether its last frame is all there."""
        return self._end > 0 and size >= self._end and not self._header.startswith(b"\xff")


def _tag(header: bytes) -> int:
    """Return how many bytes an ID3 tag takes that begins so; 0 where none does."""
    if header[:3] == b"TAG":
        return 128
    if header[:3] != b"ID3":
        return 0
    size = 0
    for byte in header[6:10]:
        size = size << 7 | byte & 0x7F
    return size + (20 if header[5] & 0x10 else 10)


def frame_of(header: bytes) -> Frame | None:
    """Return the frame that begins so, of MPEG layer III or AAC; None where none does."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    return _aac(header) if header[1] & 0xF6 == 0xF0 else _mp3(header)


def _mp3(header: bytes) -> Frame | None:
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if header[1] & 6 != 2 or version == 1 or bits in {0, 15} or rate == 3:
        return None
    older = version == 3  # MPEG 1; 2 has half its rates, 2.5 a quarter
    hertz = _HERTZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if older else 576
    length = samples // 8 * _KBITS[1 if older else 2][bits] * 1000 // hertz + (header[2] >> 1 & 1)
    return Frame(length, samples, hertz, 1 if header[3] >> 6 == 3 else 2)


def _aac(header: bytes) -> Frame | None:
    rate = header[2] >> 2 & 15
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate >= len(_AAC_HERTZ) or length < 7:
        return None
    channels = (header[2] & 1) << 2 | header[3] >> 6
    return Frame(length, 1024 * ((header[6] & 3) + 1), _AAC_HERTZ[rate], {0: None, 7: 8}.get(channels, channels))
