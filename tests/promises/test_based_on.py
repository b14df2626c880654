"""What is made from an answer says so: in the ledger, and before money where the answer does not last."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import flow

from prefect_together import (
    ChatRequest,
    GeneratedImage,
    GeneratedText,
    generate_batch,
    generate_image,
    generate_text,
    plan,
    sandbox,
)
from prefect_together._internal.event_loop import run
from prefect_together.engine.trace import trace
from prefect_together.ledger.queries import list_attempts
from prefect_together.storage.storage import Storage

from .asking import picture

ANEW = "asks for anew"


def question(**fields: Any) -> ChatRequest:
    """Ask for a prompt."""
    asked: dict[str, Any] = {"prompt": "Name a fox.", "model": "zai-org/GLM-5.3-Flash", **fields}
    return ChatRequest(**asked)


@flow
def drawn(asked: ChatRequest, **how: Any) -> tuple[GeneratedText, GeneratedImage, str]:
    """Draw what a model says, after a look at the plan."""
    said: GeneratedText = cast("Any", generate_text)(asked, **how)
    request = picture(said.text[:60], seed=7, based_on=said)
    told = plan([request]).text()
    return said, generate_image(request), told


@pytest.mark.parametrize(
    ("asked", "how", "warned"),
    [
        pytest.param({}, {}, True, id="once-per-run"),
        pytest.param({"seed": 7}, {}, False, id="seed"),
        pytest.param({"temperature": 0}, {}, False, id="temperature-0"),
        pytest.param({}, {"reuse": "always"}, False, id="reuse-always"),
        pytest.param({"seed": 7}, {"reuse": "never"}, True, id="reuse-never"),
    ],
)
def test_what_is_made_from_an_answer_that_does_not_last_is_warned_of(
    together_sandbox: sandbox.Sandbox,
    caplog: pytest.LogCaptureFixture,
    asked: dict[str, Any],
    how: dict[str, Any],
    *,
    warned: bool,
) -> None:
    """A plan and a line of the log say so before it is paid for; of what lasts nothing is said."""
    with caplog.at_level(logging.WARNING):
        _, _, told = drawn(question(**asked), **how)
    assert warned == (ANEW in told)
    assert warned == (ANEW in caplog.text)
    assert ["chat", "image"] == [charge.kind for charge in together_sandbox.charges()]


def test_an_answer_of_a_named_batch_lasts(together_sandbox: sandbox.Sandbox, tmp_path: Path) -> None:
    """Its rows are asked once, whatever they are asked with, so nothing has to be said of what is made from them."""
    batch = generate_batch([question()], name="ideas")
    (said,) = [result for item in batch.items for result in item.results]
    assert ANEW not in plan([picture(seed=7, based_on=said)]).text()
    assert ANEW in plan([picture(seed=7, based_on=said.model_copy(update={"scope": "run-1"}))]).text()


def test_the_ledger_has_the_way_from_text_to_picture(
    together_sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture's claim names the answer, and `trace` follows it; its words are in the answer's own entry alone."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))
    said, made, _ = drawn(question(seed=7))
    storage = Storage(str(tmp_path / "library"))
    (claim,) = [row.claim for row in run(list_attempts(storage)) if row.kind == made.kind]
    assert [said.cited().model_dump()] == claim["request"]["based_on"]
    (before,) = run(trace(storage, made.uri)).inputs
    assert not isinstance(before, str)
    assert said.request == before.request
    assert said.text[:40] in before.text()


def test_a_way_with_many_branches_is_told_once(
    together_sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds that are each based on the two before: every story is told once, however many ways lead to it."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))

    @flow
    def rounds() -> list[GeneratedText]:
        said = [generate_text(question(seed=1))]
        for seed in range(2, 7):
            said.append(generate_text(question(seed=seed, based_on=said[-2:])))
        return said

    said = rounds()
    text = run(trace(Storage(str(tmp_path / "library")), said[-1].fingerprint)).text()
    assert len(said) == text.count("known from:")
    assert "(told above)" in text
