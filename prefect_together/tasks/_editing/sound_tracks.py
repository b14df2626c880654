"""The sound track of a clip as a file of its own: its packets as they are, where a container of sounds takes them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import Spliced
from prefect_together.tasks._editing.clip_facts import ClipFacts, facts_of
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.samples import samples_of, write_sound
from prefect_together.tasks._editing.sound_form import Written

_CONTAINERS = {
    "aac": "ipod", "alac": "ipod", "mp3": "mp3", "mp3float": "mp3", "opus": "ogg", "libopus": "ogg", "vorbis": "ogg",
    "flac": "flac", "pcm_s16le": "wav", "pcm_s24le": "wav", "pcm_f32le": "wav",
}  # fmt: skip
"""Which format of files takes the packets of which codec, by FFmpeg's names; ``ipod`` writes M4A."""
_APART = Fraction(1, 20)  # seconds between the first picture and the first sound that nobody hears


def extract(clip: Path, target: Path) -> Spliced:
    """Write the sound of a clip; where it begins later than the pictures, or before, it is brought to their time.

    Raises:
        ConfigurationError: PyAV is not installed.
        InvalidRequest: The clip has no sound.
        MediaError: It cannot be read.
    """
    av = pyav()
    with refused(f"The sound of {clip.name} cannot be read"):
        facts = facts_of(av, clip)
        if facts.sound is None:
            raise InvalidRequest(f"extract_sound: {clip.name} has no sound track.")
        changes = _others(av, clip)
        apart = abs(facts.sound.start) > _APART
        if facts.sound.codec in _CONTAINERS and not apart:
            _copy(av, clip, target, _CONTAINERS[facts.sound.codec])
            return Spliced(changes=changes)
        why = _late(facts.sound.start) if apart else f"{facts.sound.codec} decoded, and kept without further loss as FLAC"
        _decode(av, facts, target)
    return Spliced(changes=(why, *changes))


def _others(av: Any, clip: Path) -> tuple[str, ...]:
    with av.open(str(clip)) as source:
        count = len(source.streams.audio)
    return (f"the first of {count} sound tracks",) if count > 1 else ()


def _late(start: Fraction) -> str:
    if start > 0:
        return f"{float(start):.2f} s of silence in front, as it begins so much after the pictures"
    return f"its first {float(-start):.2f} s left out, as they are before the pictures"


def _copy(av: Any, clip: Path, target: Path, container: str) -> None:
    with av.open(str(clip)) as source, av.open(str(target), "w", format=container) as out:
        audio = source.streams.audio[0]
        stream = out.add_stream_from_template(audio)
        first: int | None = None
        for packet in source.demux(audio):
            if packet.dts is None or not packet.size:
                continue
            first = packet.dts if first is None else first
            if container != "ipod":  # which keeps the samples before its time 0 out by itself
                packet.pts, packet.dts = packet.dts - first, packet.dts - first
            packet.stream = stream
            out.mux(packet)


def _decode(av: Any, facts: ClipFacts, target: Path) -> None:
    if facts.sound is None:
        return
    kept = Written("flac", facts.sound.form._replace(format="s16"))
    write_sound(av, target, kept, samples_of(av, facts.path, kept.form, facts.start))
