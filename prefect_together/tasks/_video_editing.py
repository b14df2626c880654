"""Frames and streams of local clips, with PyAV: the last picture, clips put behind each other. Knows no library."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from prefect_together.errors import ConfigurationError, MediaError
from prefect_together.generations.derived import Spliced
from prefect_together.generations.orientation import FILTERS, turn_of
from prefect_together.generations.vision import upright
from prefect_together.tasks._clip_facts import ClipFacts, facts_of
from prefect_together.tasks._film_sound import FilmSound, common_form, resampled

Fit = Literal["bars", "crop"]
"""How a picture of another shape is shown: whole between black bars, or filling the frame with its edges cut off."""

_TAIL = 2.0  # seconds before the end from which the last picture is looked for
_HELD = Fraction(1, 10)  # seconds by which sound may be longer than its pictures without being waited for
_TICK = 90_000  # of a second, in which the pictures of a film with several rates are timed


def last_picture(clip: Path, target: Path) -> None:
    """Write the last picture of a clip as PNG, the way up in which it is shown.

    Raises:
        ConfigurationError: PyAV or Pillow is not installed.
        MediaError: The clip has no picture.
    """
    av = _av()
    try:
        with av.open(str(clip)) as source:
            frame = _last(source)
    except av.FFmpegError as error:
        raise MediaError(f"{clip.name} cannot be read as a clip: {error}.", paid="yes") from None
    if frame is None:
        raise MediaError(f"{clip.name} has no picture.", paid="yes")
    try:
        upright(frame).save(target)
    except ImportError:
        raise _missing("Pillow") from None


def _last(source: Any) -> Any:
    """Decode from the last key frame before the end, and everything where that finds nothing."""
    video = source.streams.video[0]
    frame: Any = None
    if source.duration:
        source.seek(max(0, int(source.duration - _TAIL * 1_000_000)))
        frame = _end_of(source.decode(video))
    if frame is None:
        source.seek(0)
        frame = _end_of(source.decode(video))
    return frame


def _end_of(frames: Iterable[Any]) -> Any:
    """Return the last one, or None where there is none; only one is in memory at a time."""
    kept = deque(frames, maxlen=1)
    return kept[0] if kept else None


def join(clips: Sequence[Path], target: Path, fit: Fit = "bars") -> Spliced:
    """Write clips behind each other as one MP4: packets as they are where the pictures match, else encoded anew.

    The film is of the first clip's size. Every picture of every clip is in it, at its own time; all sound is in it, in one
    form, and silence under clips that have none.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: A clip cannot be read.
    """
    av = _av()
    try:
        plan = _Plan([facts_of(av, clip) for clip in clips], fit)
        with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
            _Film(av, out, plan).write()
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"The clips cannot be joined: {error}.", paid="yes") from None
    return Spliced(reencoded=not plan.copied, changes=tuple(plan.changes()))


@dataclass
class _Plan:
    """How clips become a film."""

    clips: Sequence[ClipFacts]
    fit: Fit
    size: tuple[int, int] = field(init=False)
    copied: bool = field(init=False)
    """Whether packets of pictures are taken as they are."""
    steady: bool = field(init=False)

    def __post_init__(self) -> None:
        first = self.clips[0]
        self.size = (max(2, first.size[0] // 2 * 2), max(2, first.size[1] // 2 * 2))
        self.steady = all(clip.steady and clip.rate == first.rate for clip in self.clips)
        same = all((clip.packets, clip.coded, clip.rate) == (first.packets, first.coded, first.rate) for clip in self.clips)
        copied = all(clip.shown_as_coded for clip in self.clips)
        self.copied = same and copied and first.packets[0] in {"h264", "hevc", "av1"}
        self.sound = common_form(self.clips)

    def seconds(self, clip: ClipFacts) -> Fraction:
        """Return how long a clip is in the film: until its pictures end, or its sound where that goes on."""
        heard = clip.sound.end if clip.sound else Fraction(0)
        return heard if heard > clip.length + _HELD else clip.length

    def box(self, clip: ClipFacts) -> tuple[int, int]:
        """Return the size to which a clip's pictures are scaled, of even sides."""
        across, down = (Fraction(film, own) for film, own in zip(self.size, clip.size, strict=True))
        scale = min(across, down) if self.fit == "bars" else max(across, down)
        sides: list[int] = []
        for film, own in zip(self.size, clip.size, strict=True):
            side = max(2, round(own * scale / 2) * 2)
            sides.append(film if abs(side - film) <= 2 else side)
        return sides[0], sides[1]

    def changes(self) -> Iterator[str]:
        """Yield what is not as it is in the clips, in sentences for people."""
        if not self.copied and not self.steady:
            yield "the clips have different frame rates: every picture keeps its own time"
        for number, clip in enumerate(self.clips, 1):
            for change in (*self._seen(clip), *self._heard(clip)):
                yield f"clip {number}: {change}"

    def _seen(self, clip: ClipFacts) -> Iterator[str]:
        if not self.copied and FILTERS[clip.turn]:
            yield "turned upright"
        if clip.size not in {clip.coded, clip.coded[::-1]}:
            yield "its pixels made square"
        width, height = self.size
        if self.copied or clip.size == self.size:
            return
        box = self.box(clip)
        how = f"scaled to {width}x{height}" if box == self.size else f"shown as {box[0]}x{box[1]} with bars"
        if self.fit == "crop" and box != self.size:
            how = f"scaled to {box[0]}x{box[1]}, of which {width}x{height} are shown"
        yield f"{clip.size[0]}x{clip.size[1]}, {how}"

    def _heard(self, clip: ClipFacts) -> Iterator[str]:
        if self.sound is None:
            return
        if clip.sound is None:
            yield "silence, as it has no sound"
        elif resampled(clip.sound, self.sound):
            yield f"sound of {clip.sound} brought to {self.sound[0]} Hz {self.sound[1]}"
        if self.seconds(clip) > clip.length:
            yield f"its last picture stands for {float(self.seconds(clip) - clip.length):.1f} s, until its sound ends"


