"""What comes back of a recording: its words, with times and speakers; as subtitles too. Writes files only when asked to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.generations.description import Description, Line
from prefect_together.generations.results import GeneratedValue
from prefect_together.generations.spoken import RecordingRequest, clock
from prefect_together.generations.timed_text import LINE_LENGTH, Segment, Word, spoken_lines, to_srt, to_vtt

SubtitleFormat = Literal["srt", "vtt"]
"""How subtitles are written: SubRip, or WebVTT, which has speakers."""


class Transcript(GeneratedValue):
    """The words of a recording, with their times in seconds from its start.

    ``cost`` is the length that Together heard at the list price of a minute; None where it did not say how long that was.
    """

    request: RecordingRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    content: str
    """All that is said."""
    language: str | None = None
    """The language that was heard, as Together calls it."""
    seconds: float | None = None
    """How long it was listened to; None where Together does not say."""
    segments: tuple[Segment, ...] = ()
    """What is said, by sentences or so, each with who says most of it; empty where nobody asked."""
    words: tuple[Word, ...] = ()
    """The same by words; empty where nobody asked."""
    speaker_segments: tuple[Segment, ...] = ()
    """The same by who speaks, where ``diarize`` asked for it."""
    changes: tuple[str, ...] = ()
    """What is not as it would be of a shorter recording, such as speakers who are told apart for each piece."""

    @property
    def text(self) -> str:
        """All that is said."""
        return self.content

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, such as ``SPEAKER_00``, in the order in which they begin."""
        told = sorted((*self.speaker_segments, *self.words), key=lambda one: one.start)
        return tuple(dict.fromkeys(one.speaker for one in told if one.speaker))

    @property
    def timed(self) -> Sequence[Word | Segment]:
        """The finest that is known of when it is said: words, else segments, else all of it as one."""
        if found := self.words or self.speaker_segments or self.segments:
            return found
        if not self.content.strip() or self.seconds is None:
            return ()
        start = self.request.start or 0.0
        return (Segment(id=0, start=start, end=start + self.seconds, text=self.content),)

    def to_srt(self, *, line_length: int = LINE_LENGTH) -> str:
        """Return it as SubRip subtitles: at most two lines each, as long as it takes to read them. They name no speakers.

        Args:
            line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.
        """
        return to_srt(self.timed, line_length=line_length)

    def to_vtt(self, *, line_length: int = LINE_LENGTH) -> str:
        """Return it as WebVTT, with its speakers; otherwise as ``to_srt``.

        Args:
            line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.
        """
        return to_vtt(self.timed, line_length=line_length)

    def write_subtitles(
        self, where: str | Path, *, formats: Sequence[SubtitleFormat] = ("srt", "vtt"), line_length: int = LINE_LENGTH
    ) -> tuple[Path, ...]:
        """Write it as subtitles and return the files.

        Args:
            where: A file that ends in ``.srt`` or ``.vtt``, or a folder, in which they are called as the recording is.
            formats: Which are written into a folder.
            line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.

        Raises:
            InvalidRequest: It ends in something else, or a format or the length of a line is none.
            LibraryError: Nothing can be written there.
        """
        path = Path(where).expanduser()
        known = {"srt": self.to_srt, "vtt": self.to_vtt}
        ending = path.suffix.lower().removeprefix(".")
        if ending and ending not in known and not path.is_dir():
            what = f"write_subtitles writes .srt and .vtt, and {path.name} is neither"
            raise InvalidRequest(f"{what}: give such a file or a folder.")
        if other := [one for one in formats if one not in known]:
            raise InvalidRequest(f"formats: write_subtitles writes srt and vtt, and no {other[0]!r}.")
        files = {path: ending} if ending in known else {path / f"{self.name}.{one}": one for one in formats}
        texts = {file: known[form](line_length=line_length) for file, form in files.items()}
        try:
            for file, text in texts.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            what = f"Subtitles cannot be written to {where}: {error.strerror or error}"
            raise LibraryError(f"{what}.", paid="yes", advice="Give another place; the transcript is kept.") from error
        return tuple(files)

    def description(self) -> Description:
        """Return what it says."""
        length = [] if self.seconds is None else [clock(self.seconds)]
        counts = {"segments": len(self.segments), "words": len(self.words), "speakers": len(self.speakers)}
        counted = [f"{count:,} {name if count > 1 else name[:-1]}" for name, count in counts.items() if count]
        facts = {"Language": self.language or "", "Speakers": ", ".join(self.speakers), "Changes": "; ".join(self.changes)}
        said = self.speaker_segments or self.segments
        lines = [Line(one.start, one.end, one.text.strip(), one.speaker) for one in said] or spoken_lines(self.words)
        return Description(
            lines=tuple(lines),
            texts=(self.content,) if self.content.strip() else (),
            brief=", ".join(length + counted),
            facts={name: value for name, value in facts.items() if value},
        )
