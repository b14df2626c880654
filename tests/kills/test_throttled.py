"""A bucket that answers ``503 SlowDown``, now and then, after it did what was asked, or to all for a while; charges are counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox
from tests.throttling import ThrottledS3, throttled
from tests.waiting import until

from .asking import DEAR, INLINE, PICTURE, TINY, job
from .batching import ROWS, batch_job, paid_once
from .running import Workshop, at_once

pytestmark = pytest.mark.slow
SEEDED = {**PICTURE, "seed": 7}


@pytest.fixture
def busy(s3_endpoint: str) -> Iterator[ThrottledS3]:
    """Run what throttles in front of the S3 of the tests."""
    with throttled(s3_endpoint) as s3:
        yield s3


@pytest.fixture
def there(busy: ThrottledS3, bucket: dict[str, Any]) -> dict[str, Any]:
    """Return where the bucket is, behind it."""
    return {"library": bucket["library"], "options": {**bucket["options"], "endpoint": busy.url}}


def test_one_request_in_three_is_refused(
    busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """Pictures, a clip and a named batch come out as ever, for a charge each, and are found again."""
    busy.share(3)
    told = job(together, there["library"], SEEDED, {**TINY, "seed": 7}, options=there["options"])
    assert [False, False] == [file["reused"] for file in workers.start(told).stored()]
    assert [True, True] == [file["reused"] for file in workers.start(told).stored()]
    rows = [{**PICTURE, "width": 64, "height": 64, "seed": seed} for seed in range(8)]
    named = {**job(together, there["library"], *rows, options=there["options"]), "named": {"name": "foxes"}}
    for kept in (8, 0):
        result = workers.start(named).ends()["result"]
        assert (kept, 8 - kept) == (result["kept"], result["reused"])
    assert 10 == len(together.charges())
    assert busy.refused["PUT"]
    assert busy.refused["GET"]


def test_what_was_done_and_refused_is_found_to_be_ones_own(
    busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """The answer to each first write is 503 though it was done: the second sees its own object, and nobody pays for that."""
    busy.done_and_refused()
    told = job(together, there["library"], SEEDED, {**INLINE, "seed": 8}, options=there["options"])
    assert [False, False] == [file["reused"] for file in workers.start(told).stored()]
    assert [True, True] == [file["reused"] for file in workers.start(told).stored()]
    rows = [{**PICTURE, "width": 64, "height": 64, "seed": seed} for seed in range(20, 28)]
    limited = {"name": "foxes", "limit": ["autumn", 0.24]}
    result = workers.start({**job(together, there["library"], *rows, options=there["options"]), "named": limited}).ends()[
        "result"
    ]
    assert (8, 10) == (result["kept"], len(together.charges()))
    done = [path for path in busy.done if "claimed" in path or "limits" in path]
    assert len(done) > 10


@pytest.mark.parametrize("how", ["share", "done", "while-it-is-made"])
def test_a_batch_at_together(
    how: str, busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """One batch, every row charged once and answered, and found again; also where all is refused once Together has it."""
    if how == "share":
        busy.share(3)
    elif how == "done":
        busy.done_and_refused()
    else:
        busy.when(lambda: bool(together.batches()) and busy.refused.total() < 30)
    told = batch_job(together, **there)
    paid_once(together, workers.start(told).ends())
    assert {"reused": ROWS} == workers.start(told).ends()["counts"]


def test_processes_that_ask_for_the_same_pay_once(
    busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop, tmp_path: Any
) -> None:
    """Each write is done and refused, so that all of them but one see an object that is another's, and one its own."""
    busy.done_and_refused()
    told = job(together, there["library"], SEEDED, options=there["options"])
    running = at_once(workers, [told] * 3, tmp_path / "gate")
    assert 1 == len({worker.stored()[0]["uri"] for worker in running})
    assert 1 == len(together.charges())


