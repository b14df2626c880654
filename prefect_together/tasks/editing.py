"""Files made of others on this machine: frames, films, parts of them, contact sheets. Sends and pays nothing.

Needs PyAV and Pillow (the extra ``media``). What is made is kept in the library beside a note of what it was made from; made
once, it is found again by that note, so that a run that is resumed gets the same file.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.errors import ConfigurationError, InvalidRequest, TogetherError
from prefect_together.generations.derived import DerivedMedia, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.tasks._editing.checks import number, whole_number
from prefect_together.tasks._editing.deriving import derive, derive_each
from prefect_together.tasks._editing.joining import Fit, join
from prefect_together.tasks._editing.sources import MediaFile, sources
from prefect_together.tasks._editing.stills import last_picture, length_of, pictures_at
from prefect_together.tasks._editing.trimming import trim_clip, trim_sound
from prefect_together.ui.contact_sheet import LARGE, draw_contact_sheet


def last_frame(video: MediaFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return the last picture of a clip, kept as a PNG: the keyframe on which the next clip begins.

    Example:
        ```python
        from prefect import flow
        from prefect_together import Keyframe, VideoRequest, generate_video, last_frame

        @flow
        def two_shots(still: str):
            model = "minimax/hailuo-02"
            one = generate_video(VideoRequest(prompt="she walks in", model=model, frame_images=[still], seconds=6, seed=1))
            start = Keyframe(input_image=last_frame(one), frame="first")
            return generate_video(VideoRequest(prompt="she sits down", model=model, frame_images=[start], seconds=6, seed=1))
        ```

    Args:
        video: A clip.
        library: Where to keep the picture; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip.
        ConfigurationError: PyAV is not installed.
        LibraryError: The library could not be read or written.
    """
    return run(_last_frame(video, library))


