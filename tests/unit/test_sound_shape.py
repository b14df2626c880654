"""What a sound measures, from its headers and its size."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

import pytest

from prefect_together.generations.formats import measured, sniff
from prefect_together.generations.sound_shape import FLOAT, MULAW, PCM, SampleForm, SoundFacts, sound_facts, wav_head

FORMS = (SampleForm(PCM, 16, 24000), SampleForm(FLOAT, 32, 44100), SampleForm(MULAW, 8, 8000), SampleForm(PCM, 24, 48000, 2))


def _wav(form: SampleForm, seconds: float, stated: int | None = None) -> bytes:
    samples = bytes(round(seconds * form.sample_rate) * form.block)
    header = form.header(len(samples))
    return (header if stated is None else header[:-4] + struct.pack("<I", stated)) + samples


@pytest.mark.parametrize("form", FORMS)
def test_a_wav_is_measured_by_its_samples(form: SampleForm) -> None:
    """Whatever its samples are written in."""
    assert SoundFacts(2.5, form.sample_rate, form.channels) == sound_facts(io.BytesIO(_wav(form, 2.5)))


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFFFDB])
@pytest.mark.parametrize("form", FORMS)
def test_a_header_that_cannot_be_true_is_not_believed(form: SampleForm, stated: int) -> None:
    """An encoder that sends while it speaks does not know how long it will speak."""
    assert 2.5 == sound_facts(io.BytesIO(_wav(form, 2.5, stated))).seconds


def test_what_stands_behind_the_samples_is_no_sound() -> None:
    """Programs put lists of titles there."""
    data = _wav(FORMS[0], 1.0) + b"LIST" + struct.pack("<I", 48000) + bytes(48000)
    assert 1.0 == sound_facts(io.BytesIO(data)).seconds


def test_a_list_in_front_of_the_samples_is_skipped() -> None:
    """Of an odd length too, which is filled up."""
    data = _wav(FORMS[0], 1.0)
    head = wav_head(io.BytesIO(data[:12] + b"LIST" + struct.pack("<I", 5) + b"title\0" + data[12:]))
    assert head is not None
    assert (44 + 14, 48000) == (head.start, head.stated)


def test_the_header_is_one_that_others_read() -> None:
    """Python's own module, which takes plain samples."""
    with wave.open(io.BytesIO(_wav(FORMS[0], 1.5))) as file:
        assert (36000, 24000, 1, 2) == (file.getnframes(), file.getframerate(), file.getnchannels(), file.getsampwidth())


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata\0\0\0\0", b"ID3" + bytes(60), b"OggS"]
)
def test_what_is_no_sound_measures_nothing(data: bytes) -> None:
    """It is kept all the same, so nothing is raised."""
    assert SoundFacts() == sound_facts(io.BytesIO(data))


@pytest.mark.parametrize(
    ("container", "codec", "tolerance"),
    [("mp3", "libmp3lame", 0.1), ("flac", "flac", 0.001), ("ogg", "libopus", 0.1), ("mp4", "aac", 0.1)],
)
def test_compressed_sounds_are_measured(container: str, codec: str, tolerance: float) -> None:
    """By what they are, not by their names."""
    av: Any = pytest.importorskip("av", reason="needs PyAV, of the extra media")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=96000)
        frame.planes[0].update(bytes(2 * 96000))
        frame.sample_rate, frame.pts = 48000, 0
        resampler = av.AudioResampler(format=stream.codec_context.format or "fltp", layout="mono", rate=48000)
        for piece in (*resampler.resample(frame), *resampler.resample(None), None):
            out.mux(stream.encode(piece))
    head = file.getvalue()[:64]
    if container == "mp4":  # what is named so holds sound alone
        head = head[:8] + b"M4A " + head[12:]
    known = sniff(head)
    assert known is not None
    assert "audio" == known.family
    shape = measured(known, file)
    assert (48000, 1) == (shape.sample_rate, shape.channels)
    assert shape.seconds == pytest.approx(2.0, abs=tolerance)
