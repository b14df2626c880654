"""Speech: paid once, kept whole or said to be lost, measured from its samples; long texts sentence by sentence."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from prefect_together import (
    agenerate_speech,
    generate_image,
    generate_speech,
    list_voices,
)
from prefect_together.errors import InvalidRequest, LibraryError, MediaError, UnknownOutcome
from prefect_together.generations.sound_shape import wav_head
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import clip, picture
from .speaking import CHARACTER, SPEAK, line, spent, spoken


def test_the_same_text_is_the_same_recording_for_ever(together_sandbox: Sandbox) -> None:
    """Paid once, in whatever run; it says what it is, what it cost and how long it is."""
    made = spoken(line())
    again = spoken(line())
    assert 1 == len(together_sandbox.charges())
    assert (made.uri, made.sha256, False, True) == (again.uri, again.sha256, made.reused, again.reused)
    assert ("audio/wav", "af_heart", "hexgrad/Kokoro-82M", 28) == (made.media_type, made.voice, made.model, made.characters)
    assert 28 * CHARACTER == made.cost == spent(together_sandbox)
    assert (24000, 1) == (made.sample_rate, made.channels)
    with made.open() as file:
        head = wav_head(file)
        assert head is not None
        assert made.seconds == pytest.approx((made.size - head.start) / 48000, abs=0.01)
    assert 1 < (made.seconds or 0) < 5
    assert made == pickle.loads(pickle.dumps(made))
    assert "28" in made.description().facts["Characters"]
    another = spoken(line(voice="am_adam"))
    assert (2, made.sha256 == another.sha256) == (len(together_sandbox.charges()), False)


async def test_async_flows_speak_too(together_sandbox: Sandbox) -> None:
    """The twin is the same."""
    made = await agenerate_speech(line())
    assert (1, "audio/wav") == (len(together_sandbox.charges()), made.media_type)


@pytest.mark.parametrize(
    ("fields", "media_type", "rate"),
    [
        ({"response_format": "mp3"}, "audio/mpeg", 24000),
        ({"response_format": "raw"}, "audio/wav", 24000),
        ({"response_format": "raw", "model": "cartesia/sonic-3", "voice": "a-voice"}, "audio/wav", 44100),
        (
            {"response_format": "raw", "response_encoding": "pcm_s16le", "sample_rate": 16000, "model": "cartesia/sonic-3"},
            "audio/wav",
            16000,
        ),
        ({"response_format": "raw", "response_encoding": "pcm_mulaw", "sample_rate": 8000, "model": "cartesia/sonic-3"},
         "audio/wav", 8000),
        ({"response_format": "mp3", "bit_rate": 32000, "model": "cartesia/sonic-3", "voice": "a-voice"}, "audio/mpeg", 44100),
        ({"stream": True}, "audio/wav", 24000),
    ],
)  # fmt: skip
def test_every_format_is_a_file_that_decodes(
    together_sandbox: Sandbox, fields: dict[str, Any], media_type: str, rate: int
) -> None:
    """What comes without a header gets one; length and rate are those of the sound that is in it."""
    av: Any = pytest.importorskip("av", reason="needs PyAV, of the extra media")
    made = generate_speech(line(**fields))
    assert (media_type, rate) == (made.media_type, made.sample_rate)
    with av.open(str(made.path())) as sound:
        stream = sound.streams.audio[0]
        assert (rate, 1) == (stream.codec_context.sample_rate, stream.codec_context.layout.nb_channels)
        samples = sum(frame.samples for frame in sound.decode(stream))
    assert made.seconds == pytest.approx(samples / rate, abs=0.11)
    assert 1 == len(together_sandbox.charges())


def test_word_times_come_with_the_sound(together_sandbox: Sandbox) -> None:
    """All words, in order, within the length of the recording."""
    made = generate_speech(line(alignment="word"))
    assert "The sea was calm that night." == " ".join(word.word for word in made.words)
    times = [time for word in made.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0]
    assert times[-1] <= (made.seconds or 0) + 0.01


@pytest.mark.parametrize("stated", [0xFFFFFFFF, 0])
def test_a_header_that_lies_is_set_right(together_sandbox: Sandbox, stated: int) -> None:
    """An encoder that did not know how long it would speak: the kept file says how long it is."""
    honest = generate_speech(line())
    together_sandbox.fault(SPEAK, "lying_header", value=stated)
    made = generate_speech(line(), reuse="never")
    assert honest.seconds == made.seconds
    with made.open() as file:
        head = wav_head(file)
    assert head is not None
    assert made.size - head.start == head.stated


@pytest.mark.parametrize(
    ("fault", "fields", "said"),
    [
        ("truncated_silently", {}, "cut off"),
        ("truncated_silently", {"response_format": "mp3"}, "cut off"),
        ("stream_cut", {"alignment": "word"}, "broke off"),
        ("stream_error", {"alignment": "word"}, "broke off"),
        ("empty", {}, "no sound"),
        ("invalid_json", {}, "not known"),
        ("accept_then_close", {}, "not known"),
    ],
)
def test_an_answer_that_breaks_off_is_unknown(
    together_sandbox: Sandbox, fault: str, fields: dict[str, Any], said: str
) -> None:
    """Charged, and lost: it is said, nothing short is kept, and it is sent again only as ``on_unknown`` allows."""
    together_sandbox.fault(SPEAK, fault)
    for _ in range(2):
        with pytest.raises(UnknownOutcome, match=said) as raised:
            generate_speech(line(**fields), on_unknown="fail")
        assert "maybe" == raised.value.paid
    assert 1 == len(together_sandbox.charges())
    made = generate_speech(line(**fields), on_unknown="resubmit")
    assert (2, False) == (len(together_sandbox.charges()), made.reused)


def test_a_library_that_fails_for_a_moment_costs_nothing(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound is only here: it is tried again until it is kept."""
    write, failed = Storage.write, list[str]()

    async def wavering(self: Storage, key: str, data: bytes) -> None:
        if key.startswith("speech/") and len(failed) < 2:
            failed.append(key)
            raise LibraryError("The disk is busy.", retryable=True)
        await write(self, key, data)

    monkeypatch.setattr(Storage, "write", wavering)
    made = generate_speech(line())
    assert (2, 1) == (len(failed), len(together_sandbox.charges()))
    assert made.verify()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"voice": "af_hart"}, "did you mean af_heart"),
        ({"voice": "Tara", "model": "canopylabs/orpheus-3b-0.1-ft"}, "did you mean tara"),
    ],
)
def test_a_misspelled_voice_is_said_before_anything_is_paid(
    together_sandbox: Sandbox, fields: dict[str, Any], said: str
) -> None:
    """With the one that was probably meant."""
    with pytest.raises(InvalidRequest, match=said):
        generate_speech(line(**fields))
    assert [] == together_sandbox.requests()


