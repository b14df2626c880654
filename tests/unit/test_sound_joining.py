"""Recordings put behind each other."""

from __future__ import annotations

import itertools
import math
from array import array
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import MediaError
from prefect_together.generations.sound_joining import encode, join_wavs
from prefect_together.generations.sound_shape import FLOAT, PCM, SampleForm, sound_facts, wav_head

FORM = SampleForm(PCM, 16, 24000)


def _tone(seconds: float, hertz: float = 440.0, *, quiet_edges: bool = True, form: SampleForm = FORM) -> bytes:
    count, loudest = round(seconds * form.sample_rate), 1.0 if form.encoding == FLOAT else 32767.0
    turn = 2 * math.pi * hertz / form.sample_rate
    edge = 0.02 * form.sample_rate
    values = [
        loudest * 0.5 * math.cos(turn * at) * (min(1.0, at / edge, (count - 1 - at) / edge) if quiet_edges else 1.0)
        for at in range(count)
    ]
    return array("f", values).tobytes() if form.encoding == FLOAT else array("h", map(round, values)).tobytes()


def _wav(path: Path, samples: bytes, form: SampleForm = FORM) -> Path:
    path.write_bytes(form.header(len(samples)) + samples)
    return path


def _samples(path: Path) -> bytes:
    with path.open("rb") as file:
        head = wav_head(file)
        assert head is not None
        file.seek(head.start)
        return file.read()


def test_pieces_with_quiet_edges_are_joined_as_they_are(tmp_path: Path) -> None:
    """Sample by sample: nothing is encoded anew, and nothing said to be changed."""
    one, two = _tone(1.0), _tone(0.5, 600)
    changes = join_wavs([_wav(tmp_path / "1.wav", one), _wav(tmp_path / "2.wav", two)], tmp_path / "whole.wav")
    assert ((), one + two) == (changes, _samples(tmp_path / "whole.wav"))
    with (tmp_path / "whole.wav").open("rb") as file:
        assert (1.5, 24000, 1) == ((found := sound_facts(file)).seconds, found.sample_rate, found.channels)


@pytest.mark.parametrize("form", [FORM, SampleForm(FLOAT, 32, 44100)])
def test_loud_edges_make_no_click(tmp_path: Path, form: SampleForm) -> None:
    """A jump between two samples is one: what is loud at its edge dies away there, and all else is as it was."""
    pieces = [
        _tone(0.3, hertz, quiet_edges=False, form=form) for hertz in (445.0, 550.0)
    ]  # the first ends in a trough, the second begins on a crest
    files = [_wav(tmp_path / f"{number}.wav", piece, form) for number, piece in enumerate(pieces)]
    changes = join_wavs(files, tmp_path / "whole.wav")
    assert 2 == len(changes)
    assert all("with a click" in change for change in changes)
    kind, loudest = ("f", 1.0) if form.encoding == FLOAT else ("h", 32768.0)
    values = array(kind, _samples(tmp_path / "whole.wav"))
    steepest = 0.5 * loudest * 2 * math.pi * 550 / form.sample_rate  # of the tones themselves
    assert max(abs(after - before) for before, after in itertools.pairwise(values)) <= 1.2 * steepest
    joined, edge = values.tobytes(), round(0.005 * form.sample_rate) * form.block
    assert pieces[0][:-edge] == joined[: len(pieces[0]) - edge]
    assert pieces[1][edge:] == joined[len(pieces[0]) + edge :]


def test_a_header_that_lies_makes_no_difference(tmp_path: Path) -> None:
    """What a streaming encoder wrote is joined by what is there."""
    samples = _tone(0.5)
    lying = _wav(tmp_path / "1.wav", samples)
    data = lying.read_bytes()
    lying.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    join_wavs([lying, _wav(tmp_path / "2.wav", samples)], tmp_path / "whole.wav")
    assert samples * 2 == _samples(tmp_path / "whole.wav")


def test_pieces_of_two_forms_are_not_mixed_up(tmp_path: Path) -> None:
    """They would be noise; it says which piece, and that all are kept."""
    files = [_wav(tmp_path / "1.wav", _tone(0.1)), _wav(tmp_path / "2.wav", _tone(0.1), SampleForm(PCM, 16, 8000))]
    with pytest.raises(MediaError, match="Piece 2 of a recording is not written as the first one") as raised:
        join_wavs(files, tmp_path / "whole.wav")
    assert "yes" == raised.value.paid


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/ogg", "audio/flac", "audio/aac"])
def test_a_joined_recording_is_compressed_as_asked(tmp_path: Path, media_type: str) -> None:
    """It decodes, is as long as it was, and sounds like it: the tone is the loudest in it."""
    av: Any = pytest.importorskip("av", reason="needs PyAV, of the extra media")
    target = tmp_path / "sound"
    encode(_wav(tmp_path / "1.wav", _tone(1.0)), target, media_type, 64_000)
    with av.open(str(target)) as sound:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=24000)
        frames = [part for frame in sound.decode(audio=0) for part in resampler.resample(frame)]
    values = array("h", b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames))
    assert 1.0 == pytest.approx(len(values) / 24000, abs=0.1)
    middle = values[8000:16000]
    strength = {hertz: _strength(middle, hertz) for hertz in (220, 440, 880)}
    assert 440 == max(strength, key=strength.__getitem__)


def _strength(values: array[int], hertz: float) -> float:
    turn = 2 * math.pi * hertz / 24000
    real = sum(value * math.cos(turn * at) for at, value in enumerate(values))
    return math.hypot(real, sum(value * math.sin(turn * at) for at, value in enumerate(values)))
