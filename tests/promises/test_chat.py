"""Questions and answers: paid once, priced by the tokens, never lost."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_together import (
    ChatRequest,
    GeneratedText,
    Message,
    SpendLimit,
    Tool,
    agenerate_text,
    generate_batch,
    generate_image,
    generate_text,
    generate_video,
)
from prefect_together.errors import InvalidRequest, UnknownOutcome
from prefect_together.sandbox import Sandbox

from .asking import clip, picture
from .questions import CHAT, LLAMA, PATH, SEES, bodies, charged, question


@flow
def _answered(request: ChatRequest) -> GeneratedText:
    return generate_text(request)


@pytest.mark.parametrize("fields", [{"seed": 7}, {"temperature": 0}], ids=["seed", "temperature"])
def test_a_question_that_can_be_asked_again_is_asked_once(fields: dict[str, Any], together_sandbox: Sandbox) -> None:
    """With a seed, or at a temperature of 0, two runs are one POST and one charge."""
    first, second = _answered(question(**fields)), _answered(question(**fields))
    assert (first.text, False, True) == (second.text, first.reused, second.reused)
    assert [1, 1] == [together_sandbox.count(PATH), len(together_sandbox.charges())]


def test_any_other_question_is_asked_once_a_run(together_sandbox: Sandbox) -> None:
    """Without a seed, equal questions of one run share an answer, and the next run asks anew."""

    @flow
    def twice() -> list[bool]:
        return [generate_text(question()).reused for _ in range(2)]

    assert [False, True] == twice()
    assert [False, True] == twice()
    assert 2 == together_sandbox.count(PATH)


def test_an_answer_costs_what_its_tokens_do(together_sandbox: Sandbox) -> None:
    """The cost is exact: tokens at the list price, those that were remembered at theirs; the bound is above it."""
    answer = _answered(question("Tell me of foxes. " * 60, model="deepseek-ai/DeepSeek-V4.1-Flash", seed=1))
    again = _answered(question("Tell me of foxes. " * 60, model="deepseek-ai/DeepSeek-V4.1-Flash", seed=2))
    for one in (answer, again):
        usage, tariff = one.usage, one.tariff
        assert usage is not None
        assert tariff is not None
        assert one.cost is not None
        fresh = usage.input_tokens - usage.cached_tokens
        million = fresh * tariff.input + usage.cached_tokens * tariff.cached + usage.output_tokens * tariff.output
        assert million / 1_000_000 == one.cost
        assert one.cost < (one.estimated_cost or 0)
    assert again.usage is not None
    assert again.usage.cached_tokens > 0
    assert charged(together_sandbox) == (answer.cost or 0) + (again.cost or 0)


@pytest.mark.parametrize("model", [LLAMA, "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V4.1-Flash", "zai-org/GLM-5.3-Flash"])
def test_bit_by_bit_is_the_same_answer(model: str, together_sandbox: Sandbox) -> None:
    """Each backend's stream gives the text, thinking, usage and cost of its whole answer, and is one with it in the ledger."""
    whole = generate_text(question(model=model, seed=7), reuse="never")
    streamed = generate_text(question(model=model, seed=7, stream=True), reuse="never")
    assert (whole.text, whole.reasoning, whole.cost) == (streamed.text, streamed.reasoning, streamed.cost)
    assert whole.usage is not None
    assert streamed.usage is not None
    assert whole.usage.output_tokens == streamed.usage.output_tokens
    assert whole.fingerprint == streamed.fingerprint


def test_a_long_answer_is_streamed_by_itself(together_sandbox: Sandbox) -> None:
    """What may take minutes comes bit by bit, without anybody asking for that."""
    generate_text(question(max_tokens=20_000, seed=7))
    generate_text(question(max_tokens=None, seed=7))
    generate_text(question(seed=7))
    sent = bodies(together_sandbox)
    assert [True, True, None] == [body.get("stream") for body in sent]
    assert [20_000, None, 200] == [body.get("max_tokens") for body in sent]


@pytest.mark.parametrize("fault", ["stream_cut", "stream_error"])
def test_a_stream_that_breaks_off_is_unknown_and_kept(fault: str, together_sandbox: Sandbox) -> None:
    """What arrived is in the error and in the ledger; it is charged, and not asked again unless that is allowed."""
    together_sandbox.fault(CHAT, fault)
    with pytest.raises(UnknownOutcome) as raised:
        generate_text(question(seed=7, stream=True), on_unknown="fail")
    assert raised.value.received
    assert 1 == len(together_sandbox.charges())
    assert "of it came, and are kept" in str(raised.value)
    with pytest.raises(UnknownOutcome) as again:
        generate_text(question(seed=7), on_unknown="fail")
    assert raised.value.received == again.value.received
    assert 1 == together_sandbox.count(PATH)


