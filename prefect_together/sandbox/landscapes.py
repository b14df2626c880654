"""Draw a landscape for a prompt and a seed, the same every time; knows nothing of captions, files or requests.

Soft things (sky, glow, aurora) are drawn small and enlarged, sharp things (ridges, trees) are drawn on a mask of twice
the size and reduced: pretty edges without numpy, about 60 ms for 1024x1024 on one core.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prefect_together.sandbox._media import Image, ImageChops, ImageDraw, ImageFilter, levels, resized

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Colours that belong together, from the zenith down to the nearest hill."""

    sky: tuple[Colour, ...]
    far: Colour
    near: Colour
    light: Colour


def _rgb(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _palette(sky: str, far: str, near: str, light: str) -> Palette:
    return Palette(tuple(_rgb(code) for code in sky.split()), _rgb(far), _rgb(near), _rgb(light))


DAY = (
    _palette("2b4c7e 7fa6cf f7cfae ffe3c2", "a9a4bd", "2a3350", "fff1d6"),
    _palette("463769 a4508b f58e7c ffd29d", "b4658b", "241437", "ffe6b0"),
    _palette("1d6a7c 6fb7b0 f3e3b3 fbeecb", "86b3a5", "123c44", "fffbe6"),
    _palette("5e6fa3 a9b7d9 f0dfe6 fdeee4", "9aa6c8", "2d3558", "ffffff"),
    _palette("c2566b ef8e6a fbc678 ffe9b5", "cf8a78", "4a2140", "fff3cf"),
    _palette("3c7d5f 9cc69b e9edc9 fefae0", "94b49f", "1f4037", "fffde8"),
    _palette("355c7d 6c5b7b c06c84 f8b195", "956a86", "232545", "ffe0c2"),
    _palette("2f6690 81c3d7 d9ecf2 f7f3e3", "8fb8c9", "16425b", "fffaf0"),
)
WARM = (DAY[1], DAY[4], DAY[6], _palette("4a7fa5 a9c9d4 f6dfb8 fbe9c8", "e0a96d", "6b3a1f", "fff4d6"))
NIGHT = (
    _palette("050b1f 0d1b3e 1d3a63 3b6a8a", "2c4a6e", "060b18", "dff4ff"),
    _palette("0b0820 1f1147 46266b 8a4f8f", "4a2f6d", "0a0618", "ffe9f3"),
    _palette("031314 07302f 12564f 3f9480", "1f5c55", "030f12", "e9fff4"),
)
NIGHT_CITIES, MASTS, GLITTER = 0.5, 0.25, 0.6
"""Shares: of cities at night, of roofs with a mast, of waves that lie in the light."""
AURORA = (_rgb("4fffb0"), _rgb("7af0ff"), _rgb("c18bff"), _rgb("9dff6a"))

WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("aurora", ("aurora", "night", "moon", "star", "space", "galaxy", "dark", "cosmic", "nebula")),
    ("city", ("city", "street", "town", "skyline", "neon", "building", "tower", "robot", "cyberpunk", "factory")),
    ("sea", ("sea", "ocean", "lake", "river", "boat", "ship", "harbour", "harbor", "beach", "lighthouse", "whale")),
    ("dunes", ("desert", "dune", "sand", "camel", "mars", "canyon", "pyramid")),
    ("forest", ("forest", "tree", "wood", "fox", "deer", "owl", "bear", "garden", "pine", "cabin")),
    ("peaks", ("mountain", "peak", "snow", "alp", "glacier", "valley", "hill", "castle")),
)
SCENES = tuple(name for name, _ in WORDS)


def draw(width: int, height: int, *, prompt: str, rng: random.Random) -> Image.Image:
    """Return an RGB landscape of exactly `width` x `height` pixels."""
    said = prompt.lower().replace("midnight", "night")
    found = [(said.find(word), name) for name, words in WORDS for word in words if word in said]
    scene = min(found)[1] if found else rng.choice(SCENES)
    dark = scene == "aurora" or "night" in said or (scene == "city" and rng.random() < NIGHT_CITIES)
    palette = rng.choice(NIGHT if dark else WARM if scene == "dunes" else DAY)
    canvas = gradient((width, height), palette.sky)
    PAINTERS[scene](canvas, palette, rng)
    return canvas


def gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image.Image:
    """Return a smooth vertical gradient through `colours`, top first."""
    column = Image.new("RGB", (1, len(colours)))
    for row, colour in enumerate(colours):
        column.putpixel((0, row), colour)
    small = resized(resized(column, (1, 96)), (8, 96))
    return resized(small, size)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` (0-1) of the way from `first` to `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def glow(canvas: Image.Image, centre: tuple[float, float], radius: float, colour: Colour, strength: float) -> None:
    """Paint a soft light around `centre`; `radius` in pixels, `strength` 0-1."""
    diameter = max(2, round(radius * 2))
    # radial_gradient is 181 at the middle of an edge and 255 in the corners.
    falloff = [round(255 * strength * max(0.0, 1 - level / 181) ** 2) for level in range(256)]
    mask = resized(levels(Image.radial_gradient("L"), falloff), (diameter, diameter), Image.Resampling.BILINEAR)
    canvas.paste(colour, (round(centre[0] - radius), round(centre[1] - radius)), mask)


