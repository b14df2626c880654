"""What a person sees of answers: cards in both of Prefect's UIs, and the gallery, light, dark and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Prefect, holds, says, see, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PROSE = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
STORY = f"""
from typing import Literal

from prefect import flow
from pydantic import BaseModel

from prefect_together import (
    ChatRequest, ImageRequest, Tool, VideoRequest, generate_image, generate_text, generate_video, publish_gallery, sandbox,
    write_gallery,
)


class Judgement(BaseModel):
    score: int
    caption: str
    tags: list[str]
    mood: Literal["calm", "wild"]


@flow
def answers():
    idea = generate_text(ChatRequest(
        prompt="A prompt for a picture of a fox: *one* line, no <b>markup</b> | please.", model="{PROSE}", max_tokens=40,
    ))
    still = generate_image(
        ImageRequest(prompt="a red fox in deep snow", model="black-forest-labs/FLUX.2-pro", seed=7, based_on=idea)
    )
    other = generate_image(ImageRequest(prompt="a lighthouse at dusk", model="black-forest-labs/FLUX.2-pro", seed=8))
    box.fault("POST /v1/chat/completions", "json_wrong")
    judged = generate_text(ChatRequest(
        prompt="Judge this picture.", images=[still], model="Qwen/Qwen3.5-9B", response_format=Judgement, seed=7,
    ))
    both = generate_text(ChatRequest(
        prompt="Which of them is better, and why?", images=[still, other], model="Qwen/Qwen3.5-9B", seed=7,
    ))
    clip = generate_video(VideoRequest(
        prompt="slow push in", model="sandbox/tiny", width=256, height=144, seconds=1, fps=15, frame_images=[still], seed=7,
        based_on=judged,
    ))
    thought = generate_text(ChatRequest(prompt="Tell a story of a fox.", model="openai/gpt-oss-120b", seed=7))
    called = generate_text(ChatRequest(
        prompt="What is the weather in Paris?", model="{PROSE}", seed=7, tool_choice="required",
        tools=[Tool(name="get_weather", parameters={{"type": "object", "properties": {{"city": {{"type": "string"}}}}}})],
    ))
    publish_gallery([idea, still, other, clip, judged, both, thought, called], key="answers", title="Fox & Co.")
    write_gallery(title="Answers")


with sandbox.serve(render_seconds=1) as box:
    import os
    os.environ["TOGETHER_API_KEY"], os.environ["TOGETHER_BASE_URL"] = "key", box.url
    answers()
"""


@pytest.fixture(scope="module")
def library(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a flow of answers, pictures and a clip, and return its library."""
    folder = tmp_path_factory.mktemp("answers") / "library"
    prefect.but(PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=str(folder)).run("-c", STORY)
    return folder


@pytest.fixture(scope="module")
def cards(prefect: Prefect, library: Path) -> dict[str, Any]:
    """Return the artifacts of that run by their keys."""
    run = prefect.latest("answers")["id"]
    return {one["key"]: one for one in prefect.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})}


def _card(cards: dict[str, Any], start: str) -> dict[str, Any]:
    return next(card for key, card in cards.items() if key.startswith(start))


def test_a_card_says_question_answer_and_cost(page: Page, prefect: Prefect, cards: dict[str, Any], ui: str) -> None:
    """A judgement shows the picture it is about, its fields as a table, tokens and cost, and that it was asked again."""
    card = _card(cards, "repair-1-judge-this")
    see(page, prefect, ui, f"artifacts/artifact/{card['id']}")
    page.wait_for_function("[...document.images].filter(i => 480 <= i.naturalWidth && i.naturalWidth <= 528).length == 1")
    page.locator("td", has_text="caption").first.wait_for()
    shoot(page, f"answer-card-{ui}")
    says(page, "Judge this picture.", "repair 1", "tokens in", "Qwen3.5-9B", "Tariff", "Ended by")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400


def test_an_answer_that_was_asked_again_says_why(cards: dict[str, Any]) -> None:
    """The first of two has a card of its own, which says what was wrong with it and is told apart."""
    first = _card(cards, "judge-this")
    assert "Not what was asked for" in first["description"]
    assert "Not what was asked for" in first["data"]


def test_thinking_is_folded_away(page: Page, prefect: Prefect, cards: dict[str, Any], ui: str) -> None:
    """Of an answer that was thought about, the answer is shown, and the thinking where one asks for it."""
    see(page, prefect, ui, f"artifacts/artifact/{_card(cards, 'tell-a-story')['id']}")
    page.locator("summary", has_text="Thinking").wait_for()
    shoot(page, f"answer-thinking-{ui}")
    assert not page.evaluate("document.querySelector('details').open")


