"""What bytes are, and whether they are all there: on real files, in pieces of any size."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_together.generations.formats import HEAD, Incoming, Shape, image_shape, sniff, video_shape

from .making import clip, picture, sound


def untagged(mp3: bytes) -> bytes:
    """Return an MP3 without the tag in front of it, whose length is in seven bits of four bytes each."""
    return mp3[10 + sum(byte << 7 * place for place, byte in enumerate(mp3[9:5:-1])) :]


FILES = {
    "png": picture("PNG"),
    "jpeg": picture("JPEG"),
    "webp": picture("WEBP"),
    "mp4": clip("mp4"),
    "mp4-faststart": clip("mp4", faststart=True),
    "webm": clip("webm"),
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
    "progressive": picture("JPEG", progressive=True),
    "wav": sound("wav"),
    "mp3": sound("mp3"),
    "mp3-bare": untagged(sound("mp3")),
    "m4a": sound("m4a"),
    "ogg": sound("ogg"),
    "flac": sound("flac"),
}


def boxes(data: bytes) -> list[tuple[str, int]]:
    """Return the top-level boxes of an MP4 with their offsets."""
    found, at = list[tuple[str, int]](), 0
    while at < len(data):
        found.append((data[at + 4 : at + 8].decode(), at))
        at += int.from_bytes(data[at : at + 4], "big")
    return found


def arrived(data: bytes, step: int) -> Incoming:
    """Feed a file in pieces."""
    incoming = Incoming(data[:HEAD])
    for start in range(0, len(data), step):
        incoming.feed(data[start : start + step])
    return incoming


def taken(data: bytes) -> bool:
    """Tell whether bytes are taken for a whole file of a kind that we know."""
    incoming = arrived(data, 1 << 20)
    return incoming.format is not None and incoming.whole()


def test_the_examples_are_what_they_should_be() -> None:
    """One clip has its index at the end, the other in front: both orders are found in the wild."""
    names = {name: [kind for kind, _ in boxes(FILES[name])] for name in ("mp4", "mp4-faststart")}
    assert names["mp4"].index("mdat") < names["mp4"].index("moov")
    assert names["mp4-faststart"].index("moov") < names["mp4-faststart"].index("mdat")


@pytest.mark.parametrize(
    ("head", "media_type", "extension", "family"),
    [
        pytest.param(FILES["png"], "image/png", "png", "image", id="png"),
        pytest.param(FILES["jpeg"], "image/jpeg", "jpg", "image", id="jpeg"),
        pytest.param(FILES["webp"], "image/webp", "webp", "image", id="webp"),
        pytest.param(b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif", "avif", "image", id="avif"),
        pytest.param(FILES["mp4"], "video/mp4", "mp4", "video", id="mp4"),
        pytest.param(FILES["webm"], "video/webm", "webm", "video", id="webm"),
        pytest.param(FILES["gif"], "image/gif", "gif", "image", id="gif"),
        pytest.param(FILES["bmp"], "image/bmp", "bmp", "image", id="bmp"),
        pytest.param(FILES["tiff"], "image/tiff", "tiff", "image", id="tiff"),
        pytest.param(b"\0\0\0\x1cftypheic\0\0\0\0", "image/heic", "heic", "image", id="heic"),
        pytest.param(FILES["wav"], "audio/wav", "wav", "audio", id="wav"),
        pytest.param(FILES["mp3"], "audio/mpeg", "mp3", "audio", id="mp3"),
        pytest.param(FILES["mp3-bare"], "audio/mpeg", "mp3", "audio", id="mp3-without-tags"),
        pytest.param(FILES["m4a"], "audio/mp4", "m4a", "audio", id="m4a"),
        pytest.param(FILES["ogg"], "audio/ogg", "ogg", "audio", id="ogg"),
        pytest.param(FILES["flac"], "audio/flac", "flac", "audio", id="flac"),
    ],
)
def test_bytes_say_what_they_are(head: bytes, media_type: str, extension: str, family: str) -> None:
    """The first bytes decide, not a name or a header."""
    found = sniff(head[:HEAD])
    assert found is not None
    assert (media_type, extension, family) == (*found, found.family)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html>", id="html"),
        pytest.param(b'{"error": "gone"}', id="json"),
        pytest.param(b"RIFF\0\0\0\0ACON", id="cursor"),
        pytest.param(b"\xff\xfeh\0i\0", id="utf-16"),
        pytest.param(b"\x89PN", id="cut-off"),
    ],
)
def test_other_bytes_are_nothing_we_know(head: bytes) -> None:
    """An error page is no picture, whatever its address says."""
    assert sniff(head) is None
    assert Incoming(head).format is None


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize("name", list(FILES))
def test_a_whole_file_is_whole(name: str, step: int) -> None:
    """However it is cut into pieces on the way, it is counted and found whole."""
    data = FILES[name]
    incoming = arrived(data, step)
    assert incoming.whole()
    assert len(data) == incoming.size


@pytest.mark.parametrize("name", ["png", "jpeg", "progressive", "webp", "gif", "bmp", "mp4", "webm"])
def test_a_cut_off_file_is_noticed(name: str) -> None:
    """Wherever it is cut off, it is not taken for a whole one."""
    data = FILES[name]
    assert [] == [cut for cut in range(len(data)) if taken(data[:cut])]


@pytest.mark.parametrize("name", ["wav", "mp3", "m4a", "ogg"])
def test_cut_off_sound_is_noticed(name: str) -> None:
    """Wherever it is cut off within what it is made of, it is not taken for whole."""
    data = FILES[name]
    cuts = [*range(0, len(data), 101), len(data) - 1]
    taken_for_whole = [cut for cut in cuts if taken(data[:cut])]
    # An MP3 and an Ogg are as good as whole between two of their frames or pages, of which some cuts may fall on one.
    assert len(taken_for_whole) <= (3 if name in {"mp3", "ogg"} else 0)


@pytest.mark.parametrize("name", ["jpeg", "progressive", "png", "gif", "bmp", "webp", "mp3", "ogg"])
def test_what_stands_behind_the_end_is_nobodys_business(name: str) -> None:
    """Phones put clips and maps behind their pictures, and players put tags behind music."""
    assert taken(FILES[name] + b"TAG" + FILES["mp4"])


def test_the_end_of_a_small_picture_within_is_not_the_end() -> None:
    """Cameras put a small JPEG into the large one: its end is not taken for that of the picture."""
    small, large = picture("JPEG", 16, 16), picture("JPEG", 200, 160)
    inside = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    whole = large[:2] + inside + large[2:]
    assert taken(whole)
    assert [] == [cut for cut in range(len(whole)) if taken(whole[:cut])]


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFFFFF], ids=["zero", "all-ones", "half"])
def test_sound_of_a_length_that_its_writer_did_not_know_is_whole(stated: int) -> None:
    """Programs that write to a pipe state no size."""
    assert taken(b"RIFF" + stated.to_bytes(4, "little") + FILES["wav"][8:])


def test_a_cut_off_clip_with_its_index_in_front_is_noticed() -> None:
    """Cut off within any of its boxes, it is not taken for a whole one."""
    data = FILES["mp4-faststart"]
    between = {at for _, at in boxes(data)}
    assert [] == [cut for cut in range(len(data)) if cut not in between and taken(data[:cut])]


@pytest.mark.parametrize("name", ["png", "mp4", "mp4-faststart"])
def test_a_cut_is_noticed_in_small_pieces_too(name: str) -> None:
    """The last byte is missed also where the file came byte by byte."""
    assert not arrived(FILES[name][:-1], 1).whole()
    assert not arrived(FILES[name][:-1], 7).whole()


def box(kind: bytes, content: bytes, *, size: int | None = None, large: bool = False) -> bytes:
    """Return an MP4 box, its size told in one of the three ways."""
    if large:
        return (1).to_bytes(4, "big") + kind + (len(content) + 16).to_bytes(8, "big") + content
    return (len(content) + 8 if size is None else size).to_bytes(4, "big") + kind + content


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2")


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize(
    ("data", "whole"),
    [
        pytest.param(FTYP + box(b"mdat", b"x" * 50, large=True) + box(b"moov", b"y" * 9), True, id="64-bit-size"),
        pytest.param(FTYP + box(b"mdat", b"x" * 50, large=True)[:-1], False, id="64-bit-size-cut-off"),
        pytest.param(FTYP + box(b"moov", b"y" * 9) + box(b"mdat", b"x" * 50, size=0), True, id="to-the-end"),
        pytest.param(FTYP + box(b"mdat", b"x" * 50), False, id="no-index"),
        pytest.param(FTYP + box(b"mdat", b"x") + box(b"moov", b"") + box(b"free", b""), True, id="empty-boxes"),
        pytest.param(FTYP + box(b"moov", b"y", size=3) + b"more", False, id="nonsense-size"),
        pytest.param(FTYP + box(b"mdat", b"x") + box(b"moov", b"y")[:5], False, id="half-a-header"),
    ],
)
def test_boxes_are_walked_in_any_pieces(data: bytes, whole: bool, step: int) -> None:
    """Sizes come in three forms, and headers may fall between two pieces."""
    assert whole == arrived(data, step).whole()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_break_the_walk(data: bytes, step: int) -> None:
    """Whatever is called an MP4, the walk ends and tells the same in any pieces."""
    data = b"\0\0\0\x08ftyp" + data
    assert arrived(data, step).whole() == arrived(data, 1 << 20).whole()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_measured(kind: str) -> None:
    """Its header tells its size."""
    assert Shape(123, 45) == image_shape(picture(kind, 123, 45))


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", b"\xff\xd8\xffcut", b"\x89PNG\r\n\x1a\n", FILES["webp"][:20]],
    ids=["empty", "text", "jpeg", "png", "webp"],
)
def test_what_cannot_be_measured_has_no_shape(data: bytes) -> None:
    """A picture that we cannot measure is still the picture that was paid for."""
    assert Shape() == image_shape(data)


@pytest.mark.parametrize("name", ["mp4", "mp4-faststart"])
def test_a_clip_is_measured_with_and_without_pyav(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV the MP4's own index tells the same size and length."""
    with_pyav = video_shape(io.BytesIO(FILES[name]))
    assert (64, 48, 1.0, 24.0) == (with_pyav.width, with_pyav.height, with_pyav.seconds, with_pyav.fps)
    monkeypatch.setitem(sys.modules, "av", None)
    assert Shape(64, 48, 1.0, None) == video_shape(io.BytesIO(FILES[name]))