def test_a_claim_that_was_long_in_coming_is_looked_at_again(
    busy: ThrottledS3, there: dict[str, Any], bucket: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """It was there when its sender did not know it yet, and another took it for that of a dead one: that one alone sends."""
    busy.fault = lambda _, path, __: "refused" if busy.done else "done" if "claimed" in path else None
    told = job(together, bucket["library"], SEEDED, options=bucket["options"], overdue=1.6, stale=0.25)
    first = workers.start({**told, **there, "machine": "elsewhere"})
    until("its claim is there", lambda: busy.done)
    files = workers.start(told).stored()
    busy.none()
    assert [file["uri"] for file in files] == [file["uri"] for file in first.stored()]
    assert 1 == len(together.charges())


@pytest.mark.parametrize(
    ("request_", "since"),
    [
        pytest.param(SEEDED, "start", id="from-the-start"),
        pytest.param(SEEDED, "charge", id="link"),
        pytest.param({**INLINE, "seed": 7}, "charge", id="inline"),
        pytest.param({**DEAR, "seed": 7}, "charge", id="clip"),
    ],
)
def test_all_are_refused_for_a_while(
    request_: dict[str, Any], since: str, busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """For longer than obstore asks again by itself, before anything is sent or from the charge on: it is kept afterwards."""
    busy.when(lambda: since == "start" or bool(together.charges()))
    worker = workers.start(job(together, there["library"], request_, options=there["options"]))
    until("obstore has given up", lambda: busy.refused.total() > 13)
    busy.none()
    assert [False] == [file["reused"] for file in worker.stored()]
    assert 1 == len(together.charges())


def test_a_film_that_is_refused_half_way(
    busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """What goes in several parts cannot be begun anew from outside: its parts are asked for again, as long as all else."""
    busy.when(lambda: busy.refused["PUT"] < 13, "partNumber=")
    told = job(together, there["library"], {**DEAR, "seed": 7}, options=there["options"])
    assert [False] == [file["reused"] for file in workers.start(told).stored()]
    assert (13, 1) == (busy.refused["PUT"], len(together.charges()))


def test_a_picture_is_read_for_a_clip_while_reading_is_refused(
    busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop
) -> None:
    """An input is read on a thread of its own, and just as patiently."""
    reading = {"GET", "HEAD"}
    busy.fault = lambda method, path, _: (
        "refused" if method in reading and "/images/" in path and busy.refused.total() < 13 else None
    )
    told = job(together, there["library"], {**INLINE, "seed": 7}, {**TINY, "seed": 7}, options=there["options"])
    assert [False, False] == [file["reused"] for file in workers.start(told).stored()]
    assert (13, 2) == (busy.refused.total(), len(together.charges()))


@pytest.mark.parametrize(
    ("request_", "again", "charges"),
    [
        pytest.param(SEEDED, "stored", 2, id="cheap"),
        pytest.param({**INLINE, "seed": 7}, "stored", 2, id="inline"),
        pytest.param({**DEAR, "seed": 7}, "UnknownOutcome", 1, id="dear"),
    ],
)
def test_longer_than_patience(
    request_: dict[str, Any], again: str, charges: int, busy: ThrottledS3, there: dict[str, Any], together: Sandbox,
    workers: Workshop,
) -> None:  # fmt: skip
    """The error says what was paid and what becomes of it; a dear request is not sent again without a decision."""
    busy.when(lambda: bool(together.charges()))
    told = job(together, there["library"], request_, options=there["options"])
    said = workers.start({**told, "patience": 1.0}).ends()
    assert ("LibraryError", "yes") == (said["outcome"], said["paid"])
    for words in ("503 Service Unavailable (SlowDown: Please reduce your request rate).", "It was paid for, and the library",
                  "Wait until it takes requests again"):  # fmt: skip
        assert words in said["message"]
    assert "<" not in said["message"]
    assert 1 == len(together.charges())
    busy.none()
    assert again == workers.start(told).ends()["outcome"]
    assert charges == len(together.charges())


def test_from_the_start(busy: ThrottledS3, there: dict[str, Any], together: Sandbox, workers: Workshop) -> None:
    """Where nothing can be looked up nothing is sent, and the error says so."""
    busy.all()
    said = workers.start({**job(together, there["library"], SEEDED, options=there["options"]), "patience": 1.0}).ends()
    assert ("LibraryError", "nothing", 0) == (said["outcome"], said["paid"], len(together.charges()))
    assert "could not list" in said["message"]
    assert "Nothing was paid." in said["message"]