def test_an_answer_without_tokens_has_no_cost(together_sandbox: Sandbox) -> None:
    """What was not counted is not known: the cost is None, and the bound stands beside it."""
    together_sandbox.fault(CHAT, "no_usage")
    answer = generate_text(question(seed=7))
    assert (None, None) == (answer.cost, answer.usage)
    assert answer.estimated_cost is not None


def test_pictures_are_seen(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A kept picture, its local file and a larger copy go out as small JPEGs; the same bytes are the same question."""
    still = generate_image(picture("a red fox in deep snow", seed=7, width=1536, height=1024))
    answer = generate_text(question("What is it?", model=SEES, images=[still], seed=7))
    assert "fox" in answer.text
    (body,) = bodies(together_sandbox)
    assert "data:image/jpeg;base64" in str(body)
    same = generate_text(question("What is it?", model=SEES, images=[still.path()], seed=7))
    assert same.reused
    assert 1 == together_sandbox.count(PATH)


def test_clips_are_seen_by_their_pictures(together_sandbox: Sandbox) -> None:
    """A clip goes out as pictures cut out of it evenly; another number of them is another question."""
    film = generate_video(clip("a fox jumps", seed=7))
    few = generate_text(question("What happens?", model=SEES, videos=[film], frames=3, seed=7))
    more = generate_text(question("What happens?", model=SEES, videos=[film], frames=5, seed=7))
    assert few.usage is not None
    assert more.usage is not None
    assert few.usage.input_tokens < more.usage.input_tokens
    counts = [str(body).count("'image_url'") // 2 for body in bodies(together_sandbox)]
    assert [3, 5] == counts


def test_tools_are_asked_for_and_answered(together_sandbox: Sandbox) -> None:
    """What the model wants to call is in the answer; the conversation goes on with what it gave."""
    weather = Tool(name="get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
    first = generate_text(question("The weather in Paris?", tools=[weather], tool_choice="required", seed=7))
    (call,) = first.tool_calls
    assert ("get_weather", "tool_calls") == (call.name, first.finish_reason)
    assert "city" in call.parsed()
    told = [Message(role="user", content="The weather in Paris?"), first.message()]
    told.append(Message(role="tool", tool_call_id=call.id, content="Sunny."))
    asked = ChatRequest(model=LLAMA, messages=told, tools=[weather], seed=7, max_tokens=100)
    assert generate_text(asked).text


def test_several_answers(together_sandbox: Sandbox) -> None:
    """``n`` answers come in one request, and are paid for together."""
    answer = generate_text(question(n=3, seed=7))
    assert 3 == len(answer.choices)
    assert answer.cost == charged(together_sandbox)


async def test_async(together_sandbox: Sandbox) -> None:
    """The twin is the same question."""
    first = await agenerate_text(question(seed=7))
    assert first.text
    assert (await agenerate_text(question(seed=7))).reused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"images": ["https://example.com/a.png"]}, "does not take images"),
        ({"model": "zai-org/GLM-5.3-Flas"}, "did you mean zai-org/GLM-5.3-Flash"),
        ({"images": ["no.png"], "model": SEES}, "there is no file 'no.png'"),
    ],
)
def test_what_cannot_be_answered_is_not_sent(fields: dict[str, Any], said: str, together_sandbox: Sandbox) -> None:
    """One sentence, and nothing paid."""
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        generate_text(question(**fields))
    assert 0 == together_sandbox.count(PATH)


def test_a_limit_holds_for_tokens(together_sandbox: Sandbox) -> None:
    """A limit reserves the upper bound and settles what it was: many cheap answers fit into it, and it is never passed."""
    limit = SpendLimit(name="words", usd=Decimal("0.003"))
    rows = [question(f"Name fox {number}.", seed=number) for number in range(40)]
    result = generate_batch(rows, limit=limit, concurrency=2, fail_on="never")
    assert result.kept > 3
    assert result.kept + result.refused == len(rows)
    assert charged(together_sandbox) <= Decimal("0.003")
