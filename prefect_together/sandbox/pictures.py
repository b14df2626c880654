"""Draw a picture from its recipe and write it as JPEG or PNG; fetches nothing."""

import io
import random
from collections.abc import Callable

from prefect_together.sandbox import captions, landscapes
from prefect_together.sandbox._media import Image, ImageChops, ImageFilter, ImageOps, resized
from prefect_together.sandbox.recipes import Picture

OpenInput = Callable[[str], Image.Image]
"""Opens an input by its name (see `inputs`) as an RGB picture."""


def draw(recipe: Picture, open_input: OpenInput) -> Image.Image:
    """Return the picture: a landscape, or the first reference tinted and given a new light."""
    rng = random.Random(f"{recipe.model}|{recipe.seed}|{recipe.prompt}")
    note = f"{recipe.model}  ·  seed {recipe.seed}  ·  {recipe.width} x {recipe.height}"
    if not recipe.references:
        scene = landscapes.draw(recipe.width, recipe.height, prompt=recipe.prompt, rng=rng)
        return captions.caption(scene, recipe.prompt or "(no prompt)", note)
    references = [open_input(name) for name in recipe.references]
    edited = _edit(references[0], recipe, rng)
    return captions.caption(edited, f"edited: {recipe.prompt}", note)


def _edit(reference: Image.Image, recipe: Picture, rng: random.Random) -> Image.Image:
    """Build on a reference: its picture in new light, its caption out of focus, and a small print of it as it was."""
    size = (recipe.width, recipe.height)
    base = ImageOps.fit(reference, size, Image.Resampling.BICUBIC)
    palette = rng.choice(landscapes.DAY)
    tint = landscapes.gradient(size, (palette.sky[1], palette.sky[2], palette.far, palette.near))
    graded = Image.blend(Image.blend(base, ImageChops.soft_light(base, tint), 0.75), tint, 0.13)
    small = min(size)
    centre = (size[0] * rng.uniform(0.15, 0.6), size[1] * rng.uniform(0.1, 0.4))
    landscapes.glow(graded, centre, small * 0.45, palette.light, 0.5)
    landscapes.glow(graded, centre, small * 0.12, palette.light, 0.8)
    _soften(graded, (0, round(size[1] * 0.74), *size))  # the caption of the reference
    _soften(graded, (round(size[0] * 0.6), 0, size[0], round(size[1] * 0.34)))  # the print it may carry itself
    captions.inset(graded, reference)
    return graded


def _soften(picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Blur a part of the picture beyond recognition, with soft borders, in place."""
    part = picture.crop(box)
    tiny = resized(part, (max(1, part.width // 48), max(1, part.height // 48)), Image.Resampling.BOX)
    inner = (0 if box[0] == 0 else 8, 0 if box[1] == 0 else 8, 32, 32 if box[3] == picture.height else 24)
    mask = _rectangle(inner).filter(ImageFilter.BoxBlur(3))
    blurred = resized(tiny, part.size)
    picture.paste(blurred, box[:2], resized(mask, part.size))


def _rectangle(inner: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", (32, 32))
    mask.paste(255, inner)
    return mask


def encode(picture: Image.Image, format: str) -> bytes:
    """Return the picture as `jpeg` or `png` bytes."""
    target = io.BytesIO()
    if format == "png":
        picture.save(target, "PNG", compress_level=1)
    else:
        picture.save(target, "JPEG", quality=88)
    return target.getvalue()
