"""Functions that take results or requests say in one sentence what they were given instead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from prefect_together import approved_images, check_requests, money, review_images, summary
from prefect_together.batch.results import BatchResult
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.messages import Tool

REQUEST = ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro")


@pytest.mark.parametrize("call", [review_images, approved_images, money, summary], ids=lambda call: call.__name__)
@pytest.mark.parametrize("given", [None, 5, "x.png", ["x.png"], [None], REQUEST, [REQUEST]], ids=repr)
def test_what_is_no_result_is_told(call: Callable[[Any], Any], given: Any) -> None:
    """Whatever it is, alone or in a list."""
    with pytest.raises(
        InvalidRequest, match=rf"^{call.__name__} takes (results|pictures that were generated), and was given "
    ):
        call(given)


@pytest.mark.parametrize("call", [review_images, approved_images, money, summary], ids=lambda call: call.__name__)
def test_what_still_runs_is_waited_for_first(call: Callable[[Any], Any]) -> None:
    """The hint says how."""
    with pytest.raises(InvalidRequest, match=r"was given a Future: call \.result\(\) on it"):
        call([Future[Any]()])


@pytest.mark.parametrize("given", [[REQUEST], "x.csv", None, Future[Any]()], ids=["list", "table", "none", "future"])
def test_requests_are_checked_one_by_one(given: Any) -> None:
    """Each is an argument of its own."""
    check_requests(REQUEST)
    with pytest.raises(InvalidRequest, match="check_requests takes requests, each as an argument of its own, and was given"):
        check_requests(given)


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan")])
def test_what_a_tool_takes_is_json(value: Any) -> None:
    """It would be sent as such."""
    with pytest.raises(ValueError, match="it is no JSON"):
        Tool(name="look", parameters={"type": "object", "properties": {"a": value}})


def test_answers_that_are_not_what_was_asked_for_were_paid_for() -> None:
    """A batch of nothing else says so."""
    result = BatchResult(manifest="m", invalid=2, unknown_costs=2)
    assert "2 invalid. Paid in this batch: 2 of unknown cost." == str(result)
