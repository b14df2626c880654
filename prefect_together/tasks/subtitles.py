"""Subtitles in clips: drawn into the pictures, or as a track that players show. Sends and pays nothing.

Needs PyAV, and Pillow to draw (the extra ``media``). What is made is kept in the library beside a note of what it was made
from; made once, it is found again by that note, so that a run that is resumed gets the same file.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from prefect_together._internal.event_loop import arun, run
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import DerivedMedia, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.result_reference import Citations
from prefect_together.tasks._editing.burning import burn
from prefect_together.tasks._editing.caption_drawing import Style
from prefect_together.tasks._editing.captions import Subtitles, given, words_from
from prefect_together.tasks._editing.deriving import derive
from prefect_together.tasks._editing.fonts import FontFile, font_file
from prefect_together.tasks._editing.sources import MediaFile, sources
from prefect_together.tasks._editing.subtitle_track import add_track, language_code


def burn_subtitles(
    video: MediaFile,
    subtitles: Subtitles,
    *,
    style: Style = "outline",
    font: Path | str | None = None,
    based_on: Citations = None,
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip whose pictures show subtitles, in letters of a size that follows the film. Its sound stays as it is.

    The letters are of the first font on this machine that has all of them: Noto, DejaVu, Arial, …; where there is none, of
    Pillow's own, which is Latin. What no font has is an error, not a box in the film. Words and segments become captions of
    lines that people can read; files are shown with the lines that they have.

    Example:
        ```python
        subtitled = burn_subtitles(film, transcribe(TranscriptionRequest(file=film, model=model)))
        subtitled = burn_subtitles(film, "film.de.srt", style="box")
        ```

    Args:
        video: A clip that was generated or made here, or a path.
        subtitles: A ``Transcript``, words or segments, or SRT or WebVTT: a path, or what is in it.
        style: Letters with an ``outline``, or on a dark ``box``.
        font: The path of a font (TTF, OTF) that is asked first.
        based_on: The results that the words came from, such as answers that translated them; no part of what it is. A
            ``Transcript`` that is given is named by itself.
        library: Where to keep the film; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip, there are no subtitles, or the style, font or ``based_on`` is none.
        ConfigurationError: No font has a character, or PyAV or Pillow is not installed.
        MediaError: The clip cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_burn_subtitles(video, subtitles, style, font, based_on, library))


async def aburn_subtitles(
    video: MediaFile,
    subtitles: Subtitles,
    *,
    style: Style = "outline",
    font: Path | str | None = None,
    based_on: Citations = None,
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip whose pictures show subtitles: ``burn_subtitles`` for async flows."""
    return await arun(_burn_subtitles(video, subtitles, style, font, based_on, library))


def add_subtitles(
    video: MediaFile,
    subtitles: Subtitles,
    *,
    language: str | None = None,
    based_on: Citations = None,
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip with a track of subtitles, which players show or not. Its pictures and sound stay as they are.

    A clip that has tracks of subtitles keeps them, so that several languages are several calls.

    Example:
        ```python
        film = add_subtitles(add_subtitles(film, english, language="en"), german, language="de")
        ```

    Args:
        video: A clip that was generated or made here, or a path.
        subtitles: A ``Transcript``, words or segments, or SRT or WebVTT: a path, or what is in it.
        language: Its code, such as ``en``, by which players name the track.
        based_on: The results that the words came from, such as answers that translated them; no part of what it is. A
            ``Transcript`` that is given is named by itself.
        library: Where to keep the film; by default ``PREFECT_INTEGRATIONS_TOGETHER_LIBRARY``.

    Raises:
        InvalidRequest: It is no clip, there are no subtitles, the language is no code, or ``based_on`` no result.
        ConfigurationError: PyAV is not installed.
        MediaError: The clip cannot be read.
        LibraryError: The library could not be read or written.
    """
    return run(_add_subtitles(video, subtitles, language, based_on, library))


async def aadd_subtitles(
    video: MediaFile,
    subtitles: Subtitles,
    *,
    language: str | None = None,
    based_on: Citations = None,
    library: AnyLibrary | None = None,
) -> DerivedMedia:
    """Return a clip with a track of subtitles: ``add_subtitles`` for async flows."""
    return await arun(_add_subtitles(video, subtitles, language, based_on, library))


async def _burn_subtitles(
    video: MediaFile,
    subtitles: Subtitles,
    style: Style,
    font: Path | str | None,
    based_on: Citations,
    library: AnyLibrary | None,
) -> DerivedMedia:
    clips = await sources("burn_subtitles", [video], ("video",))
    shown, words = await given("burn_subtitles", subtitles), words_from("burn_subtitles", subtitles, based_on)
    if style not in get_args(Style):
        raise InvalidRequest(f"burn_subtitles: style is one of {', '.join(get_args(Style))}, and was {style!r}.")
    own, named = (None, "") if font is None else await asyncio.to_thread(_font, font)

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        return burn(files[0].path(), shown, path, style, own)

    asked = (f"subtitles={shown.sha256}", f"style={style}", *((f"font={named}",) if own else ()))
    return await derive("burn_subtitles", clips, await storage_of(library), make, asked, words)


def _font(font: Path | str) -> tuple[FontFile, str]:
    """Return a font of one's own, and the hash of its file."""
    path = Path(font).expanduser()
    try:
        return font_file(path), hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidRequest(f"burn_subtitles: the font {str(font)!r} cannot be read: {error.strerror}.") from error
    except Exception as error:  # whatever is read out of a file that is no font
        raise InvalidRequest(f"burn_subtitles: {str(font)!r} is no font whose letters can be drawn: {error}.") from error


async def _add_subtitles(
    video: MediaFile, subtitles: Subtitles, language: str | None, based_on: Citations, library: AnyLibrary | None
) -> DerivedMedia:
    clips = await sources("add_subtitles", [video], ("video",))
    shown, words = await given("add_subtitles", subtitles), words_from("add_subtitles", subtitles, based_on)
    code = language_code(language)

    def make(files: Sequence[KeptFile], path: Path) -> Spliced:
        return add_track(files[0].path(), shown, path, code)

    asked = (f"subtitles={shown.sha256}", f"language={code}")
    return await derive("add_subtitles", clips, await storage_of(library), make, asked, words)
