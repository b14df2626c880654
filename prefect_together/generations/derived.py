"""Files that were made on this machine from kept ones, for free: a clip's last frame, a film, a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prefect_together._internal.text import slug, words_of
from prefect_together.generations.formats import Shape
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import MediaReference

DERIVED = "derived"
"""Where a library has such files, and a note (JSON) of each."""

Operation = Literal["last_frame", "join", "contact_sheet", "join_vectors", "join_sounds"]
"""How a file was made of others."""

_NOUNS: dict[Operation, str] = {
    "last_frame": "frame",
    "join": "film",
    "contact_sheet": "sheet",
    "join_vectors": "set of vectors",
    "join_sounds": "recording",
}
_NAMED = 3
"""Files that it was made from that its title names at most."""


@dataclass(frozen=True)
class Spliced:
    """How files were put together."""

    reencoded: bool = False
    changes: tuple[str, ...] = ()


class DerivedMedia(KeptFile):
    """A file that was made on this machine from kept ones: a clip's last frame, a film, a contact sheet. It cost nothing."""

    operation: Operation
    """How it was made."""
    sources: tuple[MediaReference, ...]
    """What it was made from, in order."""
    seconds: float | None = None
    """Length in seconds, of a film or sound."""
    fps: float | None = None
    """Frames per second, of a film."""
    sample_rate: int | None = None
    """Samples per second, of a sound."""
    channels: int | None = None
    """Channels, of a sound."""
    reencoded: bool = False
    """Whether pictures had to be encoded anew, because the clips differ in size, rate or codec."""
    changes: tuple[str, ...] = ()
    """What is not in a film as it is in its clips, such as ``clip 2: silence, as it has no sound``."""

    def __str__(self) -> str:
        return f"{self.uri} ({self.media_type}, {self.title()}, {self.size} bytes)"

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return _NOUNS[self.operation]

    @property
    def maker(self) -> str:
        """What made it, for people: how, and of how many."""
        if self.operation == "last_frame":
            return "last frame of a clip"
        if self.operation == "join":
            return f"film of {len(self.sources)} clip{'s' if len(self.sources) > 1 else ''}"
        if self.operation == "join_vectors":
            return f"vectors of {len(self.sources)} files"
        if self.operation == "join_sounds":
            return f"recording of {len(self.sources)}"
        return f"contact sheet of {len(self.sources)}"

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
        names = list(dict.fromkeys(words_of(source.uri) for source in self.sources))
        named = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        return f"{self.maker}: {named} · {self.sha256[:4]}"

    def made_from(self) -> tuple[MediaReference, ...]:
        """Return the kept files that it was made from, in the order in which they were given."""
        return self.sources