def test_voices_are_listed_for_free(together_sandbox: Sandbox) -> None:
    """By model, with the languages that the catalogue knows."""
    every, one = list_voices(), list_voices("hexgrad/Kokoro-82M")
    assert {"hexgrad/Kokoro-82M"} == set(one)
    assert set(one) < set(every)
    languages = {voice.id: voice.language for voice in one["hexgrad/Kokoro-82M"]}
    assert languages["jf_alpha"] == "ja"
    assert languages["af_heart"].startswith("en")
    assert [] == together_sandbox.charges()


def test_a_recording_is_an_input_like_a_picture(together_sandbox: Sandbox) -> None:
    """It goes into clips, and the clip says what it was made from; where a picture is wanted it is refused by its name."""
    voice = generate_speech(line())
    asked = clip(audio_inputs=[voice], reference_audios=[voice], seed=7)
    assert [voice.reference()] * 2 == [use.value for use in asked.media_inputs()]
    with pytest.raises(InvalidRequest, match="audio/wav"):
        generate_image(picture(image_url=voice, model="black-forest-labs/FLUX.1-kontext-pro"))


def test_an_error_of_a_gone_recording_says_so(together_sandbox: Sandbox) -> None:
    """A file that somebody took away is missed before anything is paid again."""
    made = generate_speech(line())
    made.path().unlink()
    with pytest.raises(MediaError, match="not in the library any more"):
        generate_speech(line())
    with pytest.raises(MediaError):
        io.BytesIO(made.read_bytes())
    assert 1 == len(together_sandbox.charges())
