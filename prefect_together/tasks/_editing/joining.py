"""Local clips put behind each other as one film, with their sound. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from prefect_together.generations.derived import Spliced
from prefect_together.generations.orientation import FILTERS
from prefect_together.tasks._editing.clip_facts import ClipFacts, facts_of
from prefect_together.tasks._editing.pictures import (
    COPIED,
    PictureEncoder,
    Timed,
    Upright,
    copied,
    copy_stream,
    decoded,
    even,
    mux,
    new_film,
)
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.samples import aac_stream, encoded, exactly, samples_of
from prefect_together.tasks._editing.sound_form import SoundForm, film_form

Fit = Literal["bars", "crop"]
"""How a picture of another shape is shown: whole between black bars, or filling the frame with its edges cut off."""

_HELD = Fraction(1, 10)  # seconds by which sound may be longer than its pictures without being waited for


def join(clips: Sequence[Path], target: Path, fit: Fit = "bars") -> Spliced:
    """Write clips behind each other as one MP4: packets as they are where the pictures match, else encoded anew.

    The film is of the first clip's size. Every picture of every clip is in it, at its own time; all sound is in it, in one
    form, and silence under clips that have none.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: A clip cannot be read.
    """
    av = pyav()
    with refused("The clips cannot be joined"):
        plan = _Plan([facts_of(av, clip) for clip in clips], fit)
        with new_film(av, target) as out:
            tracks = [_copied(av, out, plan) if plan.copied else _encoded(av, out, plan)]
            if plan.sound:
                tracks.append(encoded(av, aac_stream(out, plan.sound), _samples(av, plan, plan.sound), plan.sound))
            mux(out, *tracks)
    return Spliced(reencoded=not plan.copied, changes=tuple(plan.changes()))


def _copied(av: Any, out: Any, plan: _Plan) -> Iterator[Any]:
    stream = copy_stream(av, out, plan.clips[0])
    return (packet for at, clip in plan.placed() for packet in copied(av, stream, clip, at=at))


def _encoded(av: Any, out: Any, plan: _Plan) -> Iterator[Any]:
    def pictures() -> Iterator[Timed]:
        for at, clip in plan.placed():
            for time, frame in decoded(av, clip, Upright(av, *plan.fitted(clip))):
                yield at + time, frame

    return PictureEncoder(out, plan.size, plan.clips[0].rate, steady=plan.steady).packets(pictures())


def _samples(av: Any, plan: _Plan, form: SoundForm) -> Iterator[bytes]:
    """Yield the sound of the film: that of each clip under its own pictures, silence where it has none."""
    given = 0
    for at, clip in plan.placed():
        count = round((at + plan.seconds(clip)) * form.rate) - given
        yield from exactly(samples_of(av, clip.path, form, clip.start) if clip.sound else (), count, form)
        given += count


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
        self.size = even(first.size)
        self.steady = all(clip.steady and clip.rate == first.rate for clip in self.clips)
        same = all((clip.packets, clip.coded, clip.rate) == (first.packets, first.coded, first.rate) for clip in self.clips)
        copied = all(clip.shown_as_coded for clip in self.clips)
        self.copied = same and copied and first.codec in COPIED
        self.sound = film_form(clip.sound.form for clip in self.clips if clip.sound)

    def seconds(self, clip: ClipFacts) -> Fraction:
        """Return how long a clip is in the film: until its pictures end, or its sound where that goes on."""
        heard = clip.sound.end if clip.sound else Fraction(0)
        return heard if heard > clip.length + _HELD else clip.length

    def placed(self) -> Iterator[tuple[Fraction, ClipFacts]]:
        """Yield the clips with the seconds of the film at which each stands."""
        at = Fraction(0)
        for clip in self.clips:
            yield at, clip
            at += self.seconds(clip)

    def fitted(self, clip: ClipFacts) -> tuple[tuple[str, str], ...]:
        """Return the filters that bring a clip's pictures to the film's size."""
        width, height = self.size
        box = self.box(clip)
        last = ("pad", f"{width}:{height}:-1:-1") if self.fit == "bars" else ("crop", f"{width}:{height}")
        return ("scale", f"{box[0]}:{box[1]}:flags=bicubic"), last

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
        elif clip.sound.form != self.sound:
            yield f"sound of {clip.sound.form} brought to {self.sound}"
        if self.seconds(clip) > clip.length:
            yield f"its last picture stands for {float(self.seconds(clip) - clip.length):.1f} s, until its sound ends"
