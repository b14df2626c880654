"""What is shown of answers: words of models as they were written, and never as markup; events without a word of them."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from prefect_together import ChatRequest, GeneratedText
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.generations.generated_text import InvalidOutput
from prefect_together.ui import answers, gallery_items, markdown
from prefect_together.ui.events import payload

from .making import generated_image

MODEL = "Qwen/Qwen3.5-9B"
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}, "tags": {"type": "array"}}, "required": ["score"]}


def answer(content: str, *, choices: Any = None, usage: Any = None, **asked: Any) -> GeneratedText:
    """Return an answer that was kept."""
    given: dict[str, Any] = {"prompt": "Judge it.", "model": MODEL, **asked}
    fields: dict[str, Any] = {
        "created_at": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "model": MODEL,
        "fingerprint": "a" * 40,
        "cost": Decimal("0.0003"),
        "request": ChatRequest(**given),
        "choices": choices or [{"content": content, "finish_reason": "stop"}],
        "usage": usage,
    }
    return GeneratedText(**fields)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("one\ntwo", "one<br>two", id="lines"),
        pytest.param("# no heading", "\\# no heading", id="heading"),
        pytest.param("1. no list\n- nor this", "1\\. no list<br>\\- nor this", id="list"),
        pytest.param("<b>*a*</b> | $b$", "&lt;b&gt;\\*a\\*&lt;/b&gt; \\| \\$b\\$", id="markup"),
        pytest.param("  deep", "&nbsp;&nbsp;deep", id="indent"),
        pytest.param("See:\n```python\nx = '<b>'\n```\nDone.", "See:\n\n```\nx = '<b>'\n```\n\nDone.", id="code"),
        pytest.param("```\nnever ends", "```\nnever ends\n```", id="open-code"),
        pytest.param("~~~\n```\n~~~", "````\n```\n````", id="code-in-code"),
    ],
)
def test_words_of_a_model_are_shown_as_they_were_written(text: str, shown: str) -> None:
    """Lines are lines, code is code, and nothing else is read as markdown or HTML."""
    assert shown == answers.prose(text)


def test_fields_are_a_table() -> None:
    """An answer by a schema is a table of its fields, without the JSON that it came in."""
    said = answer('{"score": 7, "tags": ["a|b", "c"], "more": {"x": 1}}', response_format=SCHEMA)
    shown = answers.answer(said.description())
    assert "| score | 7 |" in shown
    assert "| tags | a\\|b, c |" in shown
    assert '| more | \\{"x":1\\} |' in shown
    assert '"score"' not in shown


def test_what_is_not_by_its_schema_says_so() -> None:
    """The text is shown, and why it is not what was asked for."""
    shown = answers.answer(answer("seven", response_format=SCHEMA).description())
    assert shown.startswith("**Not what was asked for:** it is no JSON")
    assert shown.endswith("\n\nseven")


def test_thinking_is_folded_and_harmless() -> None:
    """It is one line of HTML, in which nothing that was thought is a tag, and no empty line ends it."""
    choices = [{"content": "Yes.", "reasoning": "</details><script>\n\nhm"}]
    (folded,) = [
        part for part in answers.answer(answer("", choices=choices).description()).split("\n\n") if "Thinking" in part
    ]
    assert "<details><summary>Thinking</summary>&lt;/details&gt;&lt;script&gt;<br><br>hm</details>" == folded


def test_tokens_calls_and_several_answers() -> None:
    """Cached and thought tokens are told, each call by its name and arguments, each of several answers by its number."""
    usage = {"input_tokens": 1200, "cached_tokens": 200, "output_tokens": 50, "reasoning_tokens": 9}
    told = answer("", usage=usage, choices=[{"content": "a"}, {"content": "b"}], n=2).description()
    assert "1,200 tokens in (200 cached), 50 out (9 thought)" == told.brief
    assert "**1**\n\na\n\n**2**\n\nb" == answers.answer(told)
    called = answer("", choices=[{"tool_calls": [{"name": "weather", "arguments": '{"city": "Paris"}'}]}])
    assert '**Asks for** `weather`\n\n```\n{"city": "Paris"}\n```' == answers.answer(called.description())


def test_details_do_not_repeat_the_card() -> None:
    """A question that fits on the card is not asked twice, a long one is shown whole."""
    assert "Judge it" not in markdown.details(answer("Fine."))
    assert "x" * 600 in markdown.details(answer("Fine.", prompt="x" * 600))


def test_answers_stand_behind_what_they_speak_of() -> None:
    """Of several results, an answer comes behind the first picture that it is about, and nothing else moves."""
    first, second = generated_image(), generated_image(sha256="2" * 64)
    about_both, about_first, about_none = answer("c", images=[second, first]), answer("a", images=[first]), answer("n")
    found = answers.below_what_they_speak_of([about_none, first, second, about_both, about_first])
    assert [about_none, first, about_both, about_first, second] == found


def test_a_tile_has_what_was_said_cut_where_it_is_long() -> None:
    """A page of thousands of answers stays a page: texts are cut, and what is empty is left out."""
    item = gallery_items.of_result(answer("x" * 9000), lambda uri: uri)
    (text,) = item["said"]["texts"]
    assert len(text) < 4100
    assert "9,000 characters" in text
    assert {"texts", "facts"} == item["said"].keys()


@pytest.mark.parametrize("what", ["kept", "reused", "failed"])
def test_events_carry_neither_question_nor_answer(what: Any) -> None:
    """Nothing of either is in an event; `TRACE_PROMPTS` adds the question, under its name, and nothing else."""
    said = answer("secret words", prompt="a secret question", response_format=SCHEMA)
    error = InvalidOutput.of(said, "'secret' is wrong") if what == "failed" else None
    event = LifecycleEvent(what, said.request, result=None if error else said, error=error)
    assert "secret" not in str(payload(event, prompt=False))
    told = payload(event, prompt=True)
    assert "a secret question" == told.pop("prompt")
    assert "secret" not in str(told)
