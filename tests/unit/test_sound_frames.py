"""How long sounds are that are frames behind each other, and where they end: no header of theirs says it."""

from __future__ import annotations

import io
import struct

import pytest

from prefect_together.generations.formats import Incoming
from prefect_together.generations.sound_shape import sound_facts

_SECOND = {"mp3": 32_000 / 1152, "aac": 16_000 / 1024}


def _mp3(count: int, kbits: int = 128) -> bytes:
    """Return frames of 1,152 samples at 32 kHz, one channel."""
    number = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320).index(kbits)
    header = bytes([0xFF, 0xFB, number << 4 | 2 << 2, 0xC0])
    return (header + bytes(144 * kbits * 1000 // 32_000 - 4)) * count


def _aac(count: int) -> bytes:
    """Return frames of 1,024 samples at 16 kHz, two channels, each of another size."""
    frames = bytearray()
    for place in range(count):
        size = 7 + place % 300
        frames += bytes([0xFF, 0xF1, 1 << 6 | 8 << 2, 2 << 6 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC])
        frames += b"\x11" * (size - 7)
    return bytes(frames)


def _told(said: bytes) -> bytes:
    """Return a first frame that holds no sound, but what an encoder says of all others."""
    frame = _mp3(1)
    return frame[:21] + said + struct.pack(">II", 1, 100) + frame[33:]


def _id3(size: int) -> bytes:
    return b"ID3\x03\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + b"\xff\xfb" * (size // 2)


TITLE = b"TAG" + b"t" * 125


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_mp3(1000), id="one bit rate"),
        pytest.param(_mp3(500, 32) + _mp3(500, 320), id="several bit rates, the low one first"),
        pytest.param(_mp3(500, 320) + _mp3(500, 32), id="several bit rates, the high one first"),
        pytest.param(_told(b"Xing") + _mp3(1000), id="a first frame without sound"),
        pytest.param(_told(b"Info") + _mp3(500) + _told(b"Info") + _mp3(499), id="two files, one behind the other"),
        pytest.param(_id3(300_000) + _mp3(1000) + TITLE, id="a picture before it and a title behind it"),
        pytest.param(_id3(300) + bytes(2000) + _mp3(1000), id="a tag that is filled up with zeros"),
        pytest.param(_id3(400) + _id3(300_000) + _mp3(1000), id="two tags"),
        pytest.param(_id3(40) + _mp3(500) + TITLE + _id3(40) + _mp3(500), id="two files with tags"),
    ],
)
def test_an_mp3_is_as_long_as_its_frames(data: bytes) -> None:
    """Whatever its first frame says, and however high its bit rate is there; and it is whole."""
    assert 1000 / _SECOND["mp3"] == pytest.approx(sound_facts(io.BytesIO(data)).seconds, abs=0.04)
    assert (32_000, 1) == (sound_facts(io.BytesIO(data)).sample_rate, sound_facts(io.BytesIO(data)).channels)
    assert _is_whole(data)


@pytest.mark.parametrize("before", [b"", _id3(60)], ids=["alone", "behind a tag"])
def test_aac_is_as_long_as_its_frames(before: bytes) -> None:
    """It has no header but those of its frames."""
    found = sound_facts(io.BytesIO(before + _aac(1000)))
    assert 1000 / _SECOND["aac"] == pytest.approx(found.seconds, abs=0.001)
    assert (16_000, 2) == (found.sample_rate, found.channels)
    assert _is_whole(before + _aac(1000))
    assert not _is_whole((before + _aac(1000))[:-1])


@pytest.mark.parametrize("behind", [b"", b"\0", b"APETAGEX" + b"a" * 100])
def test_what_is_cut_within_a_frame_is_not_whole(behind: bytes) -> None:
    """What stands behind the last frame is nobody's business."""
    assert _is_whole(_mp3(10) + behind)
    assert not _is_whole(_mp3(10)[:-1])
    assert not _is_whole(_mp3(10) + b"\xff\xfb")


def _is_whole(data: bytes) -> bool:
    """Tell whether a file is whole of which a few bytes come at once."""
    incoming = Incoming(data[:64])
    for start in range(0, len(data), 1000):
        incoming.feed(data[start : start + 1000])
    return incoming.whole()
