"""Together's answers in all the shapes that were seen: read for what they say, never failing on what they leave out."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_together.generations import image, video
from prefect_together.generations.spec import Blobs, JobStatus, Links, Payload, ResponseFormatError

URL = "https://api.together.ai/shrt/abc"
JOB = {"id": "0191e3a8", "status": "completed", "outputs": {"video_url": URL, "cost": 0.28}}


def read_job(payload: Any) -> JobStatus:
    """Read a job as the type says."""
    assert video.SPEC.job is not None
    return video.SPEC.job.parse(payload)


def read_images(payload: Any) -> Payload:
    """Read pictures as the type says."""
    return image.SPEC.parse(payload)


def job(**changed: Any) -> JobStatus:
    """Read a finished job, changed as told."""
    return read_job({**JOB, **changed})


def status(
    job_id: str | None,
    said: str,
    url: str | None = None,
    cost: Decimal | None = None,
    *,
    seconds: float | None = None,
    error_message: str | None = None,
    error_code: str | None = None,
) -> JobStatus:
    """Say what a job should be read as."""
    made = Links((url,)) if url else None
    return JobStatus(job_id, said, made, cost, error_message, error_code, {"seconds": seconds})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(JOB, status("0191e3a8", "completed", URL, Decimal("0.28")), id="completed"),
        pytest.param({"id": "j", "status": "queued"}, status("j", "queued"), id="queued"),
        pytest.param({"id": "j", "status": "in_progress", "outputs": None}, status("j", "in_progress"), id="outputs-null"),
        pytest.param({"id": "j"}, status("j", ""), id="status-missing"),
        pytest.param({"id": "j", "status": None}, status("j", ""), id="status-null"),
        pytest.param({"id": "j", "status": "Completed"}, status("j", "completed"), id="status-in-capitals"),
        pytest.param({"id": "j", "status": 3}, status("j", ""), id="status-number"),
        pytest.param({}, status(None, ""), id="nothing"),
        pytest.param({"id": 5, "status": "queued"}, status(None, "queued"), id="id-number"),
        pytest.param(
            {"id": "j", "status": "queued", "created_at": "2025-10-20T06:57:18.154804Z", "completed_at": None},
            status("j", "queued"),
            id="iso-timestamps",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "created_at": 1760943438, "object": "video", "model": "m"},
            status("j", "queued"),
            id="unix-timestamps",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "claimed_at": "0001-01-01T00:00:00Z", "done_at": "0001-01-01T00:00:00Z"},
            status("j", "queued"),
            id="done_at-unset",
        ),
        pytest.param(
            {"id": "j", "status": "queued", "size": "1366x768", "seconds": "6"},
            status("j", "queued", seconds=6.0),
            id="size-and-seconds",
        ),
        pytest.param({"id": "j", "status": "queued", "size": None, "seconds": None}, status("j", "queued"), id="sizes-null"),
        pytest.param({"id": "j", "status": "queued", "seconds": "about 6"}, status("j", "queued"), id="seconds-words"),
        pytest.param({"id": "j", "status": "queued", "outputs": [1]}, status("j", "queued"), id="outputs-list"),
        pytest.param(
            {"id": "j", "status": "failed", "outputs": None, "error": {"message": "No.", "code": "unsupportedParameter"}},
            status("j", "failed", error_message="No.", error_code="unsupportedParameter"),
            id="error-object",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "error": {"message": "No.", "type": "invalid"}},
            status("j", "failed", error_message="No.", error_code="invalid"),
            id="error-type",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "error": "No."}, status("j", "failed", error_message="No."), id="error-text"
        ),
        pytest.param({"id": "j", "status": "failed", "error": None}, status("j", "failed"), id="error-null"),
        pytest.param({"id": "j", "status": "failed", "error": ["No."]}, status("j", "failed"), id="error-list"),
        pytest.param(
            {"id": "j", "status": "failed", "info": {"errors": [{"message": "No.", "code": "x"}, {"message": "Never."}]}},
            status("j", "failed", error_message="No.", error_code="x"),
            id="info-errors",
        ),
        pytest.param(
            {"id": "j", "status": "failed", "info": {"errors": "No."}},
            status("j", "failed", error_message="No."),
            id="info-errors-text",
        ),
        pytest.param({"id": "j", "status": "failed", "info": {"errors": []}}, status("j", "failed"), id="info-errors-empty"),
    ],
)
def test_a_job_is_read_in_every_shape_that_was_seen(payload: Any, expected: JobStatus) -> None:
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
    ("said", "url", "done", "over"),
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
def test_when_a_job_is_done_or_over(said: str | None, url: str | None, done: bool, over: bool) -> None:
    """Anything but success and failure means that it still runs: the set of statuses is open."""
    read = job(status=said, outputs={"video_url": url})
    assert (done, over) == (read.done, read.over)


@pytest.mark.parametrize("payload", [None, [], "queued", 5, True], ids=repr)
def test_what_is_no_job_is_not_understood(payload: object) -> None:
    """A good status with anything but an object is no answer."""
    with pytest.raises(ResponseFormatError):
        read_job(payload)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"data": [{"index": 0, "type": "url", "url": URL}]}, Links((URL,)), id="url"),
        pytest.param({"data": [{"type": "b64_json", "b64_json": "AAAA"}]}, Blobs(("AAAA",)), id="b64_json"),
        pytest.param({"data": [{"type": None, "url": URL, "b64_json": None}]}, Links((URL,)), id="type-null"),
        pytest.param({"data": [{"url": URL}]}, Links((URL,)), id="type-and-object-missing"),
        pytest.param({"data": [{"type": "url", "b64_json": "AAAA"}]}, Blobs(("AAAA",)), id="type-lies"),
        pytest.param({"data": [{"base64": "AAAA"}]}, Blobs(("AAAA",)), id="base64"),
        pytest.param({"data": [{"url": URL, "timings": {"inference": 0.8}}]}, Links((URL,)), id="timings"),
        pytest.param({"data": [{"url": URL}, {"b64_json": "AAAA"}]}, Blobs(("AAAA",), (URL,)), id="both"),
        pytest.param({"data": [None, {}, {"url": ""}, {"url": URL}]}, Links((URL,)), id="holes"),
    ],
)
def test_images_are_read_in_every_shape_that_was_seen(payload: Any, expected: Payload) -> None:
    """A picture is where there is a URL or base64, whatever `type` says (together-api.md 2.4)."""
    assert expected == read_images({"id": "oMZ", "model": "m", **payload})


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
    with pytest.raises(ResponseFormatError, match="picture"):
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
    with contextlib.suppress(ResponseFormatError):
        found = read_images(payload)
        assert isinstance(found, (Blobs, Links))
        assert all(found.urls) if isinstance(found, Links) else all(found.items)