async def alast_frame(video: MediaFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return the last picture of a clip: ``last_frame`` for async flows."""
    return await arun(_last_frame(video, library))


def join_videos(videos: Sequence[MediaFile], *, fit: Fit = "bars", library: AnyLibrary | None = None) -> DerivedMedia:
    """Return one film of several clips, in order, at the first one's size. Equal pictures are joined as they are.

    Pictures that differ in size, shape, rate or codec are encoded anew, the right way up and each at its own time;
    ``reencoded`` says so. Sound is kept, brought to one form, with silence under clips that have none. What is not as it is
    in the clips is in ``changes``.

    Args:
        videos: The clips, at least one.
        fit: How pictures of another shape are shown: whole between ``bars``, or filling the frame (``crop``).
        library: Where to keep the film; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: There is none, something else among them, or no such ``fit``.
        ConfigurationError: PyAV is not installed.
        LibraryError: The library could not be read or written.
    """
    return run(_join_videos(videos, fit, library))


async def ajoin_videos(videos: Sequence[MediaFile], *, fit: Fit = "bars", library: AnyLibrary | None = None) -> DerivedMedia:
    """Return one film of several clips, in order: ``join_videos`` for async flows."""
    return await arun(_join_videos(videos, fit, library))


def contact_sheet(media: Sequence[KeptFile], *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return one picture (WebP) that shows several files side by side, in order: of clips and films the first frame.

    Args:
        media: Pictures, clips and films, at least one; the first 48 are shown.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: There is none, or one that cannot be drawn.
        ConfigurationError: Pillow is not installed, or for clips PyAV.
        MediaError: One of them is not in the library any more.
        LibraryError: The library could not be read or written.
    """
    return run(_contact_sheet(media, library))


async def acontact_sheet(media: Sequence[KeptFile], *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return one picture of several files: ``contact_sheet`` for async flows."""
    return await arun(_contact_sheet(media, library))


def trim(
    file: MediaFile, start: float = 0.0, end: float | None = None, *, library: AnyLibrary | None = None
) -> DerivedMedia:
    """Return a part of a clip or sound.

    Sounds are cut to the sample: WAV and FLAC stay as they are, others become FLAC. Clips are cut to the picture: their
    pictures are copied where the part begins at a key frame, else encoded anew; ``reencoded`` and ``changes`` say so.

    Example:
        ```python
        opening = trim(film, end=10)
        answer = trim("interview.wav", 61.5, 74)
        ```

    Args:
        file: What was generated or made here, or a path.
        start: Seconds at which the part begins.
        end: Seconds at which it ends; by default where the file ends.
        library: Where to keep it; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip and no sound, or is over before the part begins; or the part ends before it begins.
        ConfigurationError: PyAV is not installed.
        MediaError: The file cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_trim(file, start, end, library))


async def atrim(
    file: MediaFile, start: float = 0.0, end: float | None = None, *, library: AnyLibrary | None = None
) -> DerivedMedia:
    """Return a part of a clip or sound: ``trim`` for async flows."""
    return await arun(_trim(file, start, end, library))


def frames(
    video: MediaFile,
    *,
    count: int | None = None,
    every: float | None = None,
    at: float | Sequence[float] | None = None,
    library: AnyLibrary | None = None,
) -> list[DerivedMedia]:
    """Return pictures of a clip, each kept as a PNG, the way up in which it is shown. ``at`` of each says when.

    Example:
        ```python
        questions = [ChatRequest(prompt="What is seen?", model=model, images=[still]) for still in frames(film, every=5)]
        ```

    Args:
        video: A clip that was generated or made here, or a path.
        count: So many, evenly from its beginning to its end.
        every: One each so many seconds, the first one at the beginning.
        at: The ones that are shown at these seconds.
        library: Where to keep them; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip, or is over before one of the times; or not one of ``count``, ``every`` and ``at``.
        ConfigurationError: PyAV or Pillow is not installed.
        MediaError: The clip cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_frames(video, count, every, at, library))


async def aframes(
    video: MediaFile,
    *,
    count: int | None = None,
    every: float | None = None,
    at: float | Sequence[float] | None = None,
    library: AnyLibrary | None = None,
) -> list[DerivedMedia]:
    """Return pictures of a clip: ``frames`` for async flows."""
    return await arun(_frames(video, count, every, at, library))


async def _last_frame(video: MediaFile, library: AnyLibrary | None) -> DerivedMedia:
    (clip,) = await sources("last_frame", [video], ("video",))

    def make(clips: Sequence[KeptFile], path: Path) -> Spliced:
        last_picture(clips[0].path(), path)
        return Spliced()

    return await derive("last_frame", [clip], await storage_of(library), make)


async def _join_videos(videos: Sequence[MediaFile], fit: Fit, library: AnyLibrary | None) -> DerivedMedia:
    clips = await sources("join_videos", videos, ("video",))
    if fit not in get_args(Fit):
        raise InvalidRequest(f"join_videos fits pictures by 'bars' or by 'crop', not by {fit!r}.")
    storage = await storage_of(library)
    asked = () if fit == "bars" else (f"fit={fit}",)

    def make(clips: Sequence[KeptFile], path: Path) -> Spliced:
        return join([clip.path() for clip in clips], path, fit)

    return await derive("join", clips, storage, make, asked)


async def _contact_sheet(media: Sequence[KeptFile], library: AnyLibrary | None) -> DerivedMedia:
    files = [file for file in media if isinstance(file, KeptFile)]  # pyright: ignore[reportUnnecessaryIsInstance] - anything comes
    if not files or len(files) < len(media):
        raise InvalidRequest("contact_sheet takes pictures and clips that were generated, at least one.")

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        try:
            sheet = draw_contact_sheet(files, LARGE, all_of_them=True)  # it is kept, and found again as it is
        except ImportError:
            install = 'pip install "prefect-together[media]"'
            raise ConfigurationError(f"A contact sheet needs Pillow, and PyAV for clips: {install}.") from None
        except TogetherError:
            raise
        except Exception as error:  # decoders raise what they like
            raise InvalidRequest(f"One of these files cannot be drawn on a contact sheet: {error}.") from error
        path.write_bytes(sheet)
        return Spliced()

    return await derive("contact_sheet", files, await storage_of(library), make)


async def _trim(file: MediaFile, start: float, end: float | None, library: AnyLibrary | None) -> DerivedMedia:
    (whole,) = await sources("trim", [file], ("video", "audio"))
    begin = number("trim", "start", start)
    last = None if end is None else number("trim", "end", end)
    if last is not None and last <= begin:
        raise InvalidRequest(f"trim ends at {last:g} s, before it begins at {begin:g} s: give an end behind its start.")

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        part = trim_clip if files[0].is_moving else trim_sound
        return part(files[0].path(), path, begin, last)

    return await derive("trim", [whole], await storage_of(library), make, (f"start={begin!r}", f"end={last!r}"))


async def _frames(
    video: MediaFile,
    count: int | None,
    every: float | None,
    at: float | Sequence[float] | None,
    library: AnyLibrary | None,
) -> list[DerivedMedia]:
    (clip,) = await sources("frames", [video], ("video",))
    if sum(given is not None for given in (count, every, at)) != 1:
        raise InvalidRequest("frames takes one of count, every and at: how many, how often, or when.")
    times = await _times(clip, count, every, at)

    def make(file: KeptFile, folder: Path, places: Sequence[int]) -> Iterator[tuple[Path, Spliced]]:
        wanted = [times[place] for place in places]
        for path, time in zip(pictures_at(file.path(), wanted, folder), wanted, strict=True):
            yield path, Spliced(at=time)

    return await derive_each("frame", clip, await storage_of(library), make, [(f"at={time!r}",) for time in times])


async def _times(clip: KeptFile, count: int | None, every: float | None, at: float | Sequence[float] | None) -> list[float]:
    """Return at which seconds of a clip the wanted pictures are shown."""
    if at is not None:
        given = at if isinstance(at, Sequence) else [at]
        return [round(number("frames", "at", time), 6) for time in given]
    length = await asyncio.to_thread(lambda: length_of(clip.path()))
    if every is not None:
        step = number("frames", "every", every)
        if not step:
            raise InvalidRequest("frames takes one each so many seconds, and every=0 is none.")
        return [round(place * step, 6) for place in range(max(1, math.ceil(length / step - 1e-6)))]
    wanted = whole_number("frames", "count", count)
    return [round((place + 0.5) * length / wanted, 6) for place in range(wanted)]