@pytest.mark.parametrize(
    ("size", "frames"),
    [
        pytest.param((320, 180), 7, id="short"),
        pytest.param((1280, 720), 3, id="hd"),
        pytest.param((48, 64), 50, id="portrait"),
    ],
)
def test_both_ways_agree(size: tuple[int, int], frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For other sizes and lengths too."""
    data = clip("mp4", width=size[0], height=size[1], frames=frames)
    with_pyav = video_shape(io.BytesIO(data))
    monkeypatch.setitem(sys.modules, "av", None)
    without = video_shape(io.BytesIO(data))
    assert (with_pyav.width, with_pyav.height) == (without.width, without.height)
    assert with_pyav.seconds is not None
    assert without.seconds == pytest.approx(with_pyav.seconds, abs=0.002)


def test_a_webm_is_measured_by_pyav_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV nothing is known of it, and nothing breaks."""
    measured = video_shape(io.BytesIO(FILES["webm"]))
    assert (64, 48) == (measured.width, measured.height)
    monkeypatch.setitem(sys.modules, "av", None)
    assert Shape() == video_shape(io.BytesIO(FILES["webm"]))


@pytest.mark.parametrize("without", [False, True], ids=["pyav", "boxes"])
@pytest.mark.parametrize("data", [b"", b"nothing", FTYP, FILES["mp4"][:200]], ids=["empty", "text", "head", "cut-off"])
def test_a_clip_that_cannot_be_measured_has_no_shape(data: bytes, without: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that we cannot measure is still the clip that was paid for."""
    if without:
        monkeypatch.setitem(sys.modules, "av", None)
    assert Shape() == video_shape(io.BytesIO(data))


@pytest.mark.parametrize("step", [1, 3, 64, 100_000])
def test_a_damaged_png_is_noticed(step: int) -> None:
    """Whichever of its bytes is another: each chunk has a checksum."""
    whole = FILES["png"]
    for place in range(8, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 0xFF
        assert not arrived(bytes(data), step).whole(), place
