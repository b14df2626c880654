"""Captions drawn into the pictures of a clip; its sound stays as it is. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from prefect_together.generations.derived import Spliced
from prefect_together.generations.timed_text import Caption
from prefect_together.tasks._editing.caption_drawing import Drawing, Drawn, Style, line_length
from prefect_together.tasks._editing.captions import Given
from prefect_together.tasks._editing.clip_facts import facts_of
from prefect_together.tasks._editing.fonts import FontFile
from prefect_together.tasks._editing.pictures import PictureEncoder, Timed, Upright, decoded, even, mux, new_film
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.tracks import sound_track


def burn(clip: Path, given: Given, target: Path, style: Style, font: FontFile | None) -> Spliced:
    """Write a clip whose pictures show captions.

    Raises:
        ConfigurationError: PyAV or Pillow is not installed, or no font has a character.
        MediaError: The clip cannot be read.
    """
    av = pyav()
    with refused(f"The subtitles cannot be burnt into {clip.name}"):
        facts = facts_of(av, clip)
        size = even(facts.size)
        captions = given.captions(line_length(size))
        shown = at_once(captions)
        drawing = Drawing(size, [text for _, _, text in shown], style, font)
        with new_film(av, target) as out:
            encoder = PictureEncoder(out, size, facts.rate, steady=facts.steady)
            sound, changes = sound_track(av, out, facts)
            upright = Upright(av, ("scale", f"{size[0]}:{size[1]}"))
            pictures = _Burnt(av, size, shown, drawing).of(decoded(av, facts, upright))
            mux(out, encoder.packets(pictures), *sound)
    late = sum(caption.start >= facts.length for caption in captions)
    over = [f"{late} of {len(captions)} subtitles not shown, as they begin behind the clip's end"] if late else []
    return Spliced(reencoded=True, changes=("pictures encoded anew, with the subtitles", *changes, *over))


def at_once(captions: Sequence[Caption]) -> list[tuple[float, float, str]]:
    """Return what is shown between which seconds; captions whose times overlap stand above each other."""
    edges = sorted({edge for caption in captions for edge in (caption.start, caption.end)})
    shown: list[tuple[float, float, str]] = []
    place, running = 0, list[Caption]()
    for begin, end in pairwise(edges):
        while place < len(captions) and captions[place].start <= begin:
            running.append(captions[place])
            place += 1
        running = [caption for caption in running if caption.end > begin]
        if text := "\n".join(line for caption in running for line in caption.lines):
            shown.append((begin, end, text))
    return shown


class _Burnt:
    """Lays captions over pictures, each of them drawn once."""

    def __init__(self, av: Any, size: tuple[int, int], shown: Sequence[tuple[float, float, str]], drawing: Drawing) -> None:
        self._av, self._size, self._shown, self._drawing = av, size, shown, drawing
        self._place = 0
        self._over: _Over | None = None

    def of(self, pictures: Iterator[Timed]) -> Iterator[Timed]:
        """Yield pictures with what is shown on them."""
        for time, frame in pictures:
            yield time, self._with(time, frame)

    def _with(self, time: Fraction, frame: Any) -> Any:
        while self._place < len(self._shown) and self._shown[self._place][1] <= time:
            self._place, self._over = self._place + 1, None
        if self._place == len(self._shown) or self._shown[self._place][0] > time:
            return frame
        if self._over is None:
            self._over = _Over(self._av, self._size, self._drawing.of(self._shown[self._place][2]))
        return self._over(frame)


class _Over:
    """Lays one caption over pictures, by FFmpeg's filter."""

    def __init__(self, av: Any, size: tuple[int, int], drawn: Drawn) -> None:
        self._letters = _frame(av, drawn.picture)
        self._graph = av.filter.Graph()
        tick = Fraction(1, 1000)
        below = self._graph.add_buffer(width=size[0], height=size[1], format="yuv420p", time_base=tick)
        above = self._graph.add_buffer(
            width=self._letters.width, height=self._letters.height, format="yuva420p", time_base=tick
        )
        overlay = self._graph.add("overlay", f"{drawn.place[0]}:{drawn.place[1]}:format=yuv420")
        self._sink = self._graph.add("buffersink")
        below.link_to(overlay, 0, 0)
        above.link_to(overlay, 0, 1)
        overlay.link_to(self._sink)
        self._graph.configure()
        self._inputs = (below, above)
        self._tick, self._given = tick, 0

    def __call__(self, frame: Any) -> Any:
        self._given += 1
        for source, picture in zip(self._inputs, (frame, self._letters), strict=True):
            picture.pts, picture.time_base = self._given, self._tick
            source.push(picture)
        return self._sink.pull()


def _frame(av: Any, picture: Any) -> Any:
    """Return a picture with transparency as FFmpeg takes it."""
    frame = av.VideoFrame(picture.width, picture.height, "rgba")
    rows, across = picture.tobytes(), 4 * picture.width
    plane = frame.planes[0]
    padding = bytes(plane.line_size - across)
    plane.update(b"".join(rows[at : at + across] + padding for at in range(0, len(rows), across)))
    return frame.reformat(format="yuva420p")
