"""What the catalogue promises of voices: all that are documented, their languages, and help with one that is misspelled."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from typing import Any

import pytest

from prefect_together import catalog, voice_for
from prefect_together.errors import InvalidRequest

KOKORO, ORPHEUS, CARTESIA = "hexgrad/Kokoro-82M", "canopylabs/orpheus-3b-0.1-ft", "cartesia/sonic-3"
UUID = "694f9389-aac1-45b6-b726-9d9369183238"


def voice(model_id: str, id: str) -> catalog.Voice:
    """Return one voice of a model."""
    return next(one for one in catalog.voices_of(model_id) if one.id == id)


def said(model_id: str, **fields: Any) -> list[tuple[str, str]]:
    """Return severity and words of what is found in a request to speak."""
    found = catalog.preflight(model_id, {"input": "Hello.", **fields})
    return [(one.severity, one.message) for one in found]


def test_every_documented_voice_is_known() -> None:
    """Eight of Orpheus, all English; 54 of Kokoro in nine languages; Cartesia's are ids that nobody lists."""
    english = {one.id: one.language for one in catalog.voices_of(ORPHEUS)}
    assert dict.fromkeys(["tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"], "en") == english
    spoken = Counter(one.language for one in catalog.voices_of(KOKORO))
    assert {"en-us": 20, "en-gb": 8, "ja": 5, "zh": 8, "es": 3, "fr": 1, "hi": 4, "it": 2, "pt": 3} == spoken
    assert () == catalog.voices_of(CARTESIA) == catalog.voices_of("nobody/nothing")


def test_the_first_letter_of_a_kokoro_voice_is_its_language() -> None:
    """As Kokoro names them, so that no voice stands in the wrong list."""
    letters = {"en-us": "a", "en-gb": "b", "ja": "j", "zh": "z", "es": "e", "fr": "f", "hi": "h", "it": "i", "pt": "p"}
    assert {one.id[0] for one in catalog.voices_of(KOKORO)} == set(letters.values())
    assert all(letters[one.language] == one.id[0] and one.id[1] in "fm" for one in catalog.voices_of(KOKORO))


def test_a_voice_has_a_name() -> None:
    """What a person calls it, without the letters of its language."""
    assert ("Heart", "Tara") == (voice(KOKORO, "af_heart").name, voice(ORPHEUS, "tara").name)


def test_the_data_cite_a_known_source() -> None:
    """Voices are facts, and facts have a source."""
    table = json.loads((resources.files(catalog) / "voices.json").read_text("utf-8"))["models"]
    assert {entry["source"] for entry in table.values()} <= set(catalog.sources())
    assert all(catalog.find(model_id) for model_id in table)


@pytest.mark.parametrize(
    ("model_id", "asked", "parts"),
    [
        (KOKORO, "af_heart", ("af_heart",)),
        (KOKORO, "af_heart+af_sky", ("af_heart", "af_sky")),
        (KOKORO, "af_heart(2)+bm_lewis(0.5)+af_sky(.5)", ("af_heart", "bm_lewis", "af_sky")),
        (ORPHEUS, "tara+leo", ("tara+leo",)),
        (CARTESIA, UUID, (UUID,)),
    ],
)
def test_a_mixture_is_several_voices(model_id: str, asked: str, parts: tuple[str, ...]) -> None:
    """Where the model mixes, with and without weights; elsewhere a plus is a letter as any other."""
    assert parts == catalog.voice_parts(model_id, asked)


@pytest.mark.parametrize(
    ("model_id", "asked", "missing"),
    [
        (KOKORO, "af_heart", None),
        (KOKORO, "af_heart(2)+af_sky(1)", None),
        (KOKORO, "af_heart+af_skies", "af_skies"),
        (KOKORO, "af_heart(2)x+af_sky", "af_heart(2)x+af_sky"),
        (KOKORO, "af_heart+", "af_heart+"),
        (KOKORO, "AF_HEART", "AF_HEART"),
        (ORPHEUS, "tara+leo", "tara+leo"),
        (ORPHEUS, "af_heart", "af_heart"),
        (CARTESIA, UUID, None),
        ("nobody/nothing", "anybody", None),
    ],
)
def test_a_voice_that_a_model_lacks_is_found(model_id: str, asked: str, missing: str | None) -> None:
    """A mixture is good when every part is; where no voices are known, any may be right."""
    assert missing == catalog.unknown_voice(model_id, asked)


