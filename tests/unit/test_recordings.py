"""What of a recording or film goes out: as it is where that may be, its sound alone, smaller, or in pieces cut where it is quiet."""

from __future__ import annotations

import hashlib
import io
import math
from array import array
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from prefect_together._internal.upload import Upload
from prefect_together.errors import InvalidRequest
from prefect_together.generations import recordings, sound_tracks
from prefect_together.generations.recordings import seconds_of, upload_of
from prefect_together.generations.sound_tracks import NoSound, encoded, quiet_places, track_of
from prefect_together.generations.transcription import TranscriptionRequest

from .making import clip, reference, sound, write

# PyAV's stubs speak of numpy, which is not needed here and may not be installed.
_av: Any = av

WHISPER = "openai/whisper-large-v3"
RATE = 16_000


def tone(
    seconds: float,
    kind: str = "wav",
    *,
    quiet: Sequence[tuple[float, float]] = (),
    pictures: bool = False,
    late: float = 0.0,
) -> bytes:
    """Return a tone that is silent at times, alone or under the pictures of a film that begins earlier."""
    form, codec = {
        "wav": ("wav", "pcm_s16le"),
        "mp3": ("mp3", "libmp3lame"),
        "mp4": ("mp4", "aac"),
        "webm": ("webm", "libopus"),
        "mkv": ("matroska", "pcm_s16le"),
    }[kind]
    rate = 48_000
    samples = array(
        "h",
        [
            0 if any(a <= n / rate < b for a, b in quiet) else round(9000 * math.sin(n * 0.06))
            for n in range(int(seconds * rate))
        ],
    )
    out = io.BytesIO()
    video: Any = None
    with _av.open(out, "w", format=form) as target:
        if pictures:
            video = target.add_stream("libvpx" if kind == "webm" else "mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = target.add_stream(codec, rate=rate, layout="mono")
        resampler = _av.AudioResampler(stream.format, "mono", rate)
        if pictures:
            for number in range(int((seconds + late) * 10)):
                frame = _av.VideoFrame(64, 48, "yuv420p")
                frame.pts = number
                target.mux(video.encode(frame))
            target.mux(video.encode())
        for start in range(0, len(samples), 1024):
            part = samples[start : start + 1024]
            frame = _av.AudioFrame(format="s16", layout="mono", samples=len(part), align=1)
            frame.planes[0].update(part.tobytes())
            frame.sample_rate, frame.pts, frame.time_base = rate, start + round(late * rate), Fraction(1, rate)
            for one in resampler.resample(frame):
                target.mux(stream.encode(one))
        target.mux(stream.encode())
    return out.getvalue()


def asked(file: Any, **fields: Any) -> TranscriptionRequest:
    """Ask for the words of a file."""
    return TranscriptionRequest(file=file, model=WHISPER, **fields)


def sent(request: TranscriptionRequest) -> tuple[Upload, bytes, str]:
    """Return what goes out for a request, its bytes, and the hash of what was given."""
    upload, sha256 = upload_of(request, next(iter(request.media_inputs())))
    with upload.file as file:
        file.seek(0)
        return upload, file.read(), sha256


def heard(data: bytes) -> tuple[str, float, int, array[int]]:
    """Return the codec, seconds and rate of a sound, and its samples as one channel of 16 kHz."""
    samples = array("h")
    with _av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        resampler = _av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in file.decode(stream):
            for part in resampler.resample(frame):
                samples.frombytes(bytes(part.planes[0])[: part.samples * 2])
        return stream.codec_context.name, len(samples) / RATE, stream.rate, samples


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac", "m4a"])
def test_a_recording_goes_as_it_is(kind: str, tmp_path: Path) -> None:
    """Byte for byte, with its format's name and media type."""
    data = sound(kind)
    upload, out, sha256 = sent(asked(write(tmp_path / f"fox.{kind}", data)))
    assert data == out
    assert hashlib.sha256(data).hexdigest() == sha256
    media_type = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "m4a": "audio/mp4"}[
        kind
    ]
    assert (f"recording.{kind}", media_type) == (upload.name, upload.media_type)


