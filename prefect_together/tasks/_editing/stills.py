"""Single pictures of local clips: the last one, and those that are shown at given times. Knows no library."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.generations.vision import upright
from prefect_together.tasks._editing.pyav import missing, pyav, refused

_TAIL = 2.0  # seconds before the end from which the last picture is looked for


def last_picture(clip: Path, target: Path) -> None:
    """Write the last picture of a clip as PNG, the way up in which it is shown.

    Raises:
        ConfigurationError: PyAV or Pillow is not installed.
        MediaError: The clip has no picture.
    """
    av = pyav()
    with refused(f"{clip.name} cannot be read as a clip"), av.open(str(clip)) as source:
        frame = _last(source)
    if frame is None:
        raise MediaError(f"{clip.name} has no picture.")
    _save(frame, target)


def _last(source: Any) -> Any:
    """Decode from the last key frame before the end, and everything where that finds nothing."""
    video = _video(source)
    frame: Any = None
    if source.duration:
        source.seek(max(0, int(source.duration - _TAIL * 1_000_000)))
        frame = _end_of(source.decode(video))
    if frame is None:
        source.seek(0)
        frame = _end_of(source.decode(video))
    return frame


def _video(source: Any) -> Any:
    if not source.streams.video:
        raise ValueError("it has no pictures")
    return source.streams.video[0]


def _end_of(frames: Iterable[Any]) -> Any:
    """Return the last one, or None where there is none; only one is in memory at a time."""
    kept = deque(frames, maxlen=1)
    return kept[0] if kept else None


def length_of(clip: Path) -> float:
    """Return for how many seconds a clip has pictures, by its index.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: It cannot be read.
    """
    av = pyav()
    with refused(f"{clip.name} cannot be read as a clip"), av.open(str(clip)) as source:
        video = _video(source)
        length = float(video.duration * video.time_base) if video.duration else (source.duration or 0) / 1_000_000
    if not length:
        raise MediaError(f"{clip.name} does not say how long it is.")
    return length


def pictures_at(clip: Path, times: Sequence[float], folder: Path) -> Iterator[Path]:
    """Write the pictures that are shown at times of a clip as PNG, and yield where; of each it is the one that is seen then.

    Args:
        clip: The clip.
        times: Seconds after its first picture.
        folder: Where the pictures go.

    Raises:
        ConfigurationError: PyAV or Pillow is not installed.
        InvalidRequest: A time is behind the clip's end.
        MediaError: The clip cannot be read.
    """
    av = pyav()
    with refused(f"{clip.name} cannot be read as a clip"), av.open(str(clip)) as source:
        video = _video(source)
        start = (video.start_time or 0) * video.time_base
        for place, time in enumerate(times):
            at = Fraction(time).limit_denominator(1_000_000) + start
            frame = _shown_at(source, video, at)
            if frame is None:
                raise InvalidRequest(f"frames: there is no picture at {time:g} s of {clip.name}: it is over before.")
            target = folder / f"{place}.png"
            _save(frame, target)
            yield target


def _shown_at(source: Any, video: Any, at: Fraction) -> Any | None:
    """Return the last picture that does not begin after a time; None where the clip is over by then."""
    source.seek(max(0, round(at / video.time_base)), stream=video)
    shown: Any = None
    begun = Fraction(0)
    picture = 1 / Fraction(video.average_rate or 25)
    for frame in source.decode(video):
        time = Fraction(0) if frame.pts is None else frame.pts * frame.time_base
        if shown is not None and time > at:
            return shown
        shown, begun = frame, time
        if time > at:
            return shown
    return shown if shown is not None and at < begun + 2 * picture else None


def _save(frame: Any, target: Path) -> None:
    try:
        upright(frame).save(target, format="png")
    except ImportError:
        raise missing("Pillow") from None
