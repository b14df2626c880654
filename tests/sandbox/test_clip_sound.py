"""Clips are silent unless sound is asked for, sent in, or the model's own; then they have a real sound track."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import OWN, clip, data_url, finished, frames, reader
from .sounding import heard, samples, soundtrack, spoken, tone, wav

SOUND = {"generate_audio": True}
LOUDEST = 32_767


def streams(content: bytes) -> list[tuple[str, str]]:
    """Return kind and codec of each stream of a film."""
    with reader.open(io.BytesIO(content)) as source:
        return [(stream.type, stream.codec_context.name) for stream in source.streams]


@pytest.mark.parametrize(
    ("fields", "codec"),
    [
        ({}, None),
        ({"generate_audio": False}, None),
        (SOUND, "aac"),
        ({**SOUND, "output_format": "WEBM"}, "opus"),
        ({"media": {"audio_inputs": ["https://example.com/beat.mp3"]}}, "aac"),
        ({"media": {"reference_audios": ["https://example.com/beat.mp3"]}}, "aac"),
        ({"media": {"audio_inputs": []}}, None),
    ],
)
def test_sound_is_there_when_it_is_asked_for(client: httpx.Client, fields: dict[str, Any], codec: str | None) -> None:
    """AAC in MP4, Opus in WEBM; nothing else of the clip changes."""
    content = clip(client, **fields)
    assert ([] if codec is None else [codec]) == [name for kind, name in streams(content) if kind == "audio"]
    assert 24 == len(frames(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "fields", "sounds"),
    [
        ("ByteDance/Seedance-2.5", {"resolution": "480p", "seconds": "4"}, True),
        ("ByteDance/Seedance-2.0", {"resolution": "480p", "seconds": "4"}, True),
        ("ByteDance/Seedance-2.0", {"resolution": "480p", "seconds": "4", "settings": {"audio": False}}, False),
    ],
)
def test_some_models_make_sound_unasked(client: httpx.Client, model: str, fields: dict[str, Any], sounds: bool) -> None:
    """Seedance 2.5 always, 2.0 unless it is told not to."""
    content = clip(client, model=model, width=None, height=None, **fields)
    assert sounds == any(kind == "audio" for kind, _ in streams(content))


def test_a_clip_s_own_sound_is_soft_and_its_own(client: httpx.Client) -> None:
    """It comes and goes softly, is as long as the clip, is the same for the same seed, and holds no words."""
    first = soundtrack(clip(client, seconds="3", seed=1, **SOUND))
    values = samples(first)
    assert 3 == pytest.approx(len(values) / 24_000, abs=0.1)
    assert 0.01 < max(map(abs, values)) / LOUDEST < 0.15
    assert max(map(abs, values[:240])) < 0.2 * max(map(abs, values))
    assert first == soundtrack(clip(client, seconds="3", seed=1, **SOUND))
    assert any(first != soundtrack(clip(client, seconds="3", seed=seed, **SOUND)) for seed in (2, 3, 4))
    assert "" == heard(client, first)["text"]


def test_sound_that_is_sent_in_is_cut_or_followed_by_silence(client: httpx.Client) -> None:
    """As the documentation says of `audio_inputs`; several sounds are heard one after the other."""
    media = {"audio_inputs": [{"audio": data_url("audio/wav", wav(tone(1, 440)))}]}
    values = samples(soundtrack(clip(client, seconds="2", media=media)))
    assert max(map(abs, values[12_000:20_000])) > 0.2 * LOUDEST
    assert max(map(abs, values[30_000:])) < 0.01 * LOUDEST
    two = [data_url("audio/mp3", spoken(client, text, response_format="mp3")) for text in ("One boat.", "Two boats.")]
    film = clip(client, seconds="4", media={"reference_audios": two})
    assert "One boat. Two boats." == heard(client, soundtrack(film))["text"]
    assert "One boat." == heard(client, soundtrack(clip(client, seconds="1", media={"audio_inputs": two})))["text"]


@pytest.mark.parametrize("content", [b"nothing", wav([])])
def test_what_is_no_sound_fails_late(client: httpx.Client, content: bytes) -> None:
    """As pictures do that cannot be read: the job is accepted, fails and costs nothing."""
    job = finished(client, model=OWN, media={"audio_inputs": [data_url("audio/wav", content)]})
    assert ("failed", "invalidInputAudio") == (job["status"], job["error"]["code"])


def test_what_is_no_address_is_refused(client: httpx.Client) -> None:
    """400 for a list of numbers."""
    answer = client.post("/v2/videos", json={"model": OWN, "prompt": "a boat", "media": {"audio_inputs": [7]}})
    assert 400 == answer.status_code
    assert "audio_inputs" in answer.text


def test_sound_survives_a_restart(tmp_path: Path) -> None:
    """A sandbox that is started again lays the same sound under the same clip."""
    key = {"Authorization": "Bearer k"}
    with sandbox.serve(render_seconds=0, state=tmp_path) as first, httpx.Client(base_url=first.url, headers=key) as client:
        media = {"reference_audios": [data_url("audio/wav", spoken(client, "One boat."))]}
        job = finished(client, seconds="2", media=media, **SOUND)
    with (
        sandbox.serve(state=tmp_path) as again,
        httpx.Client(base_url=again.url, headers=key, follow_redirects=True) as client,
    ):
        address = client.get(f"/v2/videos/{job['id']}").json()["outputs"]["video_url"]
        assert "One boat." == heard(client, soundtrack(client.get(address).content))["text"]
