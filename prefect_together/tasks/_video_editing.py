"""Frames and streams of local clips, with PyAV: the last picture, clips put behind each other. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.errors import ConfigurationError, MediaError

_TAIL = 2.0  # seconds before the end from which the last picture is looked for


@dataclass(frozen=True)
class Spliced:
    """How clips were put together."""

    reencoded: bool = False


def last_picture(clip: Path, target: Path) -> None:
    """Write the last picture of a clip as PNG.

    Raises:
        ConfigurationError: PyAV or Pillow is not installed.
        MediaError: The clip has no picture.
    """
    av = _av()
    try:
        with av.open(str(clip)) as source:
            frame = _last(source)
    except av.FFmpegError as error:
        raise MediaError(f"{clip.name} cannot be read as a clip: {error}.", paid="yes") from None
    if frame is None:
        raise MediaError(f"{clip.name} has no picture.", paid="yes")
    try:
        frame.to_image().save(target)
    except ImportError:
        raise _missing("Pillow") from None


def _last(source: Any) -> Any:
    """Decode from the last key frame before the end, and everything where that finds nothing."""
    video = source.streams.video[0]
    frame: Any = None
    if source.duration:
        source.seek(max(0, int(source.duration - _TAIL * 1_000_000)))
        for frame in source.decode(video):  # noqa: B007 - only the last one is wanted
            pass
    if frame is None:
        source.seek(0)
        for frame in source.decode(video):  # noqa: B007 - same
            pass
    return frame


def join(clips: Sequence[Path], target: Path) -> Spliced:
    """Write clips behind each other as one MP4: packets as they are where the streams match, else encoded anew.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: A clip cannot be read.
    """
    av = _av()
    try:
        looks = [_looks(av, clip) for clip in clips]
        if all(look[0] == looks[0][0] for look in looks) and looks[0][0][0] in {"h264", "hevc", "av1"}:
            _copy(av, clips, target, sound=all(look[1] is not None and look[1] == looks[0][1] for look in looks))
            return Spliced()
        _encode(av, clips, target)
    except av.FFmpegError as error:
        raise MediaError(f"The clips cannot be joined: {error}.", paid="yes") from None
    return Spliced(reencoded=True)


def _looks(av: Any, clip: Path) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Return what has to be equal for packets to be taken as they are: of the pictures, and of the sound."""
    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        context = video.codec_context
        pictures = (
            context.name,
            context.width,
            context.height,
            context.pix_fmt,
            video.average_rate,
            video.time_base,
            bytes(context.extradata or b""),
        )
        if not source.streams.audio:
            return pictures, None
        sound = source.streams.audio[0].codec_context
        return pictures, (sound.name, sound.sample_rate, sound.layout.name, bytes(sound.extradata or b""))


def _copy(av: Any, clips: Sequence[Path], target: Path, *, sound: bool) -> None:
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        streams: dict[str, Any] = {}
        offset = Fraction(0)
        for clip in clips:
            with av.open(str(clip)) as source:
                pictures = source.streams.video[0]
                wanted = [pictures, *(source.streams.audio[:1] if sound else ())]
                for stream in wanted:
                    if stream.type not in streams:
                        streams[stream.type] = out.add_stream_from_template(stream)
                end = offset
                for packet in source.demux(wanted):
                    if packet.dts is None:
                        continue
                    kind = packet.stream.type
                    shift = round(offset / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    if packet.stream.index == pictures.index:
                        end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                    packet.stream = streams[kind]
                    out.mux(packet)
                offset = end


def _encode(av: Any, clips: Sequence[Path], target: Path) -> None:
    """Encode the pictures of all clips at the size and rate of the first one; sound in different forms is left out."""
    with av.open(str(clips[0])) as first:
        video = first.streams.video[0]
        rate = Fraction(video.average_rate or 25)
        width, height = video.codec_context.width // 2 * 2, video.codec_context.height // 2 * 2
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(_frames(av, clips, rate, (width, height))):
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _frames(av: Any, clips: Sequence[Path], rate: Fraction, size: tuple[int, int]) -> Iterator[Any]:
    """Yield all pictures at one rate: repeated or left out where a clip has another one."""
    for clip in clips:
        with av.open(str(clip)) as source:
            made = 0
            for frame in source.decode(video=0):
                until = (frame.time or 0.0) * float(rate)
                while made <= until + 1e-6:
                    picture = frame.reformat(width=size[0], height=size[1], format="yuv420p")
                    picture.pict_type = 0  # the encoder decides which ones are key frames
                    yield picture
                    made += 1


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise _missing("PyAV") from None
    return av


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(f'{name} is not installed, and takes clips apart: pip install "prefect-together[media]".')
