"""Tracks of a clip that go into another film as they are: its sound, its subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from prefect_together.tasks._editing.clip_facts import ClipFacts
from prefect_together.tasks._editing.pictures import with_times
from prefect_together.tasks._editing.samples import aac_stream, encoded, exactly, samples_of
from prefect_together.tasks._editing.sound_form import film_form

_SOUNDS = frozenset({"aac", "mp3", "alac", "ac3", "eac3", "opus"})
"""Codecs of sound whose packets an MP4 takes, by FFmpeg's names."""
_SAME = Fraction(1, 1000)  # of a second, by which containers round times


def sound_track(av: Any, out: Any, clip: ClipFacts, *, end: Fraction | None = None) -> tuple[list[Iterator[Any]], list[str]]:
    """Return the packets of a clip's sound, as a list of no or one track, and what is not as it was.

    Args:
        av: PyAV.
        out: The film that they go into.
        clip: The clip.
        end: Seconds of the clip at which it ends; by default where it ends.
    """
    if clip.sound is None:
        return [], []
    if clip.sound.codec in _SOUNDS:
        return [_copied(av, out, clip, "audio", 0, end)], []
    form = film_form([clip.sound.form])
    if form is None:
        return [], []
    count = round((clip.sound.end if end is None else min(end, clip.sound.end)) * form.rate)
    samples = exactly(samples_of(av, clip.path, form, clip.start), count, form)
    return [encoded(av, aac_stream(out, form), samples, form)], [f"sound of {clip.sound.codec} encoded anew as AAC"]


def subtitle_tracks(av: Any, out: Any, clip: ClipFacts) -> list[Iterator[Any]]:
    """Return the packets of each track of subtitles that a clip has in the way of MP4."""
    with av.open(str(clip.path)) as source:
        tracks = [stream.codec_context.name for stream in source.streams.subtitles]
    return [_copied(av, out, clip, "subtitle", place, None) for place, codec in enumerate(tracks) if codec == "mov_text"]


def _copied(av: Any, out: Any, clip: ClipFacts, kind: str, place: int, end: Fraction | None) -> Iterator[Any]:
    def track(source: Any) -> Any:
        return (source.streams.audio if kind == "audio" else source.streams.subtitles)[place]

    def packets() -> Iterator[Any]:
        with av.open(str(clip.path)) as source:
            for packet in with_times(source.demux(track(source))):
                over = (packet.pts + (packet.duration or 0)) * packet.time_base - clip.start
                if end is not None and over > end + _SAME:
                    break
                shift = round(clip.start / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                yield packet

    with av.open(str(clip.path)) as source:
        stream = out.add_stream_from_template(track(source))
        if language := track(source).metadata.get("language"):
            stream.metadata["language"] = language
    return packets()
