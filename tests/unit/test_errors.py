"""Every error says what happened, what was paid and what to do, and survives the way through a process boundary."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from prefect_together import errors
from prefect_together.batch.results import BatchResult
from prefect_together.errors import TogetherError
from prefect_together.generations.video import VideoJob

from .making import WHEN, video

PAID_WORDS = {"nothing": "Nothing was paid.", "maybe": "may have been charged", "yes": "paid for once"}
# An error of these says only what is wrong: who mistyped a field does not ask what was paid.
# What a batch paid stands in its result, item by item.
QUIET = (errors.InvalidRequest, errors.ConfigurationError, errors.BatchFailed)
VALUES: dict[str, Any] = {
    "advice": "Do this next.",
    "retryable": True,
    "status": 429,
    "code": "a_code",
    "request_id": "req-1",
    "retry_after": 1.5,
    "key": "f/any/0001",
    "at_risk": Decimal("0.28"),
    "received": "Once upon a",
    "job_id": "job-1",
    "result": BatchResult(manifest="file:///library/batches/a.jsonl", kept=2, failed=1),
    "job": VideoJob(id="job-1", request=video(), submitted_at=WHEN),
}


def tree(root: type[TogetherError] = TogetherError) -> Iterator[type[TogetherError]]:
    """Yield every error class of the package."""
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


ALL = sorted({error for error in tree() if error.__module__ == errors.__name__}, key=lambda error: error.__name__)
EACH = pytest.mark.parametrize("error", ALL, ids=[error.__name__ for error in ALL])


def made(error: type[TogetherError], **changed: Any) -> TogetherError:
    """Return an instance with every argument set to something that is not its default."""
    names = [name for name in inspect.signature(error).parameters if name not in {"what", "paid"}]
    assert [] == [name for name in names if name not in VALUES], "give the new argument a value in VALUES"
    arguments: dict[str, Any] = {"paid": "maybe", **{name: VALUES[name] for name in names}, **changed}
    return error("Something happened.", **arguments)


def attributes(error: TogetherError) -> dict[str, Any]:
    """Return everything an error knows."""
    return {**vars(error), "args": error.args, "text": str(error), "type": type(error)}


def test_the_tree_is_whole() -> None:
    """Every exception of the module is a `TogetherError`, and none is forgotten here."""
    defined = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, BaseException)]
    assert {item for item in defined if item.__module__ == errors.__name__} == set(ALL)


def test_the_docstring_draws_the_tree() -> None:
    """Who reads the module sees every error."""
    assert [] == [error.__name__ for error in ALL if error.__name__ not in str(errors.__doc__)]


@EACH
def test_an_error_survives_a_pickle(error: type[TogetherError]) -> None:
    """Prefect carries errors through processes and results: all that they know comes along."""
    before = made(error)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert attributes(before) == attributes(pickle.loads(pickle.dumps(before, protocol)))
    assert attributes(before) == attributes(copy.copy(before))


@EACH
def test_a_changed_error_survives_a_pickle(error: type[TogetherError]) -> None:
    """What was added to an error on its way up is not lost."""
    before = made(error)
    before.what, before.paid, before.advice = "Something else happened.", "yes", "Do that."
    assert attributes(before) == attributes(pickle.loads(pickle.dumps(before)))
    assert str(before).startswith("Something else happened.")


@EACH
def test_an_error_knows_what_it_was_told(error: type[TogetherError]) -> None:
    """Each argument is an attribute of the same name."""
    known = made(error)
    names = [name for name in inspect.signature(error).parameters if name not in {"what", "paid"}]
    assert {name: VALUES[name] for name in names} == {name: getattr(known, name) for name in names}


@EACH
@pytest.mark.parametrize("paid", list(PAID_WORDS))
def test_an_error_says_what_was_paid_and_what_to_do(error: type[TogetherError], paid: str) -> None:
    """What happened, what it cost, what next: in this order, on one line."""
    text = str(made(error, paid=paid))
    assert text.startswith("Something happened.")
    assert text.endswith("Do this next.")
    assert (PAID_WORDS[paid] in text) != issubclass(error, QUIET)
    assert [] == [words for other, words in PAID_WORDS.items() if other != paid and words in text]
    assert "\n" not in text


@EACH
def test_trying_again_is_never_the_default(error: type[TogetherError]) -> None:
    """`retryable` is set where somebody has thought about it, and nowhere else."""
    assert error("Something happened.").retryable is False


@pytest.mark.parametrize(
    ("error", "paid"),
    [
        *[pytest.param(error, "nothing", id=error.__name__) for error in (errors.APIError, errors.ConnectionFailed)],
        pytest.param(errors.InvalidRequest, "nothing", id="InvalidRequest"),
        pytest.param(errors.UnknownOutcome, "maybe", id="UnknownOutcome"),
        pytest.param(errors.GenerationFailed, "maybe", id="GenerationFailed"),
        pytest.param(errors.GenerationTimeout, "yes", id="GenerationTimeout"),
    ],
)
def test_what_was_paid_where_nobody_says(error: type[TogetherError], paid: str) -> None:
    """The default is the honest one."""
    assert paid == error("Something happened.").paid


@pytest.mark.parametrize("error", [errors.InvalidRequest, errors.ConfigurationError])
def test_what_never_left_is_a_value_error(error: type[TogetherError]) -> None:
    """Mistakes of the caller are what Python calls a `ValueError`."""
    assert issubclass(error, ValueError)
