"""Together's answers in all the shapes that were seen: read for what they say, never failing on what they leave out."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_together.http.responses import ImageItem, JobAnswer, NotUnderstood, read_images, read_job

URL = "https://api.together.ai/shrt/abc"
JOB = {"id": "0191e3a8", "status": "completed", "outputs": {"video_url": URL, "cost": 0.28}}


def job(**changed: Any) -> JobAnswer:
    """Read a finished job, changed as told."""
    return read_job({**JOB, **changed})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(JOB, JobAnswer("0191e3a8", "completed", URL, Decimal("0.28")), id="completed"),
        pytest.param({"id": "j", "status": "queued"}, JobAnswer("j", "queued"), id="queued"),
        pytest.param(
            {"id": "j", "status": "in_progress", "outputs": None}, JobAnswer("j", "in_progress"), id="outputs-null"
        ),
        pytest.param({"id": "j"}, JobAnswer("j", ""), id="status-missing"),
        pytest.param({"id": "j", "status": None}, JobAnswer("j", ""), id="status-null"),
        pytest.param({"id": "j", "status": "Completed"}, JobAnswer("j", "completed"), id="status-in-capitals"),
        pytest.param({"id": "j", "status": 3}, JobAnswer("j", ""), id="status-number"),
        pytest.param({}, JobAnswer(None, ""), id="nothing"),
        pytest.param({"id": 5, "status": "queued"}, JobAnswer(None, "queued"), id="id-number"),
        pytest.param(
            {"id": "j", "status": "queued", "created_at": "2025-10-20T06:57:18.154804Z", "completed_at": None},
            JobAnswer("j", "queued"),
            id="iso-timestamps",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "created_at": 1760943438, "object": "video", "model": "m"},
            JobAnswer("j", "queued"),
            id="unix-timestamps",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "claimed_at": "0001-01-01T00:00:00Z", "done_at": "0001-01-01T00:00:00Z"},
            JobAnswer("j", "queued"),
            id="done_at-unset",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "size": "1366x768", "seconds": "6"},
            JobAnswer("j", "queued", size="1366x768", seconds=6.0),
            id="size-and-seconds",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "size": None, "seconds": None}, JobAnswer("j", "queued"), id="sizes-null"
        ),
        pytest.param({"id": "j", "status": "queued", "seconds": "about 6"}, JobAnswer("j", "queued"), id="seconds-words"),
        pytest.param({"id": "j", "status": "queued", "outputs": [1]}, JobAnswer("j", "queued"), id="outputs-list"),
        pytest.param(
            {"id": "j", "status": "failed", "outputs": None, "error": {"message": "No.", "code": "unsupportedParameter"}},
            JobAnswer("j", "failed", error_message="No.", error_code="unsupportedParameter"),
            id="error-object",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "error": {"message": "No.", "type": "invalid"}},
            JobAnswer("j", "failed", error_message="No.", error_code="invalid"),
            id="error-type",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "error": "No."}, JobAnswer("j", "failed", error_message="No."), id="error-text"
        ),
        pytest.param({"id": "j", "status": "failed", "error": None}, JobAnswer("j", "failed"), id="error-null"),
        pytest.param({"id": "j", "status": "failed", "error": ["No."]}, JobAnswer("j", "failed"), id="error-list"),
        pytest.param(
            {"id": "j", "status": "failed", "info": {"errors": [{"message": "No.", "code": "x"}, {"message": "Never."}]}},
            JobAnswer("j", "failed", error_message="No.", error_code="x"),
            id="info-errors",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "info": {"errors": "No."}},
            JobAnswer("j", "failed", error_message="No."),
            id="info-errors-text",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "info": {"errors": []}}, JobAnswer("j", "failed"), id="info-errors-empty"
        ),
    ],
)
def test_a_job_is_read_in_every_shape_that_was_seen(payload: Any, expected: JobAnswer) -> None:
    """What is there is read, what is missing is None (together-api.md 3.3)."""
    assert expected == read_job(payload)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        pytest.param(1, "1", id="int"),
        pytest.param(0.28, "0.28", id="float"),
        pytest.param(0.1, "0.1", id="float-as-written"),
        pytest.param("0.28", "0.28", id="text"),
        pytest.param(0, "0", id="free"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param("a lot", None, id="words"),
        pytest.param(float("nan"), None, id="nan"),
        pytest.param("NaN", None, id="nan-text"),
        pytest.param("sNaN", None, id="signalling-nan"),
        pytest.param(float("inf"), None, id="infinite"),
        pytest.param(-0.5, None, id="negative"),
        pytest.param(True, None, id="true"),
        pytest.param({"usd": 1}, None, id="object"),
    ],
)
def test_a_cost_is_an_amount_or_unknown(cost: object, expected: str | None) -> None:
    """Unknown is never 0, and an amount is what Together wrote."""
    assert (None if expected is None else Decimal(expected)) == job(outputs={"video_url": URL, "cost": cost}).cost


def test_a_missing_cost_is_unknown() -> None:
    """Seedance 2.0 reports none (together-api.md 3.3)."""
    assert job(outputs={"video_url": URL}).cost is None


@pytest.mark.parametrize(
    ("status", "url", "done", "over"),
    [
        pytest.param("completed", URL, True, False, id="completed"),
        pytest.param("completed", None, False, False, id="completed-without-url"),
        pytest.param("completed", "", False, False, id="completed-with-empty-url"),
        pytest.param("failed", None, False, True, id="failed"),
        pytest.param("cancelled", None, False, True, id="cancelled"),
        pytest.param("canceled", None, False, True, id="canceled"),
        pytest.param("CANCELLED", None, False, True, id="capitals"),
        pytest.param("queued", None, False, False, id="queued"),
        pytest.param("in_progress", URL, False, False, id="url-before-it-is-done"),
        pytest.param("teleported", None, False, False, id="never-heard-of"),
        pytest.param(None, None, False, False, id="no-status"),
    ],
)
def test_when_a_job_is_done_or_over(status: str | None, url: str | None, done: bool, over: bool) -> None:
    """Anything but success and failure means that it still runs: the set of statuses is open."""
    read = job(status=status, outputs={"video_url": url})
    assert (done, over) == (read.done, read.over)


@pytest.mark.parametrize("payload", [None, [], "queued", 5, True], ids=repr)
def test_what_is_no_job_is_not_understood(payload: object) -> None:
    """A good status with anything but an object is no answer."""
    with pytest.raises(NotUnderstood):
        read_job(payload)


@pytest.mark.parametrize(
    ("payload", "items"),
    [
        pytest.param({"data": [{"index": 0, "type": "url", "url": URL}]}, [ImageItem(url=URL)], id="url"),
        pytest.param({"data": [{"type": "b64_json", "b64_json": "AAAA"}]}, [ImageItem(b64_json="AAAA")], id="b64_json"),
        pytest.param({"data": [{"type": None, "url": URL, "b64_json": None}]}, [ImageItem(url=URL)], id="type-null"),
        pytest.param({"data": [{"url": URL}]}, [ImageItem(url=URL)], id="type-and-object-missing"),
        pytest.param({"data": [{"type": "url", "b64_json": "AAAA"}]}, [ImageItem(b64_json="AAAA")], id="type-lies"),
        pytest.param({"data": [{"base64": "AAAA"}]}, [ImageItem(b64_json="AAAA")], id="base64"),
        pytest.param({"data": [{"url": URL, "timings": {"inference": 0.8}}]}, [ImageItem(url=URL)], id="timings"),
        pytest.param(
            {"data": [{"url": URL}, {"b64_json": "AAAA"}]}, [ImageItem(URL), ImageItem(b64_json="AAAA")], id="both"
        ),
        pytest.param({"data": [None, {}, {"url": ""}, {"url": URL}]}, [ImageItem(url=URL)], id="holes"),
    ],
)
def test_images_are_read_in_every_shape_that_was_seen(payload: Any, items: list[ImageItem]) -> None:
    """A picture is where there is a URL or base64, whatever `type` says (together-api.md 2.4)."""
    read = read_images({"id": "oMZ", "model": "m", **payload})
    assert ("oMZ", tuple(items)) == (read.id, read.items)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"data": []}, id="empty"),
        pytest.param({"data": None}, id="null"),
        pytest.param({"data": [{"type": "url"}]}, id="no-picture"),
        pytest.param({"data": {"url": URL}}, id="object"),
        pytest.param({"data": [{"url": 5}]}, id="number"),
        pytest.param({}, id="nothing"),
        pytest.param([], id="list"),
        pytest.param(None, id="none"),
        pytest.param("text", id="text"),
    ],
)
def test_an_answer_without_a_picture_is_not_understood(payload: object) -> None:
    """A good status without a picture in it is no answer."""
    with pytest.raises(NotUnderstood, match="picture"):
        read_images(payload)


def test_a_picture_is_not_printed() -> None:
    """Megabytes of base64 stay out of logs."""
    assert "AAAA" not in repr(read_images({"data": [{"b64_json": "AAAA" * 100}]}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["id", "status", "outputs", "error", "info", "size", "seconds", "data"]
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, ANYTHING),
        "outputs": st.fixed_dictionaries({}, optional={"video_url": ANYTHING, "cost": ANYTHING}) | ANYTHING,
        "info": st.fixed_dictionaries({"errors": ANYTHING}) | ANYTHING,
        "data": st.lists(st.fixed_dictionaries({}, optional={"url": ANYTHING, "b64_json": ANYTHING}) | ANYTHING, max_size=3),
    },
)


@settings(max_examples=150, deadline=None)
@given(PAYLOADS)
def test_no_json_breaks_the_reading(payload: dict[str, Any]) -> None:
    """Whatever comes is read, or not understood: a paid job is never lost to a surprise."""
    read = read_job(payload)
    assert isinstance(read.status, str)
    assert read.cost is None or (read.cost.is_finite() and read.cost >= 0)
    with contextlib.suppress(NotUnderstood):
        assert [] == [item for item in read_images(payload).items if not (item.url or item.b64_json)]
