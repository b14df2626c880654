"""Sounds put behind each other: sample by sample as they are where all are alike, and without a click. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect_together.generations.derived import Spliced
from prefect_together.generations.sound_joints import Joints
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.samples import blocks, samples_of, write_sound
from prefect_together.tasks._editing.sound_form import SoundForm, Written, kept_as, written


def join_recordings(sounds: Sequence[Path], target: Path, pause: float) -> Spliced:
    """Write sounds behind each other.

    Args:
        sounds: At least one.
        target: Where.
        pause: Seconds of silence between two of them.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: One of them cannot be read.
    """
    av = pyav()
    with refused("The sounds cannot be joined"):
        each = [_written(av, sound) for sound in sounds]
        kept = kept_as(each)
        joints = Joints([partial(_samples, av, sound, kept.form) for sound in sounds], kept.form, pause)
        write_sound(av, target, kept, joints.samples())
    changes = [change for number, own in enumerate(each, 1) for change in _changes(number, own, kept)]
    lossy = any(not own.lossless or own.form[:3] != kept.form[:3] for own in each)
    return Spliced(reencoded=lossy, changes=(*changes, *joints.faded))


def _samples(av: Any, sound: Path, form: SoundForm) -> Iterator[bytes]:
    return blocks(samples_of(av, sound, form), form.rate, form)


def _written(av: Any, sound: Path) -> Written:
    with av.open(str(sound)) as source:
        if not source.streams.audio:
            raise ValueError(f"{sound.name} has no sound")
        return written(source.streams.audio[0])


def _changes(number: int, own: Written, kept: Written) -> Iterator[str]:
    if own.form[:3] != kept.form[:3]:
        yield f"sound {number}: {own.form} brought to {kept.form}"
    if not own.lossless:
        yield f"sound {number}: {own.codec} decoded, and kept without further loss as FLAC"
