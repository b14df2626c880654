"""Speech: real sound in every form that can be asked for, of a length that fits the text, refused and charged as at Together."""

from __future__ import annotations

import io
import itertools
import wave
from decimal import Decimal
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import LLAMA, message
from .sounding import CARTESIA, KOKORO, ORPHEUS, SPEECH, TEXT, samples, shape, speech_body, spoken

OWN = "sandbox/voice"
LOUDEST = 32_767


@pytest.mark.parametrize(
    ("fields", "media_type", "found"),
    [
        ({}, "audio/wav", ("pcm_s16le", 24_000)),
        ({"response_format": "mp3"}, "audio/mpeg", ("mp3", 24_000)),
        ({"sample_rate": 8_000, "response_encoding": "pcm_alaw"}, "audio/wav", ("pcm_s16le", 24_000)),
        ({"model": ORPHEUS, "voice": "zoe", "sample_rate": 44_100}, "audio/wav", ("pcm_s16le", 24_000)),
        ({"model": CARTESIA, "voice": "any"}, "audio/wav", ("pcm_s16le", 44_100)),
        ({"model": CARTESIA, "voice": "any", "sample_rate": 16_000}, "audio/wav", ("pcm_s16le", 16_000)),
        ({"model": CARTESIA, "voice": "any", "response_format": "mp3", "bit_rate": 32_000}, "audio/mpeg", ("mp3", 44_100)),
        ({"model": OWN, "response_format": "mp3", "sample_rate": 8_000, "bit_rate": 192_000}, "audio/mpeg", ("mp3", 8_000)),
    ],
)
def test_the_sound_is_what_was_asked_for(
    client: httpx.Client, fields: dict[str, Any], media_type: str, found: tuple[str, int]
) -> None:
    """One channel in the format and at the rate asked for; Orpheus and Kokoro have one rate, whatever is asked."""
    answer = client.post(SPEECH, json=speech_body(**fields))
    assert (200, media_type) == (answer.status_code, answer.headers["content-type"])
    codec, rate, channels, seconds = shape(answer.content)
    assert (*found, 1) == (codec.removesuffix("float"), rate, channels)
    assert 12 < len(TEXT) / seconds < 17
    assert 0.2 < max(map(abs, samples(answer.content))) / LOUDEST < 0.9


@pytest.mark.parametrize(
    ("fields", "width"),
    [
        ({"response_encoding": "pcm_f32le"}, 4), ({}, 4), ({"response_encoding": "pcm_s16le"}, 2),
        ({"response_encoding": "pcm_mulaw"}, 1), ({"response_encoding": "pcm_alaw"}, 1),
    ],
)  # fmt: skip
def test_raw_samples_are_in_the_encoding_that_was_asked_for(
    client: httpx.Client, fields: dict[str, Any], width: int
) -> None:
    """Cartesia honours all four, and 32-bit floats are the default."""
    same: dict[str, Any] = {"model": CARTESIA, "voice": "any", "sample_rate": 24_000}
    known = len(samples(spoken(client, **same)))
    assert width * known == len(spoken(client, response_format="raw", **same, **fields))


@pytest.mark.parametrize("fields", [{}, {"response_encoding": "pcm_f32le", "sample_rate": 44_100}])
def test_raw_samples_of_kokoro_are_16_bits(client: httpx.Client, fields: dict[str, Any]) -> None:
    """At 24,000 Hz, whatever is asked for."""
    answer = client.post(SPEECH, json=speech_body(response_format="raw", **fields))
    with wave.open(io.BytesIO(spoken(client)), "rb") as file:
        assert file.readframes(file.getnframes()) == answer.content
    assert "application/octet-stream" == answer.headers["content-type"]


def test_a_wav_says_what_is_said_in_it(client: httpx.Client) -> None:
    """In its comment, for whoever looks into the file; a name in another script is no hindrance."""
    assert b"ICMT" + (14).to_bytes(4, "little") + "東京 Ōsaka".encode() in spoken(client, "東京 Ōsaka")


def test_equal_requests_sound_the_same_and_voices_differ(client: httpx.Client) -> None:
    """Speech is not deterministic at Together; here it is, so that tests can compare."""
    assert spoken(client) == spoken(client)
    for row in client.get("/v1/voices").json()["data"]:
        voices = [voice["id"] for voice in row["voices"]]
        said = {spoken(client, "Hi.", model=row["model"], voice=voice) for voice in voices}
        assert len(voices) == len(said), row["model"]
    assert 3 == len({spoken(client, "Hi.", voice=voice) for voice in ("af_heart", "am_adam", "af_heart+am_adam")})


def test_women_s_voices_are_higher(client: httpx.Client) -> None:
    """Told by the hum below the words: of a pause between two of them nothing else is heard."""

    def crossings(voice: str) -> int:
        # Behind the comma, where only the hum goes on.
        gap = samples(spoken(client, "One, two", voice=voice))
        quiet = next(at for at in range(8_000, len(gap) - 1_200) if max(map(abs, gap[at : at + 1_200])) < 0.12 * LOUDEST)
        window = gap[quiet : quiet + 1_200]
        return sum((one < 0) != (other < 0) for one, other in itertools.pairwise(window))

    assert crossings("af_heart") > crossings("am_adam") > 5