class _Film:
    """Writes a film as planned."""

    def __init__(self, av: Any, out: Any, plan: _Plan) -> None:
        self._av, self._out, self._plan = av, out, plan
        self._last = -1  # the time of the last picture that was encoded, in ticks
        self._pictures: Any = None if plan.copied else self._encoder()
        self._sound: FilmSound | None = None
        if plan.sound:
            stream = out.add_stream("aac", rate=plan.sound[0], layout=plan.sound[1])
            stream.bit_rate = 96_000 * plan.sound[2]
            self._sound = FilmSound(av, stream, plan.sound)

    def write(self) -> None:
        """Write all clips."""
        at = Fraction(0)
        for clip in self._plan.clips:
            if self._sound:
                self._sound.begin(at)
            with self._av.open(str(clip.path)) as source:
                self._write(source, clip, at)
            at += self._plan.seconds(clip)
            if self._sound:
                self._sound.end(at)
        if not self._plan.copied:
            self._out.mux(self._pictures.encode(None))
        if self._sound:
            self._out.mux(self._sound.packets(rest=True))

    def _write(self, source: Any, clip: ClipFacts, at: Fraction) -> None:
        video = source.streams.video[0]
        audio = source.streams.audio[0] if self._sound and clip.sound else None
        picture = _Upright(self._av, self._plan, clip)
        for packet in source.demux([stream for stream in (video, audio) if stream is not None]):
            if packet.stream.index != video.index:
                self._hear(packet, clip)
            elif self._plan.copied:
                self._copy(packet, video, clip, at)
            else:
                for frame in packet.decode():
                    self._encode(picture.of(frame), at + _seconds(frame, clip) - clip.start)
        if audio is not None and self._sound:
            self._sound.take(None, None)

    def _hear(self, packet: Any, clip: ClipFacts) -> None:
        if not self._sound:
            return
        for frame in packet.decode():
            self._sound.take(frame, None if frame.time is None else frame.time - float(clip.start))
        self._out.mux(self._sound.packets())

    def _copy(self, packet: Any, video: Any, clip: ClipFacts, at: Fraction) -> None:
        if packet.dts is None:
            return
        if self._pictures is None:
            self._pictures = self._out.add_stream_from_template(video)
        shift = round((at - clip.start) / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        packet.stream = self._pictures
        self._out.mux(packet)

    def _encoder(self) -> Any:
        rate = self._plan.clips[0].rate
        stream = self._out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *self._plan.size, "yuv420p"
        self._tick = 1 / rate if self._plan.steady else Fraction(1, _TICK)
        stream.codec_context.time_base = self._tick
        return stream

    def _encode(self, frame: Any, time: Fraction) -> None:
        # Rounding must not put two pictures at one time.
        self._last = max(self._last + 1, round(time / self._tick))
        frame.pts, frame.time_base = self._last, self._tick
        frame.pict_type = 0  # the encoder decides which ones are key frames
        self._out.mux(self._pictures.encode(frame))


class _Upright:
    """Turns, scales and fits the pictures of one clip, by FFmpeg's filters."""

    def __init__(self, av: Any, plan: _Plan, clip: ClipFacts) -> None:
        self._av, self._plan, self._clip = av, plan, clip
        self._graph: Any = None
        self._size = (0, 0)

    def of(self, frame: Any) -> Any:
        """Return a picture as the film shows it."""
        if self._graph is None or (frame.width, frame.height) != self._size:
            self._graph, self._size = self._built(frame), (frame.width, frame.height)
        self._graph.push(frame)
        return self._graph.pull()

    def _built(self, frame: Any) -> Any:
        graph = self._av.filter.Graph()
        last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base)
        width, height = self._plan.size
        box = self._plan.box(self._clip)
        fitted = ("pad", f"{width}:{height}:-1:-1") if self._plan.fit == "bars" else ("crop", f"{width}:{height}")
        steps = [*FILTERS[turn_of(frame)], ("scale", f"{box[0]}:{box[1]}:flags=bicubic"), fitted, ("format", "yuv420p")]
        for name, value in [*steps, ("buffersink", "")]:
            step = graph.add(name, value) if value else graph.add(name)
            last.link_to(step)
            last = step
        graph.configure()
        return graph


def _seconds(frame: Any, clip: ClipFacts) -> Fraction:
    return clip.start if frame.pts is None else frame.pts * frame.time_base


def _av() -> Any:
    try:
        import_module("av.filter")
        return import_module("av")
    except ImportError:
        raise _missing("PyAV") from None


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(f'{name} is not installed, and takes clips apart: pip install "prefect-together[media]".')
