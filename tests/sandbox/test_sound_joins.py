"""What is said stands in the sound itself: it comes through joins, cuts, mixes and films, as far as sense goes."""

from __future__ import annotations

import httpx
import pytest

from .asking import clip, data_url
from .sounding import TEXT, encoded, heard, samples, soundtrack, spoken, tone, wav

pytestmark = pytest.mark.slow

SECOND = 24_000
OTHER = "Forty boats lie in the harbour, and a storm is coming from the west."


def mixed(*tracks: tuple[list[int] | list[float], float]) -> bytes:
    """Lay tracks over each other, each at a loudness, repeated to the length of the first."""
    count = len(tracks[0][0])
    return wav([sum(track[at % len(track)] * loud for track, loud in tracks) for at in range(count)])


def test_joined_recordings(client: httpx.Client) -> None:
    """Two voices one after the other, with and without a pause: all words, those of the second later by the first's length."""
    one, two = samples(spoken(client)), samples(spoken(client, OTHER, voice="bm_george"))
    alone = heard(client, wav(two))
    for pause in (0, SECOND):
        found = heard(client, wav([*one, *([0] * pause), *two]))
        assert f"{TEXT} {OTHER}" == found["text"]
        shift = (len(one) + pause) / SECOND
        there = found["words"][len(TEXT.split()) :]
        assert [word["start"] + shift for word in alone["words"]] == pytest.approx(
            [word["start"] for word in there], abs=0.01
        )


def test_a_cut_takes_its_words_and_no_others(client: httpx.Client) -> None:
    """Words that are whole on either side of a cut are heard there, the one that is cut on neither."""
    whole = heard(client, spoken(client))["words"]
    values = samples(spoken(client))
    middle = whole[6]
    for place in ((middle["start"] + middle["end"]) / 2, middle["end"] + 0.02):
        at = round(place * SECOND)
        before = [word["word"] for word in heard(client, wav(values[:at]))["words"]]
        after = [word["word"] for word in heard(client, wav(values[at:]))["words"]]
        assert [word["word"] for word in whole if word["end"] < place] == before
        assert [word["word"] for word in whole if word["start"] > place] == after


@pytest.mark.parametrize("loud", [0.02, 0.2, 2.5])
def test_louder_and_quieter(client: httpx.Client, loud: float) -> None:
    """A recording that is hardly heard, and one that is cut off at the loudest that there is."""
    assert TEXT == heard(client, mixed((samples(spoken(client)), loud)))["text"]


def test_over_music(client: httpx.Client) -> None:
    """Over tones and over another voice that is turned down; the louder voice is heard."""
    voice = samples(spoken(client))
    chord = [sum(three) for three in zip(tone(2, 66), tone(2, 294), tone(2, 523), strict=True)]
    assert TEXT == heard(client, mixed((voice, 1), (chord, 0.15)))["text"]
    other = samples(spoken(client, OTHER, voice="bm_george"))
    assert TEXT == heard(client, mixed((voice, 1), (other, 0.25)))["text"]


def test_encoded_again_and_again(client: httpx.Client) -> None:
    """As MP3, as AAC of two channels, and as Opus, one after the other."""
    content = encoded(spoken(client, response_format="mp3"), "aac", "adts", bit_rate=96_000, rate=44_100, layout="stereo")
    assert TEXT == heard(client, encoded(content, "libopus", "ogg", bit_rate=32_000))["text"]


@pytest.mark.parametrize("form", ["MP4", "WEBM"])
@pytest.mark.parametrize(
    "asked", [{"generate_audio": True, "list": "reference_audios"}, {"list": "audio_inputs"}], ids=["with-pad", "alone"]
)
def test_a_narration_in_a_clip(client: httpx.Client, form: str, asked: dict[str, object]) -> None:
    """What is sent in with a video is heard in the clip's sound track, which is taken out of it as it is."""
    fields = {name: value for name, value in asked.items() if name != "list"}
    media = {str(asked["list"]): [data_url("audio/wav", spoken(client, OTHER))]}
    film = clip(client, seconds="6", output_format=form, media=media, **fields)
    found = heard(client, soundtrack(film))
    assert OTHER == found["text"]
    assert 6 == pytest.approx(found["duration"], abs=0.1)
