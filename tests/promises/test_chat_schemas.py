"""Answers by schema: checked when they come, repaired where that is allowed, and never paid for without a word of it."""

from __future__ import annotations

import pickle
import re

import pytest

from prefect_together import InvalidOutput, ReasoningExhausted, generate_text
from prefect_together.sandbox import Sandbox

from .questions import CHAT, PATH, Scene, bodies, charged, failing, question


def test_a_schema_is_kept_to(together_sandbox: Sandbox) -> None:
    """The answer is a value of the class, the schema stands in the prompt, and references in it are written out."""
    answer = generate_text(question("A scene.", response_format=Scene, seed=7))
    scene = answer.parse(Scene)
    assert scene.model_dump() == answer.data
    (body,) = bodies(together_sandbox)
    assert "json_schema" == body["response_format"]["type"]
    assert "JSON schema" in body["messages"][0]["content"]


@pytest.mark.parametrize("fault", ["json_cut", "json_wrong"])
def test_an_invalid_answer_is_repaired_once(fault: str, together_sandbox: Sandbox) -> None:
    """One more request is paid for, both answers are kept, and a rerun pays for neither."""
    together_sandbox.fault(CHAT, fault)
    asked = question("A scene.", response_format=Scene, seed=7)
    assert generate_text(asked).parse(Scene)
    assert 2 == len(together_sandbox.charges())
    again = generate_text(asked)
    assert again.reused
    assert 2 == together_sandbox.count(PATH)


def test_an_answer_in_a_code_fence_is_read(together_sandbox: Sandbox) -> None:
    """Nobody pays a second time for three backticks."""
    together_sandbox.fault(CHAT, "json_fenced")
    answer = generate_text(question("A scene.", response_format=Scene, seed=7))
    assert "```" in answer.text
    assert answer.parse(Scene)
    assert 1 == together_sandbox.count(PATH)


@pytest.mark.parametrize(("repair", "posts"), [(0, 1), (1, 2), (3, 4)])
def test_repairs_are_bounded(repair: int, posts: int, together_sandbox: Sandbox) -> None:
    """What stays invalid is an error that has the text and the cost, pickles, and is free the next time; more is asked for."""
    together_sandbox.fault(CHAT, "json_wrong", times=9)
    asked = question("A scene.", response_format=Scene, seed=7, repair=repair)
    first, again = failing(InvalidOutput, asked), failing(InvalidOutput, asked)
    assert str(first) == str(again)
    assert "answered what was not asked for" in str(first)
    assert posts == together_sandbox.count(PATH)
    error = pickle.loads(pickle.dumps(first))
    assert error.result.text
    assert error.result.cost > 0
    assert ("yes", str(first)) == (error.paid, str(error))


def test_one_more_repair_pays_for_one_more(together_sandbox: Sandbox) -> None:
    """Raising ``repair`` goes on from the answers that are kept."""
    together_sandbox.fault(CHAT, "json_wrong", times=2)
    for repair in (0, 1):
        with pytest.raises(InvalidOutput):
            generate_text(question("A scene.", response_format=Scene, seed=7, repair=repair))
    assert generate_text(question("A scene.", response_format=Scene, seed=7, repair=2)).parse(Scene)
    assert 3 == together_sandbox.count(PATH)


def test_thinking_without_an_answer_is_an_error_of_its_own(together_sandbox: Sandbox) -> None:
    """It was paid for, its cost is known, it is not asked again, and the advice is what helps."""
    together_sandbox.fault(CHAT, "thought_only")
    asked = question(model="zai-org/GLM-5.3-Flash", seed=7)
    error, again = failing(ReasoningExhausted, asked), failing(ReasoningExhausted, asked)
    assert str(error) == str(again)
    assert "Raise max_tokens" in str(error)
    assert error.result is not None
    assert error.result.cost == charged(together_sandbox)
    assert error.result.reasoning
    assert 1 == together_sandbox.count(PATH)


def test_a_pattern_is_kept_to(together_sandbox: Sandbox) -> None:
    """A regular expression is a form of answer too."""
    assert generate_text(question(response_format=re.compile("(yes|no)"), seed=7)).text in {"yes", "no"}
