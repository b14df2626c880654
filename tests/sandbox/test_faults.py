"""Faults at the API: what a client sees on the wire, and what was charged for it."""

from __future__ import annotations

import socket
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import IMAGES, VIDEOS, finished, image_body, message, video_body

ROUTES = [pytest.param(IMAGES, image_body(), id="images"), pytest.param(VIDEOS, video_body(), id="videos")]


@pytest.mark.parametrize(("fault", "charges"), [("close_before_accepting", 0), ("accept_then_close", 1)])
@pytest.mark.parametrize(("path", "body"), ROUTES)
def test_a_connection_closes_without_an_answer(
    together: sandbox.Sandbox, client: httpx.Client, path: str, body: dict[str, Any], fault: str, charges: int
) -> None:
    """The client sees no byte; only what was accepted is charged; the next request is normal."""
    together.fault(f"POST {path}", fault)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post(path, json=body)
    assert charges == len(together.charges())
    assert together.requests()[-1].status is None
    assert 200 == client.post(path, json=body).status_code
    assert 2 == together.count(path)


def test_a_cut_connection_is_really_empty(together: sandbox.Sandbox) -> None:
    """On a raw socket not a single byte arrives before the end."""
    together.fault("POST /v2/videos", "accept_then_close")
    body = b'{"model": "sandbox/x", "prompt": "a"}'
    head = f"POST /v2/videos HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(together.url.rpartition(":")[2]))) as connection:
        connection.sendall(head.encode() + body)
        assert b"" == connection.recv(100)
    assert 1 == len(together.charges())


