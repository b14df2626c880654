"""What a flow asks for in its last step is checked before its first one is paid for."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_together import BatchFailed, ChatRequest, SpeechRequest, check_requests, generate_batch, generate_speech
from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

NO_CHAT, NO_VIDEO, NO_VOICE = "zai-org/GLM-5.3-Flsh", "minimax/hailou-02", "hexgrad/Kokro-82M"
LATER: dict[str, dict[str, Any]] = {
    "image_to_video": {"video_model": NO_VIDEO},
    "daily": {"video_model": NO_VIDEO},
    "storyboard": {"video_model": NO_VIDEO, "review": False},
    "expand": {"model": "black-forest-labs/FLXU.2-pro"},
    "synthesize": {"judge": NO_CHAT},
    "narrated_film": {"speaker": NO_VOICE, "voice": "af_heart", "review": False},
    "subtitle": {"translator": NO_CHAT, "languages": ["de"]},
    "dub": {"speaker": NO_VOICE, "voice": "af_heart"},
    "meeting": {"writer": NO_CHAT},
}
TAKES_A_FILM = {"subtitle": "film", "dub": "film", "meeting": "recording"}


@pytest.fixture
def recording(together_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Return a recording in which something is said; what it cost to make is forgotten."""
    said = generate_speech(SpeechRequest(input="The sea was calm.", model="hexgrad/Kokoro-82M", voice="af_heart"))
    path = Path(shutil.copy(said.path(), tmp_path / "sea.wav"))
    together_sandbox.reset()
    return path


@pytest.mark.parametrize("name", LATER)
def test_a_misspelled_model_of_a_later_step(
    name: str, load: Callable[[str], Any], together_sandbox: Sandbox, recording: Path
) -> None:
    """It is said, with the one that is meant, before anything is sent."""
    options = {**LATER[name], **({TAKES_A_FILM[name]: str(recording)} if name in TAKES_A_FILM else {})}
    with pytest.raises(InvalidRequest, match="did you mean"):
        getattr(load(name), name)(**options)
    assert [] == together_sandbox.requests()


def test_a_recording_in_which_nothing_is_said(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """It gets no subtitles, and the error says what was paid."""
    with wave.open(str(quiet := tmp_path / "quiet.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16000))
    with pytest.raises(TogetherError, match=r"Nothing is said in this film\.") as caught:
        load("subtitle").subtitle(film=str(quiet), languages=["de"])
    assert "yes" == caught.value.paid
    assert 1 == len(together_sandbox.charges())


def test_a_page_is_named_after_its_recording(
    load: Callable[[str], Any], together_sandbox: Sandbox, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name for it, so that two recordings are two pages."""
    monkeypatch.chdir(tmp_path)
    done = load("meeting").meeting(recording=str(recording))
    assert Path("sea.html") == done.page
    assert (tmp_path / "sea.html").is_file()


def test_a_batch_of_one_says_its_own_error(together_sandbox: Sandbox) -> None:
    """No row, no count: who asks for one thing reads what is wrong with it."""
    together_sandbox.fault("POST /v1/chat/completions", "422", message="the prompt is not allowed")
    with pytest.raises(BatchFailed) as caught:
        generate_batch([ChatRequest(prompt="any", model="zai-org/GLM-5.3-Flash", seed=1)], fail_on="any")
    assert "row" not in str(caught.value)
    assert "the prompt is not allowed" in str(caught.value)


def test_requests_that_can_be_sent_are_not_refused(together_sandbox: Sandbox) -> None:
    """Checking asks nobody, and says nothing of what is right."""
    check_requests(SpeechRequest(input="any", model="hexgrad/Kokoro-82M", voice="af_heart"))
    assert [] == together_sandbox.requests()
