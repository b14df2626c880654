"""The waveform of a sound as a picture: how loud it is from its beginning to its end. Needs PyAV and Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

HIGH = 0.375
"""How high it is, by its width."""

_RATE = 8_000  # samples per second that are looked at
_PIECE = 80  # samples of which the largest counts
_BAR, _GAP = 3, 2  # pixels
_INK = (78, 114, 232)  # seen on white, on dark and on paper
_GROUND = (255, 255, 255, 0)  # white where transparency is lost
_LONG = 900.0  # seconds from which a sound is looked at here and there
_LOOKS = 240
_LOOK = 0.5  # seconds
_SILENT = 328  # one per cent of full scale
_SCALE = 3  # drawn larger and reduced, for smooth edges


def waveform(file: BinaryIO, width: int) -> Image.Image:
    """Return the waveform of a sound, of so many pixels, transparent but for its bars.

    Raises:
        ImportError: Pillow or PyAV is not installed.
        ValueError: It has no sound.
    """
    import av
    from PIL import Image, ImageDraw

    library: Any = av  # its stubs speak of numpy, which need not be there
    with library.open(file) as sound:
        if not sound.streams.audio:
            raise ValueError("it has no sound")
        seconds = (sound.duration or 0) / 1_000_000
        peaks = _looked_at(library, sound, seconds) if seconds > _LONG else list(_peaks(library, sound, None))
    count, height = max(1, (width + _GAP) // (_BAR + _GAP)), round(width * HIGH)
    bars = _bars(peaks, count)
    picture = Image.new("RGBA", (width * _SCALE, height * _SCALE), _GROUND)
    draw = ImageDraw.Draw(picture)
    for place, bar in enumerate(bars):
        left = place * (_BAR + _GAP)
        half = max(_BAR / 2, bar * (height / 2 - 2))
        box = [edge * _SCALE for edge in (left, height / 2 - half, left + _BAR, height / 2 + half)]
        draw.rounded_rectangle((box[0], box[1], box[2] - 1, box[3] - 1), radius=_BAR * _SCALE / 2, fill=(*_INK, 255))
    return picture.reduce(_SCALE)


def _peaks(av: Any, sound: Any, seconds: float | None) -> Iterator[int]:
    """Yield the largest sample of each piece, from where the sound is on; as many seconds as are wanted."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    waiting, left = b"", None if seconds is None else round(seconds * _RATE)
    for frame in sound.decode(sound.streams.audio[0]):
        for part in resampler.resample(frame):
            waiting += bytes(part.planes[0])[: part.samples * 2]
            left = None if left is None else left - part.samples
        whole = len(waiting) // (2 * _PIECE) * 2 * _PIECE
        samples = memoryview(waiting[:whole]).cast("h") if whole else ()
        for at in range(0, len(samples), _PIECE):
            piece = samples[at : at + _PIECE]
            yield max(*piece, -min(piece))
        waiting = waiting[whole:]
        if left is not None and left <= 0:
            return


def _looked_at(av: Any, sound: Any, seconds: float) -> list[int]:
    """Return how loud a long sound is here and there: nobody waits for all of four hours."""
    found: list[int] = []
    for place in range(_LOOKS):
        sound.seek(int((place + 0.5) * seconds / _LOOKS * 1_000_000))
        found.append(max(_peaks(av, sound, _LOOK), default=0))
    return found


def _bars(peaks: Sequence[int], count: int) -> list[float]:
    """Return how high each bar is, of 1: the loudest reaches to the edge, quiet ones are seen too."""
    if not peaks:
        return [0.0] * count
    loudest = max(_SILENT, *peaks)
    edges = [place * len(peaks) // count for place in range(count + 1)]
    bars = [max(peaks[first : max(first + 1, last)], default=0) for first, last in pairwise(edges)]
    return [(bar / loudest) ** 0.8 for bar in bars]