@pytest.mark.parametrize(
    ("model_id", "asked", "meant"),
    [
        (KOKORO, "af_hart", "af_heart"),
        (KOKORO, "AF-Heart", "af_heart"),
        (KOKORO, "heart", "af_heart"),
        (KOKORO, "Nicole", "af_nicole"),
        (KOKORO, "ism_nicola", "im_nicola"),
        (KOKORO, "yunxi", "zm_yunxi"),
        (ORPHEUS, "Tara", "tara"),
        (ORPHEUS, "tarra", "tara"),
        (ORPHEUS, "alloy-hd", None),
        (KOKORO, "zzz", None),
        (CARTESIA, "tara", None),
    ],
)
def test_the_voice_that_was_meant(model_id: str, asked: str, meant: str | None) -> None:
    """By its id or by its name, however it is written; nothing where nothing is alike."""
    found = catalog.voice_meant(model_id, asked)
    assert meant == (found and found.id)


def test_an_unknown_voice_is_an_error_with_advice() -> None:
    """Before anything is paid: which voice was meant, or which there are, and how to use one that is newer."""
    newer = "If it is newer than this catalogue, set PREFECT_INTEGRATIONS_TOGETHER_PREFLIGHT=warn."
    wrong = f"{KOKORO} has no voice 'af_hart' (as of 2026-07-16): did you mean af_heart? {newer}"
    assert [("error", wrong)] == said(KOKORO, voice="af_sky+af_hart")
    some = "it has tara, leah, jess, leo, dan or 3 more."
    assert [("error", f"{ORPHEUS} has no voice 'xyz' (as of 2026-07-16): {some} {newer}")] == said(ORPHEUS, voice="xyz")
    assert [] == said(CARTESIA, voice=UUID)


def test_a_voice_of_another_language_is_a_warning() -> None:
    """A text that is said to be Japanese is read by a voice that speaks it; British and American are both English."""
    expected = (
        f"voice='af_heart' of {KOKORO} speaks en-us, not language='ja' (as of 2026-07-16): choose a voice of that language."
    )
    assert [("warning", expected)] == said(KOKORO, voice="af_heart", language="ja")
    assert [] == said(KOKORO, voice="jf_alpha", language="ja")
    assert [] == said(KOKORO, voice="bf_emma", language="en") == said(KOKORO, voice="af_heart+jf_alpha", language="ja")


@pytest.mark.parametrize(
    ("model_id", "fields", "words"),
    [
        (KOKORO, {"sample_rate": 44100}, "does not list sample_rate=44100 (as of 2026-07-16): it takes 24000"),
        (ORPHEUS, {"response_encoding": "pcm_f32le"}, "does not list response_encoding='pcm_f32le'"),
        (KOKORO, {"response_format": "flac"}, "it takes wav, mp3, raw or mulaw"),
        (KOKORO, {"bit_rate": 64000}, "does not take bit_rate=64000"),
        (CARTESIA, {"stream": True}, "does not take stream=True"),
        ("openai/whisper-large-v3", {"prompt": "Names: Ada"}, None),
        ("nvidia/parakeet-tdt-0.6b-v3", {"prompt": "Names: Ada"}, "does not take prompt='Names: Ada'"),
    ],
)
def test_what_a_model_of_sound_ignores_is_a_warning(model_id: str, fields: dict[str, Any], words: str | None) -> None:
    """It is paid for and comes out otherwise, so it is said before."""
    found = said(model_id, **fields)
    assert ([] if words is None else ["warning"]) == [severity for severity, _ in found]
    assert all((words or "") in message for _, message in found)


@pytest.mark.parametrize(
    ("language", "found"),
    [("es", "ef_dora"), ("en", "af_heart"), ("EN-GB", "bf_alice"), ("pt-br", "pf_dora"), ("zh", "zf_xiaobei")],
)
def test_a_voice_for_a_language(language: str, found: str) -> None:
    """The first that speaks it, of the country that is named where there is one."""
    assert catalog.voices_of(KOKORO)
    assert found == voice_for(KOKORO, language)


@pytest.mark.parametrize(
    ("model", "language", "why"),
    [
        (
            KOKORO,
            "de",
            "No voice of hexgrad/Kokoro-82M is known for 'de', it speaks en, es, fr, hi, it, ja, pt, zh: give voice",
        ),
        (CARTESIA, "en", "its voices are not known"),
        ("hexgrad/Kokro-82M", "es", "did you mean hexgrad/Kokoro-82M"),
    ],
)
def test_no_voice_for_a_language(model: str, language: str, why: str) -> None:
    """It says which languages there are, or which model was meant."""
    with pytest.raises(InvalidRequest, match=why):
        voice_for(model, language)
