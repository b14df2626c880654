"""Small pictures and players of kept files for notebooks, bounded in bytes and in time. Never raises."""

from __future__ import annotations

import base64
import io
import threading
from dataclasses import dataclass

from prefect_together._internal.text import clipped
from prefect_together.errors import TogetherError
from prefect_together.generations.formats import is_seen
from prefect_together.generations.kept_file import KeptFile
from prefect_together.ui.thumbnails import small_picture

HUGE = 256 * 1024 * 1024
"""Bytes of a file above which it is not opened: what is known of it has to do."""
WHOLE = 192 * 1024
"""Bytes of a sound up to which a player holds it, and of a picture up to which it is shown itself without Pillow."""
_PATIENCE = 10.0  # seconds for a library that does not answer
_SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})  # by every browser; none can hold a script
_PNG = 64 * 1024
_PNG_SIDES = (320, 240, 160, 96)


@dataclass(frozen=True)
class Preview:
    """What is shown of a file."""

    alt: str
    """What it shows, for those who do not see it."""
    picture: str = ""
    """A data URI."""
    sound: str = ""
    """A data URI."""
    png: str = ""
    """The picture once more in Base64, for what shows no HTML."""
    note: str = ""
    """Why there is no picture."""


def preview(file: KeptFile, *, side: int, largest: int, alone: bool) -> Preview:
    """Return the preview of a file, made now from what is kept.

    Args:
        file: The file.
        side: Pixels of the longer side of its picture.
        largest: Bytes of its picture.
        alone: Whether it is all that is shown: then sounds have a player, and there is a PNG.
    """
    alt = f"{file.noun}: {clipped(file.title(), 120)}"
    if not is_seen(file.media_type):
        return Preview(alt)
    if file.size > HUGE:
        return Preview(alt, note="No preview of a file of this size.")
    found = [Preview(alt, note="No preview: the library did not answer in time.")]

    def make() -> None:
        try:
            found.append(_made(file, alt, side=side, largest=largest, alone=alone))
        except TogetherError as error:
            found.append(Preview(alt, note=f"No preview: {error.what}"))
        except Exception as error:  # whatever a decoder raises: a cell that has run must not end in it
            found.append(Preview(alt, note=f"No preview: it cannot be read ({type(error).__name__})."))

    # A thread of its own, because a library that is gone answers late, and the kernel has to go on.
    thread = threading.Thread(target=make, name="notebook-preview", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return found[-1]


def _made(file: KeptFile, alt: str, *, side: int, largest: int, alone: bool) -> Preview:
    small = small_picture(file, side=side, largest=largest)
    sound = alone and file.is_heard and file.size <= WHOLE
    held = _uri(file.media_type, file.read_bytes()) if sound else ""
    if small and len(small) <= 2 * largest:
        return Preview(alt, _uri("image/webp", small), held, _png(small) if alone else "")
    if small is None and file.media_type in _SHOWN and file.size <= (WHOLE if alone else largest):
        return Preview(alt, _uri(file.media_type, file.read_bytes()))
    return Preview(alt, sound=held, note='No preview without the extra "media": pip install "prefect-together[media]".')


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _png(small: bytes) -> str:
    """Return a small picture as a PNG of 256 colours in Base64."""
    from PIL import Image

    for side in _PNG_SIDES:
        picture = Image.open(io.BytesIO(small))
        picture.thumbnail((side, side))
        seen = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
        out = io.BytesIO()
        seen.save(out, "png", optimize=True)
        if out.tell() <= _PNG:
            return base64.b64encode(out.getvalue()).decode()
    return ""