@pytest.mark.parametrize(
    ("kind", "codec", "name"), [("mp4", "aac", "m4a"), ("webm", "opus", "ogg"), ("mkv", "flac", "flac")]
)
def test_of_a_film_its_sound_goes(kind: str, codec: str, name: str, tmp_path: Path) -> None:
    """Its packets as they are where a sound file holds them, else as FLAC of 16 kHz; the film is known by its own bytes."""
    film = tone(2, kind, pictures=True)
    upload, out, sha256 = sent(asked(write(tmp_path / "film.mp4", film)))
    assert hashlib.sha256(film).hexdigest() == sha256
    found, seconds, _, _ = heard(out)
    assert (codec, f"recording.{name}") == (found, upload.name)
    assert 2 == pytest.approx(seconds, abs=0.05)
    assert len(out) < len(film)


def test_a_webm_of_sound_alone_goes_as_it_is(tmp_path: Path) -> None:
    """Browsers record so, and Together takes it."""
    data = tone(1, "webm")
    upload, out, _ = sent(asked(write(tmp_path / "memo.webm", data)))
    assert (data, "audio/webm") == (out, upload.media_type)


def test_sound_that_begins_later_than_the_pictures_stays_where_it_is(tmp_path: Path) -> None:
    """Times are those of the film: what is sent begins with as much silence."""
    _, out, _ = sent(asked(write(tmp_path / "film.mp4", tone(2, "mp4", pictures=True, late=1.5))))
    _, seconds, _, samples = heard(out)
    assert 3.5 == pytest.approx(seconds, abs=0.1)
    first = next(place for place, value in enumerate(samples) if abs(value) > 3000)
    assert 1.5 == pytest.approx(first / RATE, abs=0.06)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (clip(), "cannot be heard: it has no sound"),
        (b"hello there, this is text", "is not a recording in a format that is known, but text: give a WAV, MP3"),
        (sound("wav")[:9000], "is cut off or damaged: 9,000 bytes of audio/wav"),
        (b"", "is empty"),
    ],
    ids=["silent-film", "text", "cut", "empty"],
)
def test_what_cannot_be_heard_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    """One sentence that names the file."""
    request = asked(write(tmp_path / "fox.bin", data))
    with pytest.raises(InvalidRequest, match=said) as caught:
        sent(request)
    assert "fox.bin" in str(caught.value)


def test_a_film_without_sound_is_refused_before_it_is_priced(tmp_path: Path) -> None:
    """A plan says so, and nothing is claimed."""
    request = asked(write(tmp_path / "silent.mp4", clip()))
    for ask in (request.given, request.parts):
        with pytest.raises(InvalidRequest, match=r"silent\.mp4 cannot be heard: it has no sound"):
            ask()


