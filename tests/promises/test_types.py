"""What is of no generation type that this release knows is refused in one sentence, before it is claimed or sent."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from prefect_together import MediaLibrary, expected, plan, requests_from_table
from prefect_together._internal.event_loop import run
from prefect_together.engine.lifecycle import generate, submit
from prefect_together.errors import InvalidRequest
from prefect_together.generations.request import Render, Request
from prefect_together.sandbox import Sandbox
from prefect_together.tasks._context import generation_context

from .asking import picture, run_batch

REFUSAL = re.compile(r"(?P<asked>\w+) is of no generation type that this release can send: it knows \w+(, \w+)*\.")


class _Unknown(Request):
    prompt: str = "a slow waltz"

    def fields(self, render: Render) -> dict[str, Any]:
        return {"model": self.model, "prompt": self.prompt}


class MusicRequest(_Unknown):
    """A request of a type that nobody has registered."""

    kind: ClassVar[str] = "music"


class Impostor(_Unknown):
    """A request that says that it is one for pictures, and is none."""

    kind: ClassVar[str] = "image"


class Nameless(_Unknown):
    """A request that does not say what it is."""


def _in_a_batch(request: Request) -> str:
    (item,) = run_batch([request], fail_on="never").items
    assert ("refused", "InvalidRequest", "nothing") == (item.outcome, item.error_type, item.paid)
    return str(item.error).removeprefix("Row 1: ")


def _in_a_plan(request: Request) -> str:
    planned = plan([request])
    assert (0, 1) == (planned.send, planned.refused)
    return planned.problems[0].removeprefix("Row 1: ")


def _refused(work: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as raised:
        work()
    assert "nothing" == raised.value.paid
    assert not raised.value.retryable
    return str(raised.value)


def _table(request: Request) -> str:
    return _refused(lambda: requests_from_table([request.model_dump()], request=type(request)))


async def _begin(request: Request, begin: Any) -> None:
    await begin(await generation_context(request, credentials=None, library=None))


DOORS: dict[str, Callable[[Request], str]] = {
    "generate_batch": _in_a_batch,
    "plan": _in_a_plan,
    "requests_from_table": _table,
    "expected": lambda request: _refused(lambda: expected(request)),
    "generate": lambda request: _refused(lambda: run(_begin(request, generate))),
    "submit": lambda request: _refused(lambda: run(_begin(request, submit))),
}
"""The ways by which a request of any type comes in, each returning what it says to one that it refuses."""


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("asked", [MusicRequest, Impostor, Nameless])
def test_unknown_types_are_refused_before_anything_is_claimed_or_sent(
    asked: type[Request], door: str, together_sandbox: Sandbox
) -> None:
    """One sentence that names the request and what is known; no request at the server and no entry in the ledger."""
    said = REFUSAL.fullmatch(DOORS[door](asked(model="google/lyria")))
    assert said
    assert asked.__name__ == said["asked"]
    assert [] == together_sandbox.requests()
    assert [] == run(MediaLibrary().storage().names("ledger"))


@pytest.mark.parametrize("asked", [MusicRequest, Impostor, Nameless])
def test_an_unknown_type_takes_nothing_else_with_it(asked: type[Request], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """In a batch of three the two pictures are made, and what nobody knows is refused: two charges, three rows in the table."""
    result = run_batch([picture(seed=1), asked(model="google/lyria"), picture(seed=2)])
    assert ["kept", "refused", "kept"] == [item.outcome for item in result.items]
    assert 2 == len(together_sandbox.charges())
    result.write_table(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        assert ["kept", "refused", "kept"] == [row["status"] for row in csv.DictReader(file)]


def test_a_request_of_ones_own_that_is_a_picture_is_sent(together_sandbox: Sandbox) -> None:
    """A subclass of a known request is of its type: refused is only what the release could not send."""

    class Poster(type(picture())):
        """A picture under another name."""

    assert 1 == run_batch([Poster.model_validate(picture(seed=1).model_dump(exclude_unset=True))]).kept
    assert 1 == len(together_sandbox.charges())
