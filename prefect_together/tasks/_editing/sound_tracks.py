"""The sound track of a clip as a file of its own: its packets as they are where that goes, else its samples without loss."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import Spliced
from prefect_together.generations.sound_tracks import NoSound, copied, track_of
from prefect_together.tasks._editing.clip_facts import facts_of
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.samples import samples_of, write_sound
from prefect_together.tasks._editing.sound_form import kept_as, written

_LATE = 0.04  # seconds after the pictures from which a sound has silence in front


def extract(clip: Path, target: Path) -> Spliced:
    """Write the sound of a clip; where it begins later than the pictures, silence is in front.

    Raises:
        ConfigurationError: PyAV is not installed.
        InvalidRequest: The clip has no sound.
        MediaError: It cannot be read.
    """
    av = pyav()
    try:
        with refused(f"The sound of {clip.name} cannot be read"), clip.open("rb") as file:
            track = track_of(file)
            out = copied(file, track)
            if out is None:
                return _decode(av, clip, target, track.late)
            with out[0] as sound, target.open("wb") as kept:
                sound.seek(0)
                shutil.copyfileobj(sound, kept)
            return Spliced(changes=_others(av, clip))
    except NoSound as error:
        raise InvalidRequest(f"extract_sound: {clip.name} has no sound track to take out: {error}.") from None


def _others(av: Any, clip: Path) -> tuple[str, ...]:
    with av.open(str(clip)) as source:
        count = len(source.streams.audio)
    return (f"the first of {count} sound tracks",) if count > 1 else ()


def _decode(av: Any, clip: Path, target: Path, late: float) -> Spliced:
    with av.open(str(clip)) as source:
        own = written(source.streams.audio[0])
    kept = kept_as([own])
    write_sound(av, target, kept, samples_of(av, clip, kept.form, facts_of(av, clip).start))
    changes = [f"{late:.2f} s of silence in front, as it begins so much after the pictures"] if late > _LATE else []
    if not own.lossless:
        changes.append(f"{own.codec} decoded, and kept without further loss as FLAC")
    return Spliced(reencoded=not own.lossless, changes=(*changes, *_others(av, clip)))
