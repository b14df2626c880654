"""Subtitle files, SubRip and WebVTT, read as segments. No I/O."""

from __future__ import annotations

import codecs
import re
from html import unescape

from prefect_together.errors import InvalidRequest
from prefect_together.generations.timed_text import Segment

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
_LIKE_TIMES = re.compile(r"^\s*[-+]?\d+:[\d:.,]*\s*-->")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_subtitles(data: bytes | str, *, name: str = "the file") -> tuple[Segment, ...]:
    """Return what a SubRip or WebVTT file shows, in the order of its times; line breaks stay, and styles do not.

    Args:
        data: The file: UTF-8, or UTF-16 where it says so.
        name: What it is called in errors.

    Raises:
        InvalidRequest: It is in another encoding, shows nothing, or has times that cannot be read.
    """
    text = data if isinstance(data, str) else _decoded(data, name)
    is_vtt = text.lstrip("\ufeff").startswith("WEBVTT")
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[tuple[float, float, list[str]]] = []
    shown: list[str] | None = None
    for line in lines:
        if times := _TIMES.match(line):
            if shown and not is_vtt and shown[-1].strip().isdigit():
                shown.pop()  # the number of this cue, where no empty line is before it
            shown = []
            found.append((_seconds(times.groups()[:4]), _seconds(times.groups()[4:]), shown))
        elif _LIKE_TIMES.match(line):
            raise InvalidRequest(
                f"{name} has times that cannot be read, {line.strip()!r}: write 00:00:01,000 --> 00:00:02,500."
            )
        elif is_vtt and not line.strip():
            shown = None
        elif shown is not None:
            shown.append(line)  # in SubRip up to the next times: people leave empty lines in what is said
    cues = [
        (start, end, *_said("\n".join(said), is_vtt=is_vtt)) for start, end, said in sorted(found, key=lambda cue: cue[:2])
    ]
    cues = [cue for cue in cues if cue[2]]
    if not cues:
        raise InvalidRequest(
            f"{name} shows no subtitle: give an SRT or WebVTT file, with times such as 00:00:01,000 --> 00:00:02,500."
        )
    if wrong := next((cue for cue in cues if cue[1] < cue[0]), None):
        raise InvalidRequest(f"{name} shows a subtitle that ends before it begins, at {wrong[0]:g} s: correct its times.")
    return tuple(
        Segment(id=place, start=start, end=end, text=said, speaker=speaker)
        for place, (start, end, said, speaker) in enumerate(cues)
    )


def _decoded(data: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not in UTF-8: save it in that encoding.") from None


def _seconds(found: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, parts = (part or "0" for part in found)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(parts.ljust(3, "0")) / 1000


def _said(text: str, *, is_vtt: bool) -> tuple[str, str | None]:
    """Return what a cue shows, and who says it."""
    voice = _VOICE.search(text) if is_vtt else None
    plain = _TAG.sub("", text)
    said = "\n".join(filter(None, map(str.strip, (unescape(plain) if is_vtt else plain).split("\n"))))
    return said, unescape(voice[1]).strip() or None if voice else None
