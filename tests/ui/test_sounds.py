"""What a person sees and hears of sound: waveforms on cards, and a gallery that plays and jumps to what is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Prefect, holds, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

STORY = """
from prefect import flow

from prefect_together import (
    ChatRequest, Placed, SpeechRequest, TranscriptionRequest, VideoRequest, add_sound, add_subtitles, extract_sound,
    generate_speech, generate_text, generate_video, join_sounds, join_videos, publish_gallery, sandbox, transcribe, trim,
    write_gallery,
)

KOKORO, WHISPER = "hexgrad/Kokoro-82M", "openai/whisper-large-v3"
LINES = ["The sea was calm that night. A lighthouse stood on the cliff.", "In the morning a boat came home, full of silver fish."]


@flow
def sounds():
    idea = generate_text(ChatRequest(prompt="A line about the sea.", model="meta-llama/Llama-3.3-70B-Instruct-Turbo", max_tokens=40))
    spoken = [
        generate_speech(SpeechRequest(input=line, model=KOKORO, voice="af_heart", alignment="word", based_on=idea))
        for line in LINES
    ]
    clips = [
        generate_video(VideoRequest(prompt=f"slow push in {n}", model="sandbox/tiny", width=256, height=144, seconds=5, fps=15, seed=n))
        for n in range(2)
    ]
    narration = join_sounds(spoken, pause=0.5)
    film = add_sound(join_videos(clips), [Placed(spoken[0], 0.5), Placed(spoken[1], 5.0)])
    heard = transcribe(TranscriptionRequest(file=film, model=WHISPER))
    of_sound = transcribe(TranscriptionRequest(file=narration, model=WHISPER))
    subtitled = add_subtitles(film, heard, language="en")
    short = trim(narration, 0.5, 2)
    publish_gallery([spoken, narration, clips, film, subtitled, heard, of_sound, short], key="sounds")
    print(write_gallery())


with sandbox.serve(render_seconds=0.2) as box:
    import os
    os.environ["TOGETHER_API_KEY"], os.environ["TOGETHER_BASE_URL"] = "key", box.url
    sounds()
"""


@pytest.fixture(scope="module")
def library(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library with narration, a film that has it, and what was heard of both."""
    folder = tmp_path_factory.mktemp("sounds") / "library"
    prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=str(folder)).run("-c", STORY)
    return folder


def _open(page: Page, words: str, badge: str) -> None:
    tiles = page.locator(".tile", has=page.locator(".title", has_text=words))
    tiles.filter(has=page.locator(".badge", has_text=badge)).first.click()


def test_a_recording_is_seen_and_heard(page: Page, library: Path) -> None:
    """Its tile has its waveform, its page a player whose waveform is clicked to go on from there, and the words light up."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((library / "gallery.html").as_uri())
    holds(page, "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator(".tile .shot.wave img").count() >= 4
    shoot(page, "sounds")
    _open(page, "A lighthouse stood", "recording")
    holds(page, "document.querySelector('audio')?.duration > 2")
    page.locator(".bars").click(position={"x": 300, "y": 60})
    holds(page, "document.querySelector('audio').currentTime > 1")
    holds(page, "document.querySelectorAll('#stage ol.lines li.now').length === 1")
    shoot(page, "sounds-recording")
    assert "mono" in page.inner_text("#facts")
    assert page.locator("#way .here.wave").count() == 1
    assert page.locator("#way button").count() >= 3, "from the text, and to the film"
    assert [] == complaints


def test_times_of_a_transcript_jump_in_its_recording(page: Page, library: Path) -> None:
    """In the film or sound that was heard, on its own page and on that of the transcript."""
    page.goto((library / "gallery.html").as_uri())
    page.fill("#words", "silver fish")
    _open(page, "", "transcript")
    tag = page.evaluate("document.querySelector('#stage audio, #stage video').tagName")
    assert tag in {"AUDIO", "VIDEO"}
    holds(page, "document.querySelector('#stage audio, #stage video').readyState >= 1")
    last = page.locator("#stage ol.lines button").last
    last.click()
    holds(page, "document.querySelector('#stage audio, #stage video').currentTime > 3")
    shoot(page, "sounds-transcript")
    page.keyboard.press("Escape")
    page.fill("#words", "")
    _open(page, "with 2 sounds added", "film")
    page.locator("#notes ol.lines button").last.click()
    holds(page, "document.querySelector('#stage video').currentTime > 3")
    shoot(page, "sounds-film")


def test_words_that_were_heard_are_found(page: Page, library: Path) -> None:
    """What is said in a film finds the film and its transcript; how a file was made finds it too."""
    page.goto((library / "gallery.html").as_uri())
    page.fill("#words", "silver fish")
    kinds = set(page.locator(".tile .badge").all_text_contents())
    assert {"transcript", "recording", "film"} <= {kind.split(" ")[0] for kind in kinds}
    page.fill("#words", "add subtitles")
    assert 1 == page.locator(".tile").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(chromium: Browser, library: Path, scheme: Any) -> None:
    """Nothing is wider than a phone, and what plays is in sight."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, device_scale_factor=2)
    page = context.new_page()
    page.goto((library / "gallery.html").as_uri())
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, f"sounds-phone-{scheme}")
    _open(page, "The sea was calm that night", "recording")
    holds(page, "document.querySelector('audio')?.duration > 2")
    box = page.locator("audio").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    shoot(page, f"sounds-phone-recording-{scheme}", whole=False)
    context.close()


def test_on_paper(page: Page, library: Path) -> None:
    """Waveforms are printed, dark on white."""
    page.set_viewport_size({"width": 718, "height": 1032})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto((library / "gallery.html").as_uri())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    holds(page, "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator(".shot.wave img").first.is_visible()
    shoot(page, "sounds-print")


def test_the_card_of_a_recording_has_its_waveform(page: Page, prefect: Prefect, ui: str, library: Path) -> None:
    """In both of Prefect's UIs, with its length and voice."""
    run = prefect.latest("sounds")
    found = prefect.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200})
    card = next(one for one in found if "sea-was-calm" in (one["key"] or ""))
    assert "data:image/webp;base64," in card["description"]
    assert "kHz mono" in card["description"]
    assert "**Voice** af\\_heart" in card["data"] or "**Voice** af_heart" in card["data"]
    see(page, prefect, ui, f"artifacts/artifact/{card['id']}")
    page.wait_for_function("[...document.images].some(i => i.naturalWidth == 480)")
    shoot(page, f"sounds-card-{ui}")
