"""Pictures as they are shown to a model: small, upright, JPEG; clips as pictures from their whole length."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_together.generations.vision import NotDecodable, frames, seen


def picture(size: tuple[int, int], kind: str = "PNG", mode: str = "RGB", colour: str = "red", turn: int = 0) -> bytes:
    """Return a picture, with a camera's word on how it lies where one is given."""
    made = Image.new(mode, size, colour)
    exif = Image.Exif()
    if turn:
        exif[0x0112] = turn
    out = io.BytesIO()
    made.save(out, kind, **({"exif": exif} if turn else {}))
    return out.getvalue()


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (picture((2240, 1120)), (1120, 560)),
        (picture((600, 400)), (600, 400)),
        (picture((600, 400), "WEBP"), (600, 400)),
        (picture((600, 400), "JPEG", turn=6), (400, 600)),
        (picture((1000, 3000), "JPEG"), (373, 1120)),
    ],
    ids=["large", "png", "webp", "turned", "tall"],
)
def test_shown_as_a_small_upright_jpeg(given: bytes, size: tuple[int, int]) -> None:
    """The longer side has 1,120 pixels at most, and what a camera turned is turned back."""
    shown = Image.open(io.BytesIO(seen(given)))
    assert ("JPEG", size) == (shown.format, shown.size)


def test_a_small_jpeg_stays_as_it_is() -> None:
    """Nothing is encoded a second time for nothing."""
    given = picture((600, 400), "JPEG")
    assert given is seen(given)


def test_what_is_transparent_is_white() -> None:
    """As a page shows it, and not black."""
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    levels: Any = Image.open(io.BytesIO(seen(out.getvalue()))).getpixel((5, 5))
    assert min(levels) > 250


def test_what_is_no_picture() -> None:
    """One sentence, whatever the decoder says."""
    with pytest.raises(NotDecodable, match="cannot be decoded"):
        seen(b"\x89PNG\r\n\x1a\n" + b"spoilt" * 9)
    with pytest.raises(NotDecodable, match="cannot be decoded"):
        frames(io.BytesIO(b"no clip"), 3)


@pytest.mark.parametrize(("count", "levels"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (20, list(range(10)))])
def test_pictures_from_the_whole_of_a_clip(count: int, levels: list[int], tmp_path: Path) -> None:
    """The first and the last moment among them, evenly between; a clip with fewer pictures gives all that it has."""
    av: Any = import_module("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(10):
            made = Image.new("RGB", (64, 48), (level * 25, level * 25, level * 25))
            for packet in stream.encode(av.VideoFrame.from_image(made)):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    with path.open("rb") as file:
        found: list[Any] = [Image.open(io.BytesIO(data)).getpixel((32, 24)) for data in frames(file, count)]
    assert levels == [round(colour[0] / 25) for colour in found]


@pytest.mark.parametrize(
    ("mode", "greys", "kind"),
    [
        ("I;16", [0, 16384, 32768, 65535], "PNG"),
        ("I", [0, 25000, 50000, 100000], "TIFF"),
        ("F", [0.0, 0.25, 0.5, 1.0], "TIFF"),
        ("F", [0.0, 63.75, 127.5, 255.0], "TIFF"),
        ("I", [0, 64, 128, 255], "TIFF"),
    ],
)
def test_more_greys_than_are_shown_are_made_fewer(mode: str, greys: list[float], kind: str) -> None:
    """A measurement of 16 bits, or of fractions, is neither black nor white."""
    made, out = Image.new(mode, (64, 16)), io.BytesIO()
    for place in range(64):
        for row in range(16):
            made.putpixel((place, row), greys[place // 16])
    made.save(out, kind)
    shown = Image.open(io.BytesIO(seen(out.getvalue()))).convert("L")
    for place, expected in zip((8, 24, 40, 56), (0, 64, 127, 255), strict=True):
        found = shown.getpixel((place, 8))
        assert isinstance(found, int)
        assert abs(found - expected) <= 4
