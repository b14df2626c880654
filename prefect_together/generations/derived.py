"""Files that were made on this machine from others, for free: a clip's last frame, a film, its sound, a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prefect_together._internal.text import counted, slug, words_of
from prefect_together.generations.formats import NOUNS, Shape
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import MediaReference
from prefect_together.generations.result_reference import ResultReference

DERIVED = "derived"
"""Where a library has such files, and a note (JSON) of each."""

Operation = Literal[
    "last_frame",
    "frame",
    "join",
    "contact_sheet",
    "join_vectors",
    "extract_sound",
    "add_sound",
    "join_sounds",
    "trim",
    "burn_subtitles",
    "add_subtitles",
]
"""How a file was made of others."""

_NOUNS: dict[Operation, str] = {
    "last_frame": "frame",
    "join": "film",
    "contact_sheet": "sheet",
    "join_vectors": "set of vectors",
    "join_sounds": "recording",
    "add_sound": "film",
    "burn_subtitles": "film",
    "add_subtitles": "film",
}
"""What a person calls what is made, where it is no picture, clip or sound like others."""
_LANGUAGE = "language="
"""What stands before the language of a track in what was asked."""
_NAMED = 3
"""Files that it was made from that its title names at most."""


@dataclass(frozen=True)
class Spliced:
    """How a file was made of others."""

    reencoded: bool = False
    changes: tuple[str, ...] = ()
    at: float | None = None


class DerivedMedia(KeptFile):
    """A file that was made on this machine from others: a last frame, a film, its sound, a sheet. It cost nothing."""

    operation: Operation
    """How it was made."""
    sources: tuple[MediaReference, ...]
    """What it was made from, in order."""
    asked: tuple[str, ...] = ()
    """What else makes it what it is, such as ``end=2.5``."""
    seconds: float | None = None
    """Length in seconds, of a film or sound."""
    fps: float | None = None
    """Frames per second, of a film."""
    sample_rate: int | None = None
    """Samples per second, of a sound."""
    channels: int | None = None
    """Channels, of a sound."""
    at: float | None = None
    """Seconds of the clip at which a frame is shown."""
    reencoded: bool = False
    """Whether pictures had to be encoded anew, or those of a sound's samples that were not kept as they were."""
    named: tuple[str, ...] = ()
    """What a person calls the files at the beginning of it, which those that it was made from may have been made from."""
    based_on: tuple[ResultReference, ...] = ()
    """The results that its subtitles came from, such as a transcript."""
    changes: tuple[str, ...] = ()
    """What is not as it is in the files that it was made from, such as ``clip 2: silence, as it has no sound``."""

    def __str__(self) -> str:
        return f"{self.uri} ({self.media_type}, {self.title()}, {self.size} bytes)"

    @property
    def noun(self) -> str:
        """What a person calls it."""
        families = {family: noun for family, noun in NOUNS.items() if self.media_type.startswith(family)}
        return _NOUNS.get(self.operation) or next(iter(families.values()), self.media_type)

    @property
    def maker(self) -> str:
        """What made it, for people: how, and of how many."""
        count = len(self.sources)
        return {
            "last_frame": "last frame of a clip",
            "frame": f"frame of a clip at {self.at or 0:g} s",
            "join": f"film of {counted(count, 'clip')}",
            "join_vectors": f"vectors of {count} files",
            "contact_sheet": f"contact sheet of {count}",
            "extract_sound": "sound of a clip",
            "add_sound": f"film with {counted(count - 1, 'sound')} added",
            "join_sounds": f"recording of {count}",
            "trim": f"part of a {self.noun}",
            "burn_subtitles": "film with subtitles burnt in",
            "add_subtitles": "film with a track of subtitles" + self._language(),
        }[self.operation]

    @property
    def name(self) -> str:
        """What tells it from other files, as the name of a file."""
        return f"{slug(self.maker)}-{self.sha256[:6]}"

    @property
    def shape(self) -> Shape:
        """What it measures."""
        return Shape(self.width, self.height, self.seconds, self.fps, self.sample_rate, self.channels)

    def title(self) -> str:
        """Return what a person would call it: what it was made from, and what tells it from others of the same prompts."""
        return f"{self.maker}: {self.origin()} · {self.sha256[:4]}"

    def origin(self) -> str:
        """Return in words what it was made from, the first few of them."""
        names = self.names()
        return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

    def names(self) -> tuple[str, ...]:
        """Return what those are called that it was made from: files that were made here have no words of their own."""
        return self.named or tuple(dict.fromkeys(words_of(source.uri) for source in self.sources))

    def made_from(self) -> tuple[MediaReference, ...]:
        """Return the kept files that it was made from, in the order in which they were given."""
        return self.sources

    def words_from(self) -> tuple[ResultReference, ...]:
        """Return the results that its subtitles came from."""
        return self.based_on

    def _language(self) -> str:
        said = next((words.removeprefix(_LANGUAGE) for words in self.asked if words.startswith(_LANGUAGE)), "und")
        return "" if said == "und" else f" ({said})"