def test_speed_changes_the_length(client: httpx.Client) -> None:
    """Faster speech is shorter, slower speech longer."""
    usual, fast, slow = (shape(spoken(client, speed=speed))[3] for speed in (1, 2, 0.5))
    assert fast < usual < slow


def test_other_pronunciations_are_heard(client: httpx.Client) -> None:
    """`pronunciation_dict` replaces words by how they are said."""
    replaced = spoken(client, "Ask the SQL server", extra_params={"pronunciation_dict": ["SQL/sequel"]})
    assert samples(spoken(client, "Ask the sequel server")) == samples(replaced)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": None}, "Missing required parameter: 'input'"),
        ({"input": ""}, "Missing required parameter: 'input'"),
        ({"input": " \n"}, "'input'"),
        ({"input": 7}, "'input'"),
        ({"input": "a" * 10_001}, "between 1 and 10000"),
        ({"voice": None}, "Missing required parameter: 'voice'"),
        ({"voice": "af_hart"}, "Voice 'af_hart' is not available for model hexgrad/Kokoro-82M"),
        ({"voice": "af_heart+nobody"}, "Voice 'nobody'"),
        ({"model": ORPHEUS}, "Voice 'af_heart' is not available"),
        ({"response_format": "flac"}, "'response_format'"),
        ({"response_encoding": "pcm"}, "'response_encoding'"),
        ({"bit_rate": 1}, "'bit_rate'"),
        ({"model": CARTESIA, "sample_rate": 12}, "'sample_rate'"),
        ({"sample_rate": "24000"}, "'sample_rate'"),
        ({"language": "English"}, "'language'"),
        ({"alignment": "letter"}, "'alignment'"),
        ({"segment": "page"}, "'segment'"),
        ({"speed": "fast"}, "'speed'"),
        ({"extra_params": {"pronunciation_dict": ["SQL"]}}, "'pronunciation_dict'"),
        ({"seed": 7}, "'seed'"),
        ({"stream": "yes"}, "'stream'"),
        ({"stream": True}, "Streaming is not supported with response_format 'wav'"),
        ({"stream": True, "response_format": "mp3"}, "Streaming is not supported with response_format 'mp3'"),
        ({"stream": True, "response_format": "raw", "model": CARTESIA}, "'stream'"),
        ({"model": LLAMA}, "non-serverless"),
        ({"model": "cartesia/sonic-3.5"}, "non-serverless"),
    ],
)
def test_bad_requests_are_refused(
    together: sandbox.Sandbox, client: httpx.Client, fields: dict[str, Any], words: str
) -> None:
    """400 in Together's shape, and nothing is charged."""
    answer = client.post(SPEECH, json=speech_body(**fields))
    assert 400 == answer.status_code
    assert words in message(answer)
    assert [] == together.charges()


def test_an_unknown_model_is_404(client: httpx.Client) -> None:
    """As for every other type."""
    answer = client.post(SPEECH, json=speech_body(model="nobody/voice"))
    assert (404, "model_not_available") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize(
    ("model", "voice", "usd"), [(KOKORO, "af_sky", "4"), (ORPHEUS, "tara", "15"), (CARTESIA, "any", "65")]
)
def test_characters_are_charged(together: sandbox.Sandbox, client: httpx.Client, model: str, voice: str, usd: str) -> None:
    """By code points, as the catalogue prices them; the bill counts them."""
    text = "Grüße, 東京! " * 10
    spoken(client, text, model=model, voice=voice)
    (charge,) = together.charges()
    assert ("speech", model, text, len(text) * Decimal(usd) / 1_000_000) == (
        charge.kind,
        charge.model,
        charge.prompt,
        charge.usd,
    )
    (line,) = client.get("/v1/billing/usage").json()["data"][0]["line_items"]
    assert (f"{model} characters", str(len(text))) == (line["product_name"], line["quantity"])
    assert charge.usd == Decimal(line["cost"]) == Decimal(line["unit_price"]) * len(text)


def test_voices_are_listed_for_free(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """By model, all or one; each has an id and a name, and a voice that is listed speaks."""
    everybody = {row["model"]: row["voices"] for row in client.get("/v1/voices").json()["data"]}
    assert {KOKORO, ORPHEUS, CARTESIA, "cartesia/sonic-2", "cartesia/sonic"} == set(everybody)
    assert (54, 8) == (len(everybody[KOKORO]), len(everybody[ORPHEUS]))
    assert all({"id", "name"} == set(voice) for voices in everybody.values() for voice in voices)
    only = client.get("/v1/voices", params={"model": ORPHEUS}).json()
    assert {"data": [{"model": ORPHEUS, "voices": everybody[ORPHEUS]}]} == only
    assert {"data": []} == client.get("/v1/voices", params={"model": "nobody/voice"}).json()
    assert [] == together.charges()
    spoken(client, "Hello", model=CARTESIA, voice=everybody[CARTESIA][0]["id"])
    assert 401 == client.get("/v1/voices", headers={"Authorization": "Bearer bad"}).status_code
