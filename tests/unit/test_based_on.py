"""Requests say which results their words came from, and nothing that is sent or known of them changes by it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from prefect_together import ChatRequest, GeneratedText, ImageRequest, ResultReference, VideoRequest
from prefect_together.errors import InvalidRequest
from prefect_together.generations.code import as_code
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.lineage import parents
from prefect_together.generations.request import Request

from .making import generated_image, image, shown, video

MODEL = "zai-org/GLM-5.3-Flash"


def answer(
    text: str = "A fox in the snow.", *, fingerprint: str = "a" * 40, scope: str | None = None, **asked: Any
) -> GeneratedText:
    """Return an answer that was kept."""
    given: dict[str, Any] = {"prompt": "Name a fox.", "model": MODEL, **asked}
    fields: dict[str, Any] = {
        "created_at": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "model": MODEL,
        "fingerprint": fingerprint,
        "scope": scope,
        "request": ChatRequest(**given),
        "choices": [{"content": text}],
    }
    return GeneratedText(**fields)


def question(**fields: Any) -> ChatRequest:
    """Ask something, changed as told."""
    asked: dict[str, Any] = {"prompt": "And then?", "model": MODEL, **fields}
    return ChatRequest(**asked)


MAKERS: list[Any] = [image, video, question]


@pytest.mark.parametrize("make", MAKERS, ids=["image", "video", "chat"])
async def test_it_changes_nothing_that_is_asked(make: Any) -> None:
    """Body, fingerprint, price and what a person calls it are those of the same request without it."""
    plain, based = make(), make(based_on=answer())
    assert plain.body(shown) == based.body(shown)
    assert plain.given() == based.given()
    assert plain.label() == based.label()
    assert await fingerprint_of(plain, environment="x") == await fingerprint_of(based, environment="x")


@pytest.mark.parametrize("make", MAKERS, ids=["image", "video", "chat"])
def test_it_is_kept_as_references_without_the_answer(make: Any) -> None:
    """One result or several become small references, through JSON and back; the answer's words are not in them."""
    first, second = answer("secret words"), generated_image(fingerprint="b" * 40)
    for given, count in ((first, 1), ([first, second], 2), ((first.cited(),), 1)):
        request: Request = make(based_on=given)
        assert count == len(request.words_from())
        assert ("chat", "a" * 40, "Name a fox.") == (
            request.words_from()[0].kind,
            request.words_from()[0].fingerprint,
            request.words_from()[0].title,
        )
        written = request.model_dump_json(exclude_unset=True)
        assert "secret" not in written
        assert request == type(request).model_validate_json(written)


def test_without_it_nothing_is_written_of_it() -> None:
    """A request that is based on nothing is written down as by a release that knew nothing of it."""
    assert "based_on" not in image(seed=7).model_dump(mode="json", exclude_unset=True)
    assert () == image().words_from()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param(3, "based_on[0] is 3: give a result, such as generate_text returns it", id="number"),
        pytest.param("a fox", "based_on[0] is 'a fox': give a result", id="text"),
        pytest.param([None], "based_on[0] is None: give a result", id="none"),
        pytest.param({"kind": "chat", "fingerprint": "?"}, "based_on", id="no-fingerprint"),
    ],
)
def test_what_is_no_result_is_refused(wrong: Any, why: str) -> None:
    """One sentence says what to give."""
    with pytest.raises(InvalidRequest) as refused:
        image(based_on=wrong)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "scope", "anew"),
    [
        pytest.param({}, None, True, id="no-seed"),
        pytest.param({}, "run-1", True, id="of-a-run"),
        pytest.param({"seed": 7}, "call-1", True, id="never-reused"),
        pytest.param({"seed": 7}, None, False, id="seed"),
        pytest.param({"temperature": 0}, None, False, id="temperature-0"),
        pytest.param({"temperature": 0.7}, None, True, id="temperature"),
        pytest.param({}, "any", False, id="always"),
        pytest.param({}, "batch-nightly", False, id="named-batch"),
        pytest.param({"seed": 7, "based_on": ResultReference(kind="chat", fingerprint="b" * 40, asked_anew=True)}, "any", True, id="of-one-asked-anew"),
    ],
)  # fmt: skip
def test_whether_the_next_run_asks_it_anew(asked: dict[str, Any], scope: str | None, *, anew: bool) -> None:
    """With a seed, a temperature of 0 or in a named batch an answer lasts, unless what it is made of does not."""
    assert anew == answer(scope=scope, **asked).cited().asked_anew


def test_lineage_leads_from_text_to_picture() -> None:
    """Among the results of a run, a picture names the answer that its prompt came from."""
    said = answer()
    drawn = generated_image(request=image(based_on=said))
    assert [1] == parents(drawn, [drawn, said])
    assert [] == parents(said, [drawn, said])


def test_code_that_is_pasted_makes_the_same_request() -> None:
    """`replay` writes what a request is based on, with its imports."""
    request = image(based_on=[answer(seed=7), answer("b", fingerprint="c" * 40)])
    room: dict[str, Any] = {}
    exec(as_code(request), room)
    assert request == room["request"]


def test_a_repair_is_based_on_the_answer_that_it_mends() -> None:
    """Rounds are called by the question, and told apart; nobody is warned of asking the same question again."""
    first = answer("no json", response_format={"type": "json_object"}, based_on=answer(fingerprint="d" * 40))
    second = first.request.repaired("no json", "it is no JSON", first.cited())
    third = second.repaired("neither", "it is no JSON", answer(fingerprint="e" * 40).cited())
    assert [0, 1, 2] == [one.repair_round for one in (first.request, second, third)]
    assert ["Name a fox.", "repair 1 · Name a fox.", "repair 2 · Name a fox."] == [
        one.label() for one in (first.request, second, third)
    ]
    assert ["a" * 40] == [source.fingerprint for source in second.words_from()]


def test_requests_of_both_kinds_of_files_take_it() -> None:
    """Pictures and clips may be based on answers."""
    for kind in (ImageRequest, VideoRequest):
        assert 1 == len(kind(prompt="a", model="b", based_on=answer()).words_from())
