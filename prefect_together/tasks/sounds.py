"""Sounds taken out of clips, laid into them, and joined, on this machine. Sends and pays nothing.

Needs PyAV (the extra ``media``). What is made is kept in the library beside a note of what it was made from; made once,
it is found again by that note, so that a run that is resumed gets the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import DerivedMedia, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.tasks._editing.checks import number
from prefect_together.tasks._editing.deriving import derive
from prefect_together.tasks._editing.laying import Longer, Mode, lay
from prefect_together.tasks._editing.mixing import Laid
from prefect_together.tasks._editing.sound_joining import join_recordings
from prefect_together.tasks._editing.sound_tracks import extract
from prefect_together.tasks._editing.sources import MediaFile, several, sources

_LOUDEST = 10.0
_QUIETER = 60.0  # decibels by which a sound is not heard any more


@dataclass(frozen=True)
class Placed:
    """A sound and where it stands in a film: what ``add_sound`` takes several of."""

    sound: MediaFile
    """A sound that was generated or made here, or a path."""
    at: float = 0.0
    """Seconds of the film at which it begins."""
    volume: float = 1.0
    """How loud it is: 1 as it is, 0.5 half of it."""


Sound: TypeAlias = MediaFile | Placed


def extract_sound(video: MediaFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return the sound of a clip or film, as a file of its own.

    AAC becomes M4A, Opus and Vorbis Ogg, MP3, FLAC and PCM files of their own kind, all without loss; other sound is decoded
    and kept as FLAC. Its times are those of the pictures; ``changes`` says what had to be done for that.

    Example:
        ```python
        sound = extract_sound(generate_video(request))
        ```

    Args:
        video: A clip that was generated or made here, or a path.
        library: Where to keep the sound; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip, or has no sound.
        ConfigurationError: PyAV is not installed.
        MediaError: The clip cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_extract_sound(video, library))


async def aextract_sound(video: MediaFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return the sound of a clip or film: ``extract_sound`` for async flows."""
    return await arun(_extract_sound(video, library))


def add_sound(
    video: MediaFile,
    sounds: Sound | Sequence[Sound],
    *,
    mode: Mode = "mix",
    at: float = 0.0,
    volume: float = 1.0,
    ducking: float = 12.0,
    longer: Longer = "stand",
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip with sounds laid into it: a narration, music, the voices of a dub. Its pictures stay as they are.

    Example:
        ```python
        narrated = add_sound(film, narration)  # the film's own sound is quieter where it is heard
        with_music = add_sound(narrated, "music.mp3", mode="under", volume=0.5, longer="cut")
        dubbed = add_sound(film, [Placed(voice, at=segment.start) for voice, segment in zip(voices, segments)])
        ```

    Args:
        video: A clip that was generated or made here, or a path.
        sounds: One or several: sounds that were generated or made here, paths, or any of them ``Placed`` at its own time.
        mode: ``mix``: the clip's own sound is quieter where the added one is heard. ``under``: the added one is quieter
            where the clip's own is heard. ``replace``: the clip's own sound is left out.
        at: Seconds of the clip at which sounds begin that are not ``Placed``.
        volume: How loud these are: 1 as they are, 0.5 half of it.
        ducking: By how many decibels the other sound is quieter; 0 leaves it as it is.
        longer: What becomes of a sound that is longer than the clip: the last picture may ``stand`` until its end, or it is
            ``cut`` off. Either is said in ``changes``.
        library: Where to keep the film; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: What should be a clip or sound is none, or a number or word is none of those above.
        ConfigurationError: PyAV is not installed.
        MediaError: One of the files cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_add_sound(video, sounds, mode, at, volume, ducking, longer, library))


async def aadd_sound(
    video: MediaFile,
    sounds: Sound | Sequence[Sound],
    *,
    mode: Mode = "mix",
    at: float = 0.0,
    volume: float = 1.0,
    ducking: float = 12.0,
    longer: Longer = "stand",
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip with sounds laid into it: ``add_sound`` for async flows."""
    return await arun(_add_sound(video, sounds, mode, at, volume, ducking, longer, library))


def join_sounds(sounds: Sequence[MediaFile], *, pause: float = 0.0, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return several sounds behind each other as one, without clicks.

    WAVs of one form, and FLACs, are joined sample by sample as they are; others are brought to the best form among them and
    kept as FLAC. ``changes`` says so, and which edge had to fade, as it would have been a click.

    Example:
        ```python
        speech = join_sounds([generate_speech(request) for request in requests], pause=0.4)
        ```

    Args:
        sounds: Sounds that were generated or made here, or paths; at least one.
        pause: Seconds of silence between two of them.
        library: Where to keep the sound; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: There is none, something else among them, or no such pause.
        ConfigurationError: PyAV is not installed.
        MediaError: One of them cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_join_sounds(sounds, pause, library))


async def ajoin_sounds(
    sounds: Sequence[MediaFile], *, pause: float = 0.0, library: AnyLibrary | None = None
) -> DerivedMedia:
    """Return several sounds behind each other as one: ``join_sounds`` for async flows."""
    return await arun(_join_sounds(sounds, pause, library))


async def _extract_sound(video: MediaFile, library: AnyLibrary | None) -> DerivedMedia:
    clips = await sources("extract_sound", [video], ("video",))

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        return extract(files[0].path(), path)

    return await derive("extract_sound", clips, await storage_of(library), make)


async def _add_sound(
    video: MediaFile,
    sounds: Sound | Sequence[Sound],
    mode: Mode,
    at: float,
    volume: float,
    ducking: float,
    longer: Longer,
    library: AnyLibrary | None,
) -> DerivedMedia:
    given = several(sounds)
    placed = [sound if isinstance(sound, Placed) else Placed(sound, at, volume) for sound in given]
    (clip,) = await sources("add_sound", [video], ("video",))
    heard = await sources("add_sound", [sound.sound for sound in placed], ("audio",))
    for name, value, words in (("mode", mode, Mode), ("longer", longer, Longer)):
        if value not in get_args(words):
            raise InvalidRequest(f"add_sound: {name} is one of {', '.join(get_args(words))}, and was {value!r}.")
    quieter = number("add_sound", "ducking", ducking, _QUIETER)
    places = [
        (number("add_sound", "at", sound.at), number("add_sound", "volume", sound.volume, _LOUDEST)) for sound in placed
    ]

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        laid = [Laid(file.path(), *place) for file, place in zip(files[1:], places, strict=True)]
        return lay(files[0].path(), laid, path, mode, quieter, longer)

    asked = [f"mode={mode}", f"ducking={quieter!r}", f"longer={longer}"]
    asked += [f"at={begin!r} volume={loud!r}" for begin, loud in places]
    return await derive("add_sound", [clip, *heard], await storage_of(library), make, asked)


async def _join_sounds(sounds: Sequence[MediaFile], pause: float, library: AnyLibrary | None) -> DerivedMedia:
    heard = await sources("join_sounds", sounds, ("audio",))
    silent = number("join_sounds", "pause", pause)

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        return join_recordings([file.path() for file in files], path, silent)

    return await derive("join_sounds", heard, await storage_of(library), make, (f"pause={silent!r}",))