@pytest.mark.parametrize("longest", [3600.0, 1.0])
def test_what_is_too_large_is_made_smaller(longest: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One channel of 16 kHz: exact where that is small enough, and else as speech is sent over networks."""
    data = tone(10)
    monkeypatch.setattr(recordings, "LARGEST", 400_000)
    monkeypatch.setattr(recordings, "_EXACT", longest)
    upload, out, sha256 = sent(asked(write(tmp_path / "long.wav", data)))
    assert hashlib.sha256(data).hexdigest() == sha256
    codec, seconds, _, _ = heard(out)
    assert ("flac" if longest > 10 else "opus") == codec
    assert upload.name == ("recording.flac" if longest > 10 else "recording.ogg")
    assert 10 == pytest.approx(seconds, abs=0.05)
    assert len(out) < 400_000


@pytest.mark.parametrize("kind", ["wav", "mp3", "mp4"])
def test_a_part_is_cut_out_to_the_sample(kind: str, tmp_path: Path) -> None:
    """What is asked between two times begins and ends there."""
    data = tone(8, kind, quiet=[(3.0, 3.5)], pictures=kind == "mp4")
    _, out, _ = sent(asked(write(tmp_path / "fox.bin", data), start=2.5, end=6.25))
    _, seconds, _, samples = heard(out)
    assert 3.75 == pytest.approx(seconds, abs=0.001)
    silent = [place for place in range(0, len(samples) - 160, 160) if max(map(abs, samples[place : place + 160])) < 300]
    assert 0.5 == pytest.approx(silent[0] / RATE, abs=0.06)


def test_after_the_end_there_is_nothing(tmp_path: Path) -> None:
    """Which is said, and nothing is sent."""
    request = asked(write(tmp_path / "fox.wav", sound()), start=100)
    with pytest.raises(InvalidRequest, match=r"fox.wav.* cannot be heard: it has no sound from 100 s on"):
        sent(request)


@pytest.mark.slow
def test_quiet_places_are_found() -> None:
    """Near the places where a cut is wanted, and the same each time."""
    data = io.BytesIO(tone(20, quiet=[(6.0, 7.0), (14.5, 15.0)]))
    first, second = quiet_places(data, [5.0]), quiet_places(data, [5.0])
    assert first == second
    assert 6.0 <= first[0] <= 7.0


@pytest.mark.slow
def test_a_recording_longer_than_four_hours_is_heard_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as long as Together takes, cut where it is quiet; together they are the whole, and nothing is said twice."""
    monkeypatch.setattr(recordings, "LONGEST", 8.0)
    monkeypatch.setattr(recordings, "_ROOM", 1.0)
    monkeypatch.setattr(sound_tracks, "_AROUND", 0.5)
    request = asked(write(tmp_path / "long.wav", tone(20, quiet=[(6.0, 7.0), (13.0, 13.5)])))
    parts = request.parts()
    assert 3 == len(parts)
    assert [None, *(part.end for part in parts[:-1])] == [part.start for part in parts]
    assert parts[-1].end is None
    assert all(any(a <= (part.end or 0) <= b for a, b in [(6.0, 7.0), (13.0, 13.5)]) for part in parts[:-1])
    assert 20 == pytest.approx(sum(part.given()["seconds"] for part in parts), abs=0.01)
    assert all(not part.parts() for part in parts)
    assert [] == asked(write(tmp_path / "short.wav", sound())).parts()


@pytest.mark.parametrize(("kind", "seconds"), [("wav", 3), ("mp3", 3), ("mp4", 3), ("webm", 3)])
def test_seconds_are_known_before_anything_is_sent(kind: str, seconds: int, tmp_path: Path) -> None:
    """By the header of a recording, and of a film; of a URL nothing is known, and of no file either."""
    name = write(tmp_path / f"fox.{kind}", tone(seconds, kind, pictures=kind == "mp4"))
    assert seconds == pytest.approx(seconds_of(name), abs=0.1)
    assert 1.5 == pytest.approx(asked(name, start=1, end=2.5).given()["seconds"], abs=0.01)
    assert None is seconds_of("https://example.com/fox.mp3")
    assert None is seconds_of(str(tmp_path / "gone.wav"))


def test_a_changed_file_is_measured_anew(tmp_path: Path) -> None:
    """What was known of a path holds as long as its content does."""
    name = write(tmp_path / "fox.wav", sound(seconds=1))
    assert 1 == pytest.approx(seconds_of(name), abs=0.01)
    write(tmp_path / "fox.wav", sound(seconds=3))
    assert 3 == pytest.approx(seconds_of(name), abs=0.01)


def test_pictures_are_no_recordings() -> None:
    """A kept file is judged by what it is."""
    with pytest.raises(NoSound):
        track_of(io.BytesIO(clip()))
    with pytest.raises(NoSound):
        encoded(io.BytesIO(b"nothing of the kind"), "flac")
    assert None is asked(reference(uri="planned:abc/fox")).given().get("seconds")


def test_from_its_start_on_is_all_of_it(tmp_path: Path) -> None:
    """It is the same request, and the file goes as it is."""
    file = write(tmp_path / "fox.wav", sound())
    assert asked(file) == asked(file, start=0)


@pytest.mark.parametrize("field", ["start", "end"])
def test_a_time_without_end_is_refused(tmp_path: Path, field: str) -> None:
    """Before anything is looked at."""
    with pytest.raises(ValueError, match=f"TranscriptionRequest.{field} is inf"):
        asked(write(tmp_path / "fox.wav", sound()), **{field: float("inf")})