def test_markup_of_a_question_is_shown_as_it_is(page: Page, prefect: Prefect, cards: dict[str, Any], ui: str) -> None:
    """Asterisks, tags and pipes are characters."""
    see(page, prefect, ui, f"artifacts/artifact/{_card(cards, 'a-prompt-for')['id']}")
    shown = page.get_by_text("A prompt for a picture of a fox: *one* line, no <b>markup</b> | please.").last
    shown.wait_for()
    assert 0 == shown.locator("b, em, i, strong").count()
    shoot(page, f"answer-plain-{ui}")


def test_a_tool_call_is_readable(page: Page, prefect: Prefect, cards: dict[str, Any], ui: str) -> None:
    """What the model asks for is named, with its arguments as code."""
    see(page, prefect, ui, f"artifacts/artifact/{_card(cards, 'what-is-the-weather')['id']}")
    code = page.locator("pre", has_text="city").first
    code.wait_for()
    assert "Paris" in code.inner_text()
    shoot(page, f"answer-call-{ui}")


def test_the_runs_artifacts_and_gallery(page: Page, prefect: Prefect, cards: dict[str, Any], library: Path, ui: str) -> None:
    """Cards of answers stand among those of pictures; in the table an answer stands below the picture that it speaks of."""
    run = prefect.latest("answers")["id"]
    see(page, prefect, ui, f"runs/flow-run/{run}?tab=Artifacts")
    page.get_by_text("Artifacts", exact=True).last.click()
    page.get_by_text("score").first.wait_for()
    page.wait_for_timeout(1500)
    shoot(page, f"answers-run-{ui}")
    see(page, prefect, ui, f"artifacts/artifact/{cards['answers']['id']}")
    page.locator("td", has_text="score").first.wait_for()
    shoot(page, f"answers-table-{ui}")
    rows = page.locator("tr").all_inner_texts()
    (still,) = [place for place, row in enumerate(rows) if "red fox" in row and "picture" in row and "FLUX" in row]
    assert "Judge this picture" in rows[still + 1]
    assert "Which of them" in rows[still + 2]


def test_the_gallery_has_answers_with_their_pictures(page: Page, library: Path) -> None:
    """A judgement is a tile and stands below its picture; search finds both by its words; the way leads from text to clip."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((library / "gallery.html").as_uri())
    holds(page, "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth > 0)")
    shoot(page, "answers-gallery")
    assert "6 answers" in page.inner_text("#totals")
    still = page.locator(".tile", has=page.get_by_text("a red fox in deep snow", exact=True)).filter(
        has=page.locator(".note")
    )
    assert "score" in (still.first.locator(".note").first.text_content() or "")
    page.get_by_label("Kind").select_option("answer")
    assert 6 == page.locator(".tile").count()
    page.get_by_label("Kind").select_option("")
    page.get_by_label("Search prompts").fill("score caption mood")
    assert {"picture", "answer", "clip"} >= {tile.split(",")[0] for tile in _labels(page)} >= {"picture", "answer"}
    page.get_by_label("Search prompts").fill("")
    still.first.click()
    page.wait_for_timeout(300)
    shoot(page, "answers-gallery-picture", whole=False)
    assert "Judge this picture." in page.inner_text("#notes")
    way = page.locator("#way button")
    assert "answer: A prompt for a picture" in way.first.inner_text()
    way.last.click()
    page.wait_for_timeout(300)
    shoot(page, "answers-gallery-clip", whole=False)
    page.keyboard.press("Escape")
    for number, title in enumerate(("Tell a story", "Judge this picture", "What is the weather", "Which of them")):
        page.locator(".tile", has=page.locator(".badge", has_text="answer"), has_text=title).first.click()
        page.wait_for_timeout(200)
        shoot(page, f"answers-gallery-answer-{number}", whole=False)
        page.keyboard.press("Escape")
    assert [] == complaints


def _labels(page: Page) -> list[str]:
    return [str(tile.get_attribute("aria-label")) for tile in page.locator(".tile").all()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_answers_on_a_phone(chromium: Browser, library: Path, scheme: Any) -> None:
    """Nothing is wider than a phone, neither tiles nor a whole answer."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, device_scale_factor=2)
    page = context.new_page()
    page.goto((library / "gallery.html").as_uri())
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, f"answers-phone-{scheme}")
    page.locator(".tile", has_text="Judge this picture").first.click()
    page.wait_for_timeout(300)
    shoot(page, f"answers-phone-{scheme}-open", whole=False)
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")
    context.close()
