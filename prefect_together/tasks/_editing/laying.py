"""Sounds laid into a clip: in place of its own, or mixed with it; its pictures stay as they are. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from prefect_together.generations.derived import Spliced
from prefect_together.tasks._editing.clip_facts import ClipFacts, facts_of
from prefect_together.tasks._editing.mixing import Laid, faded_end, laid, limited, mixed
from prefect_together.tasks._editing.pictures import (
    COPIED,
    PictureEncoder,
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
from prefect_together.tasks._editing.sound_form import SoundForm, film_form, form_of
from prefect_together.tasks._editing.tracks import subtitle_tracks

Mode = Literal["mix", "under", "replace"]
"""How sounds get into a clip: its own is quieter where they are heard, they are where its own is, or its own goes."""
Longer = Literal["stand", "cut"]
"""What becomes of a sound that is longer than its clip: the last picture stands until it ends, or it is cut off."""

_HELD = Fraction(1, 10)  # seconds by which sound may be longer than the pictures without being waited for


def lay(clip: Path, sounds: Sequence[Laid], target: Path, mode: Mode, ducking: float, longer: Longer) -> Spliced:
    """Write a clip with sounds laid into it.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: The clip or a sound cannot be read.
    """
    av = pyav()
    with refused(f"The sounds cannot be laid into {clip.name}"):
        facts = facts_of(av, clip)
        heard = [_heard(av, sound) for sound in sounds]
        plan = _Plan(facts, heard, mode, longer)
        with new_film(av, target) as out:
            pictures = _pictures(av, out, plan)
            stream = aac_stream(out, plan.form)
            samples = _samples(av, plan, [sound for sound, _, _ in heard], ducking)
            mux(out, pictures, encoded(av, stream, samples, plan.form), *subtitle_tracks(av, out, facts))
    return Spliced(reencoded=not plan.copied, changes=tuple(plan.changes()))


def _heard(av: Any, sound: Laid) -> tuple[Laid, SoundForm, Fraction]:
    """Return a sound with its form, and the seconds of the film at which it ends."""
    with av.open(str(sound.path)) as source:
        if not source.streams.audio:
            raise ValueError(f"{sound.path.name} has no sound")
        audio = source.streams.audio[0]
        first: Fraction | None = None
        last = Fraction(0)
        for packet in source.demux(audio):
            if packet.pts is not None and packet.size:
                time = packet.pts * packet.time_base
                first = time if first is None else first
                last = max(last, time + (packet.duration or 0) * packet.time_base)
        lasts = last - max(first or Fraction(0), Fraction(0))
        return sound, form_of(audio), Fraction(sound.at).limit_denominator(1_000_000) + lasts


class _Plan:
    """How a clip and sounds become a film."""

    def __init__(
        self, clip: ClipFacts, sounds: Sequence[tuple[Laid, SoundForm, Fraction]], mode: Mode, longer: Longer
    ) -> None:
        self.clip = clip
        self.mode: Mode = "replace" if clip.sound is None else mode
        own = [clip.sound.form] if clip.sound and self.mode != "replace" else []
        self._own = own
        self.form = film_form([*own, *(form for _, form, _ in sounds)]) or SoundForm(48_000, "stereo", 2)
        until = max(clip.length, clip.sound.end) if clip.sound and own else clip.length
        ends = max((end for _, _, end in sounds), default=Fraction(0))
        self.seconds: Fraction = max(until, ends) if longer == "stand" else until
        self._over: Fraction = ends - until
        self.cut = longer == "cut" and self._over > Fraction(1, 1000)
        self.copied = clip.codec in COPIED

    @property
    def stands(self) -> Fraction | None:
        """Seconds until which the last picture stands; None where it does not."""
        return self.seconds if self.seconds > self.clip.length + _HELD else None

    def changes(self) -> Iterator[str]:
        """Yield what is not as it was, in sentences for people."""
        if not self.copied:
            yield f"pictures encoded anew, as an MP4 takes no {self.clip.codec}"
        if self.mode == "replace" and self.clip.sound:
            yield "the clip's own sound left out"
        for form in self._own:
            yield f"sound encoded anew as AAC, {self.form}" + (f", of {form}" if form != self.form else "")
        if self.cut:
            yield f"the added sound is {float(self._over):.2f} s longer than the clip: cut off at its end"
        elif stands := self.stands:
            yield f"the last picture stands for {float(stands - self.clip.length):.1f} s, until the sound ends"


def _pictures(av: Any, out: Any, plan: _Plan) -> Iterator[Any]:
    clip = plan.clip
    if plan.copied:
        return copied(av, copy_stream(av, out, clip), clip, until=plan.stands)
    encoder = PictureEncoder(out, even(clip.size), clip.rate, steady=clip.steady)
    upright = Upright(av, ("scale", "{}:{}".format(*even(clip.size))))
    return encoder.packets(decoded(av, clip, upright, until=plan.stands))


def _samples(av: Any, plan: _Plan, sounds: Sequence[Laid], ducking: float) -> Iterator[bytes]:
    form, clip = plan.form, plan.clip
    count = round(plan.seconds * form.rate)
    added = exactly(laid(av, sounds, form), count, form)
    if plan.cut:
        added = faded_end(added, count, form)
    if plan.mode == "replace":
        return limited(av, added, form)
    own = exactly(samples_of(av, clip.path, form, clip.start), count, form)
    first, second = (added, own) if plan.mode == "mix" else (own, added)
    return limited(av, mixed(av, first, second, form, ducking), form)