def test_a_connection_can_be_reset(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """`reset` drops the connection even more rudely; the client sees some transport error."""
    together.fault("POST /v1/images/generations", "accept_then_close", reset=True)
    with pytest.raises(httpx.TransportError):
        client.post(IMAGES, json=image_body())


def test_an_answer_can_come_too_late(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The client's patience ends, the charge stands."""
    together.fault("POST /v1/images/generations", "accept_then_delay", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.post(IMAGES, json=image_body(), timeout=httpx.Timeout(30, read=0.5))
    assert 1 == len(until("it is charged", together.charges))


@pytest.mark.parametrize("status", ["429", "503", "500", "502", "504", "409", "524"])
def test_a_status_is_answered_in_together_s_shape(together: sandbox.Sandbox, client: httpx.Client, status: str) -> None:
    """Nothing is charged unless the fault says so."""
    together.fault("POST /v1/images/generations", status)
    together.fault("POST /v1/images/generations", status, charged=True)
    answer = client.post(IMAGES, json=image_body())
    assert int(status) == answer.status_code
    assert message(answer)
    assert 0 == len(together.charges())
    assert int(status) == client.post(IMAGES, json=image_body()).status_code
    assert 1 == len(together.charges())


@pytest.mark.parametrize(
    ("hint", "headers"),
    [
        ("retry-after", {"retry-after": "1.5"}),
        ("retry-after-ms", {"retry-after-ms": "1500"}),
        ("x-ratelimit-reset", {"x-ratelimit-reset": "1.5"}),
        (None, {"x-ratelimit-reset": "1.5"}),
        ("none", {}),
    ],
)
def test_a_wait_hint_comes_in_the_header_asked_for(
    together: sandbox.Sandbox, client: httpx.Client, hint: str | None, headers: dict[str, str]
) -> None:
    """Exactly one header asks to wait, or none does."""
    together.fault("POST /v2/videos", "429", hint=hint, wait=1.5)
    answer = client.post(VIDEOS, json=video_body())
    names = ("retry-after", "retry-after-ms", "x-ratelimit-reset")
    assert headers == {name: answer.headers[name] for name in names if name in answer.headers}


def test_a_wait_hint_can_be_a_date(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The date is in the future by what was asked, rounded up to whole seconds."""
    together.fault("POST /v2/videos", "503", hint="retry-after-date", wait=3)
    before = time.time()
    date = parsedate_to_datetime(client.post(VIDEOS, json=video_body()).headers["retry-after"])
    assert 3 <= date.timestamp() - before < 5


def test_a_503_can_be_permanent(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """`model_not_available` under 503 is told apart by its code."""
    together.fault("POST /v1/images/generations", "503", code="model_not_available")
    answer = client.post(IMAGES, json=image_body())
    assert (503, "model_not_available") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("fault", ["html", "invalid_json"])
def test_a_200_can_be_garbage(together: sandbox.Sandbox, client: httpx.Client, fault: str) -> None:
    """It says 200 and is no JSON; whether it was accepted can be chosen, and by default it was."""
    together.fault("POST /v1/images/generations", fault)
    together.fault("POST /v1/images/generations", fault, charged=False)
    for _ in range(2):
        answer = client.post(IMAGES, json=image_body())
        assert 200 == answer.status_code
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()
    assert 1 == len(together.charges())


def test_faults_strike_in_order_and_so_often(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Two of one, one of another, then normal."""
    together.fault("POST /v1/images/generations", "429", times=2)
    together.fault("POST /v1/images/generations", "500")
    assert [429, 429, 500, 200] == [client.post(IMAGES, json=image_body()).status_code for _ in range(4)]


def test_a_fault_can_wait_for_its_prompt(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """`match` picks one request out of a batch."""
    together.fault("POST /v1/images/generations", "500", match="owl")
    assert 200 == client.post(IMAGES, json=image_body()).status_code
    assert 500 == client.post(IMAGES, json=image_body(prompt="an owl")).status_code


def test_a_refused_request_uses_up_no_fault(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """A 400 comes first."""
    together.fault("POST /v1/images/generations", "500")
    assert 400 == client.post(IMAGES, json=image_body(n=9)).status_code
    assert 500 == client.post(IMAGES, json=image_body()).status_code


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("queued_forever", "queued"),
        ("unknown_status", "transcoding"),
        ("no_status", None),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
def test_a_poll_can_see_a_status(together: sandbox.Sandbox, client: httpx.Client, fault: str, status: str | None) -> None:
    """On the GET a fault holds for so many polls, on the POST for the life of the job it makes."""
    together.fault("GET /v2/videos", fault, times=1)
    job = finished(client)
    assert status == job.get("status")
    assert "completed" == client.get(f"{VIDEOS}/{job['id']}").json()["status"]
    together.fault("POST /v2/videos", fault)
    job = finished(client)
    assert status == job.get("status") == client.get(f"{VIDEOS}/{job['id']}").json().get("status")
    assert 2 == len(together.charges())


def test_queued_forever_has_no_end_of_its_own(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Until the faults are cleared."""
    together.fault("GET /v2/videos", "queued_forever")
    job = finished(client)
    assert {"queued"} == {client.get(f"{VIDEOS}/{job['id']}").json()["status"] for _ in range(5)}


def test_a_job_can_be_unknown_at_first(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The first polls after creation may find nothing."""
    together.fault("GET /v2/videos", "not_found", times=2)
    job_id = client.post(VIDEOS, json=video_body()).json()["id"]
    assert [404, 404, 200] == [client.get(f"{VIDEOS}/{job_id}").status_code for _ in range(3)]


def test_a_job_can_be_complete_without_its_url(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Status first, link a moment later."""
    together.fault("GET /v2/videos", "completed_without_url")
    job = finished(client)
    assert ("completed", False) == (job["status"], "video_url" in job["outputs"])
    assert "video_url" in client.get(f"{VIDEOS}/{job['id']}").json()["outputs"]


@pytest.mark.parametrize("value", ["missing", 1, 0.28])
def test_the_cost_has_many_forms(together: sandbox.Sandbox, client: httpx.Client, value: float | str) -> None:
    """Missing, a whole number, or a fraction."""
    together.fault("GET /v2/videos", "cost", value=value)
    assert value == finished(client)["outputs"].get("cost", "missing")


def test_times_can_be_unix_seconds(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """As the OpenAPI text has them."""
    together.fault("GET /v2/videos", "unix_timestamps")
    assert abs(finished(client)["created_at"] - time.time()) < 60


def test_polls_can_break_too(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """A poll meets errors and cut connections; the job is none the worse for it."""
    job_id = client.post(VIDEOS, json=video_body()).json()["id"]
    for fault in ("502", "accept_then_close", "html", "429"):
        together.fault("GET /v2/videos", fault)
    assert 502 == client.get(f"{VIDEOS}/{job_id}").status_code
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"{VIDEOS}/{job_id}")
    assert "text/html" in client.get(f"{VIDEOS}/{job_id}").headers["content-type"]
    assert 429 == client.get(f"{VIDEOS}/{job_id}").status_code
    assert "completed" == client.get(f"{VIDEOS}/{job_id}").json()["status"]
    assert 1 == len(together.charges())


def test_the_edge_can_block_a_client(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """403 in plain text, before anything is accepted."""
    together.fault("POST /v1/images/generations", "edge_block")
    answer = client.post(IMAGES, json=image_body())
    assert (403, "error code: 1010", 0) == (answer.status_code, answer.text, len(together.charges()))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"route": "POST /v2/videos", "fault": "explode"}, "No fault is called", id="name"),
        pytest.param({"route": "POST /v9", "fault": "429"}, "cannot strike", id="route"),
        pytest.param({"route": "POST /v2/videos", "fault": "huge"}, "only: GET file", id="place"),
        pytest.param({"route": "POST /v2/videos", "fault": "html", "wait": 1}, "takes no 'wait'", id="option"),
        pytest.param({"route": "POST /v2/videos", "fault": "429", "hint": "soon"}, "A hint is one of", id="hint"),
        pytest.param({"route": "POST /v2/videos", "fault": "429", "times": 0}, "at least 1", id="times"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused(
    together: sandbox.Sandbox, client: httpx.Client, wrong: dict[str, Any], words: str
) -> None:
    """A typo in a test must not look like a passing test, in Python or over HTTP."""
    with pytest.raises(ValueError, match=words):
        together.fault(**wrong)
    answer = client.post("/sandbox/faults", json=wrong)
    assert 400 == answer.status_code
    assert words in answer.json()["error"]["message"]


def test_faults_can_be_worked_over_http(client: httpx.Client) -> None:
    """POST adds, GET shows, DELETE clears; no key is needed."""
    given = {"route": "POST /v1/images/generations", "fault": "429", "times": 3, "hint": "retry-after", "wait": 2}
    assert 200 == httpx.post(f"{client.base_url}/sandbox/faults", json=given).status_code
    assert "2" == client.post(IMAGES, json=image_body()).headers["retry-after"]
    assert [2] == [fault["left"] for fault in client.get("/sandbox/faults").json()["faults"]]
    assert {"faults": []} == client.delete("/sandbox/faults").json()
    assert 200 == client.post(IMAGES, json=image_body()).status_code
