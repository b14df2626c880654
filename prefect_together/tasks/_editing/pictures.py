"""The pictures of a film: copied as they are, or decoded, turned upright, and encoded anew. One is in memory at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.generations.orientation import FILTERS, turn_of
from prefect_together.tasks._editing.clip_facts import ClipFacts

COPIED = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
"""Codecs whose packets an MP4 takes, by FFmpeg's names."""
_TICK = 90_000  # of a second, in which pictures of no steady rate are timed

Timed = tuple[Fraction, Any]
"""A picture, and the seconds of the film at which it is shown."""


def new_film(av: Any, target: Path) -> Any:
    """Open a new MP4, whose index stands in front so that it plays while it is fetched."""
    return av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"})


def mux(out: Any, *tracks: Iterable[Any]) -> None:
    """Write packets of several tracks by their times, so that none of them waits in memory for another."""
    for packet in heapq.merge(*tracks, key=lambda packet: packet.dts * packet.time_base):
        out.mux(packet)


def with_times(packets: Iterable[Any]) -> Iterator[Any]:
    """Yield packets, each with the time at which it is decoded, which Matroska does not say of the first ones."""
    waiting: list[Any] = []
    for packet in packets:
        if packet.pts is None or not packet.size:
            continue
        waiting.append(packet)
        if packet.dts is None:
            continue
        for back, early in enumerate(reversed(waiting[:-1]), 1):
            early.dts = packet.dts - back * (packet.duration or 1)
        yield from waiting
        waiting.clear()
    for packet, time in zip(waiting, sorted(packet.pts for packet in waiting), strict=True):
        packet.dts = min(packet.pts, time)
        yield packet


def copy_stream(av: Any, out: Any, clip: ClipFacts) -> Any:
    """Return a new stream of a film that takes the packets of a clip's pictures as they are."""
    with av.open(str(clip.path)) as source:
        return out.add_stream_from_template(source.streams.video[0], opaque=True)  # no encoder is asked for


def copied(
    av: Any,
    stream: Any,
    clip: ClipFacts,
    *,
    at: Fraction = Fraction(0),
    begin: Fraction = Fraction(0),
    end: Fraction | None = None,
    until: Fraction | None = None,
) -> Iterator[Any]:
    """Yield the packets of a clip's pictures as they are.

    Args:
        av: PyAV.
        stream: The film's stream that takes them.
        clip: The clip.
        at: Seconds of the film at which the clip stands.
        begin: Seconds of the clip at which its first picture is shown, which has to be a key frame.
        end: Seconds of the clip from which no picture is taken any more.
        until: Seconds of the clip until which its last picture stands.
    """
    with av.open(str(clip.path)) as source:
        video = source.streams.video[0]
        if begin:
            source.seek(round((clip.start + begin) / video.time_base), stream=video)
        last: Any = None
        for packet in with_times(source.demux(video)):
            time = packet.pts * packet.time_base - clip.start
            if time < begin - clip.picture / 2 or (end is not None and time >= end):
                continue
            shift = round((at - clip.start - begin) / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
            if last is not None:
                yield last
            last = packet
        if last is not None:
            if until is not None:  # the last one of a file is shown for as long as it says
                shown = last.pts * last.time_base - at + begin
                last.duration = max(last.duration or 0, round((until - shown) / last.time_base))
            yield last


class PictureEncoder:
    """Encodes pictures for a film.

    Args:
        out: The film.
        size: Of its pictures, in pixels.
        rate: Pictures per second.
        steady: Whether all are shown equally long; else each keeps its own time.
    """

    def __init__(self, out: Any, size: tuple[int, int], rate: Fraction, *, steady: bool) -> None:
        self._stream = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = *size, "yuv420p"
        self._tick = 1 / rate if steady else Fraction(1, _TICK)
        self._stream.codec_context.time_base = self._tick

    def packets(self, pictures: Iterable[Timed]) -> Iterator[Any]:
        """Yield the packets of pictures, all of them."""
        last = -1  # the time of the last picture, in ticks
        for time, frame in pictures:
            # Rounding must not put two pictures at one time.
            last = max(last + 1, round(time / self._tick))
            frame.pts, frame.time_base = last, self._tick
            frame.pict_type = 0  # the encoder decides which ones are key frames
            yield from self._stream.encode(frame)
        yield from self._stream.encode(None)


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size of even sides, as encoders need them."""
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


def decoded(
    av: Any,
    clip: ClipFacts,
    shown: Callable[[Any], Any],
    *,
    begin: Fraction = Fraction(0),
    end: Fraction | None = None,
    until: Fraction | None = None,
) -> Iterator[Timed]:
    """Yield the pictures of a clip, with their times after ``begin``.

    Args:
        av: PyAV.
        clip: The clip.
        shown: Makes of a picture of the file the one of the film.
        begin: Seconds of the clip; the picture that is shown then is the first.
        end: Seconds of the clip from which no picture is taken any more.
        until: Seconds of the clip until which its last picture stands.
    """
    before: Any = None  # the picture that is shown until the next one
    last: Timed | None = None
    with av.open(str(clip.path)) as source:
        video = source.streams.video[0]
        if begin:
            source.seek(max(0, round((clip.start + begin) / video.time_base)), stream=video)
        for frame in source.decode(video):
            time = Fraction(0) if frame.pts is None else frame.pts * frame.time_base - clip.start
            if time < begin - clip.picture / 2:
                before = frame
                continue
            if end is not None and time >= end:
                break
            if before is not None and last is None and time > begin + clip.picture / 2:
                yield Fraction(0), shown(before)
            last = max(Fraction(0), time - begin), shown(frame)
            yield last
        if last is None and before is not None:
            last = Fraction(0), shown(before)
            yield last
    if last is not None and until is not None and until - begin - clip.picture > last[0]:
        yield until - begin - clip.picture, last[1]


class Upright:
    """Turns, scales and fits the pictures of one clip, by FFmpeg's filters.

    Args:
        av: PyAV.
        steps: What else is done, behind the turning: filters of FFmpeg, and what each is told.
    """

    def __init__(self, av: Any, *steps: tuple[str, str]) -> None:
        self._av, self._steps = av, steps
        self._graph: Any = None
        self._size = (0, 0)

    def __call__(self, frame: Any) -> Any:
        """Return a picture as the film shows it."""
        if self._graph is None or (frame.width, frame.height) != self._size:
            self._graph, self._size = self._built(frame), (frame.width, frame.height)
        self._graph.push(frame)
        return self._graph.pull()

    def _built(self, frame: Any) -> Any:
        graph = self._av.filter.Graph()
        last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base)
        for name, value in [*FILTERS[turn_of(frame)], *self._steps, ("format", "yuv420p"), ("buffersink", "")]:
            step = graph.add(name, value) if value else graph.add(name)
            last.link_to(step)
            last = step
        graph.configure()
        return graph
