"""Files made of kept ones on this machine: a clip's last frame, a film, a contact sheet. Sends and pays nothing.

Needs PyAV and Pillow (the extra ``media``). What is made is kept in the library beside a note of what it was made from; made
once, it is found again by that note, so that a run that is resumed gets the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.engine.derivation import Derivation, Make
from prefect_together.errors import ConfigurationError, InvalidRequest, TogetherError
from prefect_together.generations.derived import DerivedMedia, Operation, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.summary import where
from prefect_together.storage.storage import Storage
from prefect_together.tasks._context import run_logger
from prefect_together.tasks._video_editing import Fit, join, last_picture
from prefect_together.ui.artifacts import show
from prefect_together.ui.contact_sheet import LARGE, draw_contact_sheet


def last_frame(video: KeptFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
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


async def alast_frame(video: KeptFile, *, library: AnyLibrary | None = None) -> DerivedMedia:
    """Return the last picture of a clip: ``last_frame`` for async flows."""
    return await arun(_last_frame(video, library))


def join_videos(videos: Sequence[KeptFile], *, fit: Fit = "bars", library: AnyLibrary | None = None) -> DerivedMedia:
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


async def ajoin_videos(videos: Sequence[KeptFile], *, fit: Fit = "bars", library: AnyLibrary | None = None) -> DerivedMedia:
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


async def _last_frame(video: KeptFile, library: AnyLibrary | None) -> DerivedMedia:
    _clips([video], "last_frame")

    def make(clips: Sequence[KeptFile], path: Path) -> Spliced:
        last_picture(clips[0].path(), path)
        return Spliced()

    return await derive("last_frame", [video], await storage_of(library), make, "image/png")


async def _join_videos(videos: Sequence[KeptFile], fit: Fit, library: AnyLibrary | None) -> DerivedMedia:
    clips = list(videos)
    _clips(clips, "join_videos")
    if fit not in get_args(Fit):
        raise InvalidRequest(f"join_videos fits pictures by 'bars' or by 'crop', not by {fit!r}.")
    storage = await storage_of(library)
    asked = () if fit == "bars" else (f"fit={fit}",)

    def make(clips: Sequence[KeptFile], path: Path) -> Spliced:
        return join([clip.path() for clip in clips], path, fit)

    return await derive("join", clips, storage, make, "video/mp4", asked)


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

    return await derive("contact_sheet", files, await storage_of(library), make, "image/webp")


def _clips(videos: Sequence[KeptFile | object], function: str) -> None:
    if not videos:
        raise InvalidRequest(f"{function} takes clips, and was given none.")
    for video in videos:
        if not isinstance(video, KeptFile) or not video.is_moving:
            shown = video.media_type if isinstance(video, KeptFile) else type(video).__name__
            raise InvalidRequest(f"{function} takes clips that were generated, and was given {shown}.")


async def derive(
    operation: Operation,
    sources: Sequence[KeptFile],
    storage: Storage,
    make: Make,
    media_type: str,
    asked: Sequence[str] = (),
) -> DerivedMedia:
    """Return a file that is made of kept ones, or that was made of them before; what is made is shown.

    Args:
        operation: How it is made.
        sources: What it is made of, in order.
        storage: The library.
        make: Writes it to a path.
        media_type: What it is.
        asked: What else makes it what it is.
    """
    work, log = Derivation(operation, sources, make, media_type, asked), run_logger()
    if known := await work.known(storage):
        log.info("Made before: the %s, %s", known.maker, where(known.uri))
        return known
    media = await work.made(storage, log)
    await show([media])
    return media
