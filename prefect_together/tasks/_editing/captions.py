"""Subtitles in all the forms in which they are given, as captions with their times."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from pydantic import TypeAdapter, ValidationError

from prefect_together.errors import InvalidRequest
from prefect_together.generations.input_files import open_named
from prefect_together.generations.result_reference import Citable, Citations, ResultReference, references
from prefect_together.generations.subtitle_files import read_subtitles
from prefect_together.generations.timed_text import Caption, Segment, Word, captions

_LARGEST = 16 * 1024 * 1024
_CITATIONS: TypeAdapter[Any] = TypeAdapter(Citations)


@runtime_checkable
class Spoken(Protocol):
    """What knows words and their times: a ``Transcript``."""

    @property
    def timed(self) -> Sequence[Word | Segment]:
        """The words or segments."""
        ...


Subtitles: TypeAlias = Spoken | Sequence[Word | Segment] | Path | str
"""A ``Transcript``, words or segments, or a file in SRT or WebVTT: its path or what is in it."""


class Given:
    """Subtitles as they were given.

    Args:
        function: What was called, for errors.
        said: Words or segments, which become captions as wide as they may be.
        shown: Captions that are as wide as they are.
    """

    def __init__(self, said: Sequence[Word | Segment] = (), shown: Sequence[Caption] = ()) -> None:
        self._said, self._shown = said, shown

    @property
    def sha256(self) -> str:
        """The hash of what is said and when, in hex."""
        lines = [one.model_dump_json() for one in (*self._said, *self._shown)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def captions(self, line_length: int | None = None) -> tuple[Caption, ...]:
        """Return them in the order of their times.

        Args:
            line_length: Characters of a line at most, of those that were given as words or segments.
        """
        made = captions(self._said, line_length=line_length) if line_length else captions(self._said)
        return tuple(sorted((*made, *self._shown), key=lambda one: one.start))


async def given(function: str, subtitles: Subtitles | object) -> Given:
    """Return subtitles as they were given.

    Raises:
        InvalidRequest: They are none.
    """
    if isinstance(subtitles, (str, Path)):
        return await asyncio.to_thread(_file, function, subtitles)
    said = subtitles.timed if isinstance(subtitles, Spoken) else subtitles
    if not isinstance(said, Iterable):
        raise InvalidRequest(
            f"{function} takes subtitles as a Transcript, as its segments or words, or as a file in SRT or WebVTT, and was "
            f"given {type(subtitles).__name__}."
        )
    several = list(cast("Iterable[object]", said))
    timed = [one for one in several if isinstance(one, (Word, Segment))]
    if len(timed) < len(several):
        raise InvalidRequest(f"{function}: subtitles are segments or words with their times, all of them.")
    if not timed:
        raise InvalidRequest(f"{function}: nothing is said, so there is nothing to show.")
    return Given(said=timed)


def words_from(function: str, subtitles: object, based_on: Citations) -> tuple[ResultReference, ...]:
    """Return the results that subtitles came from: those that are named, and what was given where it is one itself.

    Raises:
        InvalidRequest: What is named is no result.
    """
    try:
        named = references(_CITATIONS.validate_python(based_on))
    except ValidationError as error:
        raise InvalidRequest(
            f"{function}: based_on is a result, such as transcribe returns it, or a list of them."
        ) from error
    own = (cast("Citable", subtitles).cited(),) if hasattr(subtitles, "cited") else ()
    return tuple(dict.fromkeys((*own, *named)))


def _file(function: str, subtitles: str | Path) -> Given:
    if isinstance(subtitles, str) and "-->" in subtitles:
        segments = read_subtitles(subtitles, name="what was given")
    else:
        name = str(subtitles)
        try:
            with open_named(name) as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            raise InvalidRequest(f"{function}: there is no file {name!r}.") from None
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise InvalidRequest(f"{function}: the file {name!r} cannot be read: {said}.") from error
        if len(data) > _LARGEST:
            raise InvalidRequest(f"{function}: the file {name!r} is too large for subtitles.")
        segments = read_subtitles(data, name=name)
    return Given(
        shown=[
            Caption(start=one.start, end=one.end, lines=tuple(one.text.split("\n")), speaker=one.speaker) for one in segments
        ]
    )