def _disc(canvas: Image.Image, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    side = max(4, round(radius * 2))
    mask = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(mask).ellipse((2, 2, side * 4 - 3, side * 4 - 3), fill=255)
    canvas.paste(colour, (round(centre[0] - radius), round(centre[1] - radius)), mask.reduce(4))


def _sun(canvas: Image.Image, palette: Palette, rng: random.Random, horizon: float) -> tuple[float, float]:
    width, height = canvas.size
    small = min(width, height)
    centre = (width * rng.uniform(0.2, 0.8), height * horizon * rng.uniform(0.45, 0.8))
    glow(canvas, centre, small * 0.62, palette.light, 0.55)
    glow(canvas, centre, small * 0.2, palette.light, 0.6)
    _disc(canvas, centre, small * rng.uniform(0.045, 0.085), mix(palette.light, (255, 255, 255), 0.4))
    return centre


def _waves(rng: random.Random, rough: float) -> Callable[[float], float]:
    """Return a ridge line over 0-1, about -1..1: slow waves plus, as `rough` grows, jagged ones."""
    slow = [(rng.uniform(0.6, 1.0) / k, k * rng.uniform(0.7, 1.3), rng.uniform(0, math.tau)) for k in (1, 2, 3)]
    sharp = [(rough / k, 3.1 * k * rng.uniform(0.8, 1.2), rng.uniform(0, 1)) for k in (1, 2, 4, 7)]

    def at(x: float) -> float:
        value = sum(a * math.sin(math.tau * f * x + p) for a, f, p in slow) / 1.8
        return value + sum(a * (abs(((f * x + p) % 1) * 2 - 1) * 2 - 1) for a, f, p in sharp) / 1.6

    return at


Decorate = Callable[[ImageDraw.ImageDraw, list[tuple[float, float]]], None]


def _layer(
    canvas: Image.Image,
    line: Callable[[float], float],
    level: float,
    swing: float,
    colours: tuple[Colour, Colour],
    decorate: Decorate | None = None,
) -> None:
    """Paint everything below a ridge; `level` and `swing` are shares of the height, `decorate` adds to the outline."""
    width, height = canvas.size
    top = max(0, math.floor(height * (level - swing * 2.2)))
    if decorate:
        top = max(0, top - height // 8)
    if top >= height:
        return
    box = (width * 2, (height - top) * 2)
    mask = Image.new("L", box)
    pen = ImageDraw.Draw(mask)
    steps = max(24, min(width // 3, 320))
    ridge = [(box[0] * i / steps, (height * (level - swing * line(i / steps)) - top) * 2) for i in range(steps + 1)]
    pen.polygon([*ridge, (box[0], box[1]), (0, box[1])], fill=255)
    if decorate:
        decorate(pen, ridge)
    canvas.paste(gradient((width, height - top), colours), (0, top), mask.reduce(2))


def _hills(canvas: Image.Image, palette: Palette, rng: random.Random, start: float, count: int, rough: float) -> None:
    for index in range(count):
        share = index / max(1, count - 1)
        colour = mix(palette.far, palette.near, share**0.9)
        mist = mix(colour, palette.sky[-1], 0.38 * (1 - share))
        level = start + (0.98 - start) * share**1.15
        _layer(canvas, _waves(rng, rough * (1 - 0.55 * share)), level, 0.085 * (1 - 0.35 * share), (colour, mist))


def _peaks(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    _sun(canvas, palette, rng, 0.55)
    _hills(canvas, palette, rng, rng.uniform(0.42, 0.52), 6, 0.9)


def _dunes(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    _sun(canvas, palette, rng, 0.5)
    for index in range(5):
        share = index / 4
        crest = mix(mix(palette.far, palette.light, 0.45), palette.near, share * 0.75)
        line = _waves(rng, 0.0)
        _layer(canvas, line, 0.52 + 0.44 * share**1.1, 0.07, (crest, mix(crest, palette.near, 0.4)))


def _forest(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    _sun(canvas, palette, rng, 0.5)
    _hills(canvas, palette, rng, 0.45, 2, 0.5)
    for index in range(3):
        share = (index + 1) / 3
        size = canvas.height * (0.05 + 0.06 * share) * 2
        layer_rng = random.Random(rng.random())

        def pines(
            pen: ImageDraw.ImageDraw, ridge: list[tuple[float, float]], size: float = size, r: random.Random = layer_rng
        ) -> None:
            x = -size
            while x < ridge[-1][0] + size:
                place = ridge[min(len(ridge) - 1, max(0, round(x / ridge[-1][0] * (len(ridge) - 1))))][1]
                tall = size * r.uniform(0.6, 1.25)
                for tier in range(3):
                    half, foot = tall * (0.13 + 0.06 * tier), place - tall * (0.62 - 0.31 * tier) + tall * 0.1
                    pen.polygon([(x - half, foot), (x, foot - tall * 0.42), (x + half, foot)], fill=255)
                x += tall * r.uniform(0.22, 0.6)

        colour = mix(palette.far, palette.near, 0.25 + 0.75 * share)
        mist = mix(colour, palette.sky[-1], 0.3 * (1 - share))
        _layer(canvas, _waves(rng, 0.1), 0.58 + 0.28 * share, 0.035, (colour, mist), pines)


def _stars(canvas: Image.Image, rng: random.Random, depth: float) -> None:
    width, height = canvas.size
    pen = ImageDraw.Draw(canvas, "RGBA")
    dot = max(1, min(width, height) // 700)
    for _ in range(150):
        x, y = rng.uniform(0, width), rng.uniform(0, height * depth)
        pen.ellipse((x, y, x + dot, y + dot), fill=(255, 255, 255, rng.randint(40, 230)))


def _aurora(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    width, height = canvas.size
    _stars(canvas, rng, 0.6)
    small = (max(16, min(192, width // 5)), max(16, min(192, height // 5)))
    light = Image.new("RGB", small)
    pen = ImageDraw.Draw(light)
    for band, colour in enumerate(rng.sample(AURORA, 3)):
        line, flicker, level = _waves(rng, 0.0), _waves(rng, 0.6), 0.3 + 0.12 * band
        for x in range(small[0]):
            foot = small[1] * (level + 0.1 * line(x / small[0]))
            tall = small[1] * (0.26 + 0.09 * flicker(x / small[0]))
            for part in range(12):
                shade = mix((0, 0, 0), colour, 0.62 * (1 - part / 12) ** 1.6)
                pen.line((x, foot - tall * part / 12, x, foot - tall * (part + 1) / 12), fill=shade)
    veil = resized(light.filter(ImageFilter.GaussianBlur(small[0] / 80)), (width, height))
    canvas.paste(ImageChops.screen(canvas, veil))
    _hills(canvas, palette, rng, 0.66, 4, 0.7)


def _sea(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    width, height = canvas.size
    centre = _sun(canvas, palette, rng, 0.55)
    horizon = round(height * rng.uniform(0.55, 0.62))
    for index in range(2):
        colour = mix(palette.far, palette.near, 0.1 + 0.3 * index)
        _layer(canvas, _waves(rng, 0.5), 0.56 + 0.02 * index, 0.05, (colour, colour))
    depth = height - horizon
    mirror = canvas.crop((0, max(0, horizon - depth), width, horizon)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = resized(mirror, (max(2, width // 10), max(2, depth // 4))).filter(ImageFilter.GaussianBlur(1.5))
    deep = gradient((width, depth), (palette.far, palette.near))
    water = Image.blend(resized(mirror, (width, depth)), deep, 0.5)
    canvas.paste(water, (0, horizon))
    pen = ImageDraw.Draw(canvas, "RGBA")
    for _ in range(170):
        share = rng.random() ** 1.6
        y, long = horizon + share * depth, width * (0.012 + 0.07 * share) * rng.uniform(0.4, 1.3)
        near_light = rng.random() < GLITTER
        x = rng.gauss(centre[0], width * (0.02 + 0.1 * share)) if near_light else rng.uniform(0, width)
        alpha = rng.randint(50, 130) if near_light else rng.randint(12, 45)
        pen.ellipse((x - long, y, x + long, y + max(1.0, height * 0.004 * share)), fill=(*palette.light, alpha))


def _city(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    width, height = canvas.size
    night = palette in NIGHT
    if night:
        _stars(canvas, rng, 0.5)
    _sun(canvas, palette, rng, 0.5)
    for row in range(4):
        share = row / 3
        colour = mix(palette.far, palette.near, share)
        pen = ImageDraw.Draw(canvas, "RGBA")
        x = -width * 0.02
        while x < width:
            wide, tall = width * rng.uniform(0.035, 0.085), height * rng.uniform(0.12, 0.42) * (1 - 0.35 * share)
            top = height * (0.74 + 0.16 * share) - tall
            pen.rectangle((x, top, x + wide, height), fill=colour)
            if rng.random() < MASTS:
                pen.line((x + wide / 2, top - tall * 0.2, x + wide / 2, top), fill=colour, width=max(1, width // 400))
            pane = wide / 7
            for column in range(3):
                for floor in range(int(tall / (pane * 2.4))):
                    if rng.random() < (0.34 if night else 0.16) * (0.4 + share):
                        left, up = x + pane * (1 + 2 * column), top + pane * (1 + 2.4 * floor)
                        lamp = (*_rgb("ffd98a"), rng.randint(90, 220))
                        pen.rectangle((left, up, left + pane, up + pane * 1.4), fill=lamp)
            x += wide * rng.uniform(0.9, 1.35)
        glow(canvas, (width * rng.random(), height), width * 0.5, palette.sky[-1], 0.16 * (1 - share))


PAINTERS: dict[str, Callable[[Image.Image, Palette, random.Random], None]] = {
    "peaks": _peaks, "dunes": _dunes, "forest": _forest, "aurora": _aurora, "sea": _sea, "city": _city,
}  # fmt: skip
