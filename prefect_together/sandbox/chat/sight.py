"""Look at the pictures of a question: how large each is, and the prompt of what the sandbox drew itself."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from prefect_together.sandbox import inputs, signatures
from prefect_together.sandbox._media import Image, opened, resized
from prefect_together.sandbox.recipes import Picture
from prefect_together.sandbox.store import Store

HUES = ("red", "orange", "yellow", "green", "green", "teal", "blue", "blue", "violet", "magenta", "rose", "red")
UNTOLD = "a landscape"
"""What is drawn without a prompt."""
STAND_IN = (1024, 768)


@dataclass(frozen=True)
class Seen:
    """One picture."""

    shows: str
    """The prompt from which it was drawn; else what meets the eye."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


def look(text: str, store: Store) -> Seen:
    """Return what a picture shows; raise ValueError where there is none.

    Args:
        text: Its address, or a data URL.
        store: Which knows what was drawn.
    """
    found = inputs.read_input(text, store)
    if isinstance(found, str):
        kind, _, key = found.partition(":")
        if kind == "file":
            recipe = store.files[key]
            if not isinstance(recipe, Picture):
                raise ValueError("not an image")
            return Seen(recipe.prompt or UNTOLD, recipe.width, recipe.height)
        # The sandbox stays offline: the name of the file is all that there is to see.
        name = key.partition("?")[0].rstrip("/").rpartition("/")[2].partition(".")[0]
        return Seen(" ".join(name.replace("-", " ").replace("_", " ").split()) or "a picture", *STAND_IN)
    picture = opened(found)
    if picture is None:
        raise ValueError("not an image")
    known = store.recognise(signatures.signature(picture))
    return Seen(_impression(picture) if known is None else known or UNTOLD, picture.width, picture.height)


def _impression(picture: Image.Image) -> str:
    """Return what a picture that was not drawn here looks like: brightness, colours above and below, shape."""
    top, bottom = (_colour(pixel) for pixel in _halves(picture))
    shape = "wide" if picture.width > picture.height else "tall" if picture.height > picture.width else "square"
    colours = f"{top} tones" if top == bottom else f"{top} tones above {bottom} ones"
    return f"a {shape} scene in {colours}"


def _halves(picture: Image.Image) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    small = resized(picture, (1, 2), Image.Resampling.BOX).tobytes()
    return (small[0], small[1], small[2]), (small[3], small[4], small[5])


def _colour(pixel: tuple[int, int, int]) -> str:
    hue, light, strength = colorsys.rgb_to_hls(*(level / 255 for level in pixel))
    shade = "dark" if light < 0.3 else "pale" if light > 0.7 else "soft"
    return f"{shade} {'grey' if strength < 0.12 else HUES[int(hue * 12) % 12]}"
