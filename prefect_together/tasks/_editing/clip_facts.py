"""What a local clip looks and sounds like, as far as joining it with others needs it. Decodes one picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from prefect_together.generations.orientation import UPRIGHT, Turn, turn_of, turned
from prefect_together.tasks._editing.sound_form import SoundForm, codec_of, form_of

Time = tuple[Fraction, Fraction]
"""When a picture is shown, and for how long."""
_UNSTEADY = 0.1  # of a picture's usual time, by which times may differ: containers round them


@dataclass(frozen=True)
class SoundFacts:
    """What a clip sounds like."""

    form: SoundForm
    codec: str
    start: Fraction
    """Seconds after the clip's first picture at which it begins."""
    end: Fraction
    """Seconds after the clip's first picture at which it ends."""


@dataclass(frozen=True)
class ClipFacts:
    """What a clip looks and sounds like."""

    path: Path
    coded: tuple[int, int]
    """Pixels in the file."""
    size: tuple[int, int]
    """Pixels as it is shown: turned, and its pixels square."""
    turn: Turn
    rate: Fraction
    """Pictures per second, on average."""
    steady: bool
    """Whether all its pictures are shown equally long."""
    start: Fraction
    """Seconds at which its first picture stands in the file."""
    length: Fraction
    """Seconds for which it has pictures."""
    packets: tuple[Any, ...]
    """What has to be equal for the packets of two clips to stand in one stream."""
    sound: SoundFacts | None

    @property
    def codec(self) -> str:
        """What its pictures are encoded by."""
        return self.packets[0]

    @property
    def picture(self) -> Fraction:
        """Seconds for which a picture is shown, as a rule."""
        return 1 / self.rate

    @property
    def shown_as_coded(self) -> bool:
        """Whether its pictures are shown as they are in the file."""
        return self.turn == UPRIGHT and self.coded == self.size


def facts_of(av: Any, path: Path) -> ClipFacts:
    """Return what a clip looks and sounds like.

    Args:
        av: PyAV.
        path: The clip.

    Raises:
        ValueError: It has no picture.
        FFmpegError: It cannot be read.
    """
    with av.open(str(path)) as source:
        if not source.streams.video:
            raise ValueError(f"{path.name} has no picture")
        video = source.streams.video[0]
        audio = source.streams.audio[0] if source.streams.audio else None
        times, heard = _times(source, video, audio)
        rate = Fraction(video.average_rate or 25)
        source.seek(0)
        frame = next(source.decode(video), None)
        if frame is None or not times:
            raise ValueError(f"{path.name} has no picture")
        context, turn = video.codec_context, turn_of(frame)
        squared = round(frame.width * Fraction(video.sample_aspect_ratio or 1)) or frame.width
        starts = [time for time, _ in times]
        gaps = [after - before for before, after in pairwise(starts)]
        last = times[-1][1] or (gaps[-1] if gaps else 1 / rate)
        sound = None
        if audio is not None and heard is not None:
            begin, end = (time - starts[0] for time in heard)
            sound = SoundFacts(form_of(audio), codec_of(audio), begin, end)
        return ClipFacts(
            path=path,
            coded=(frame.width, frame.height),
            size=turned(squared, frame.height, turn),
            turn=turn,
            rate=rate,
            steady=all(abs(gap * rate - 1) < _UNSTEADY for gap in gaps),
            start=starts[0],
            length=starts[-1] + last - starts[0],
            packets=(codec_of(video), context.pix_fmt, video.time_base, bytes(context.extradata or b"")),
            sound=sound,
        )


def _times(source: Any, video: Any, audio: Any | None) -> tuple[list[Time], tuple[Fraction, Fraction] | None]:
    """Return when each picture is shown and for how long, in order, and when the sound begins and ends, all in seconds."""
    times: list[Time] = []
    heard: list[Fraction] = []
    for packet in source.demux([stream for stream in (video, audio) if stream is not None]):
        if packet.pts is None or not packet.size:
            continue
        time, lasts = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
        if packet.stream.index == video.index:
            times.append((time, lasts))
        else:
            heard = [min(heard[0], time), max(heard[1], time + lasts)] if heard else [time, time + lasts]
    return sorted(times), (heard[0], heard[1]) if heard else None
