"""Faults of batches: how they end, what is missing, late or double, and what was charged for it."""

from __future__ import annotations

import httpx
import pytest

from prefect_together import sandbox

from .asking import upload
from .batching import (
    BATCHES,
    CHAT,
    LINES,
    NAMES,
    charged,
    create,
    finished,
    looks,
    rows,
    slow,
    slowly,
    together,
)

__all__ = ["slow", "slowly", "together"]

CREATE = "POST /v1/batches"
CONTENT = "GET /v1/files/{id}/content"


def test_a_batch_can_fail_at_a_malformed_line(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """FAILED with a text, without files and charges; the next batch is normal."""
    together.fault(CREATE, "failed")
    done = finished(client)
    assert ("FAILED", "line 1: not valid JSON", []) == (done["status"], done["error"], together.charges())
    assert {"output_file_id", "error_file_id"}.isdisjoint(done)


def test_a_batch_can_complete_with_errors_only(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """COMPLETED says nothing about the lines."""
    together.fault(CREATE, "errors_only")
    done = finished(client)
    assert ("COMPLETED", False, []) == (done["status"], "output_file_id" in done, together.charges())
    assert NAMES == [row["custom_id"] for row in rows(client, done["error_file_id"])]


@pytest.mark.parametrize(("fault", "status"), [("expired", "EXPIRED"), ("cancelled", "CANCELLED")])
def test_a_batch_can_end_half_done(together: sandbox.Sandbox, client: httpx.Client, fault: str, status: str) -> None:
    """What is in the output file is charged, the rest is nowhere."""
    together.fault(CREATE, fault)
    done = finished(client)
    names = sorted(row["custom_id"] for row in rows(client, done["output_file_id"]))
    assert (status, NAMES[:3], dict.fromkeys(names, 1)) == (done["status"], names, charged(together))
    assert done["progress"] < 100


def test_a_batch_can_be_stuck(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """VALIDATING for an hour, or for as long as was asked for; it can be cancelled."""
    together.fault(CREATE, "stuck_validating")
    made = create(client)
    together.fault(CREATE, "stuck_validating", seconds=0.7)
    sent = {"input_file_id": made["input_file_id"], "endpoint": CHAT}
    shorter = looks(client, client.post(BATCHES, json=sent).json()["job"])
    assert ("VALIDATING", "COMPLETED") == (shorter[0]["status"], shorter[-1]["status"])
    assert "VALIDATING" == client.get(f"{BATCHES}/{made['id']}").json()["status"]
    ended = client.post(f"{BATCHES}/{made['id']}/cancel").json()
    assert ("CANCELLED", False) == (ended["status"], "output_file_id" in ended)


def test_progress_can_go_backwards(slow: sandbox.Sandbox, slowly: httpx.Client) -> None:
    """It falls while lines are answered."""
    slow.fault(CREATE, "progress_backwards")
    seen = [look["progress"] for look in looks(slowly, create(slowly)) if look["status"] == "IN_PROGRESS"]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) > 3


def test_output_can_be_late(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """COMPLETED without a file for a while, then with one."""
    together.fault(CREATE, "late_output", seconds=0.5)
    done = finished(client)
    assert ("COMPLETED", False) == (done["status"], "output_file_id" in done)
    while "output_file_id" not in done:
        done = client.get(f"{BATCHES}/{done['id']}").json()
    assert 7 == len(rows(client, done["output_file_id"]))


def test_ids_can_be_double(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Some lines are answered twice, differently, and charged once."""
    together.fault(CREATE, "duplicate_ids")
    output = rows(client, finished(client)["output_file_id"])
    twice = [row for row in output if sum(row["custom_id"] == other["custom_id"] for other in output) > 1]
    assert (10, 6) == (len(output), len(twice))
    assert 6 == len({row["response"]["body"]["id"] for row in twice})
    assert dict.fromkeys(NAMES, 1) == charged(together)


def test_ids_can_be_missing(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Some lines are in neither file, and not charged."""
    together.fault(CREATE, "missing_ids")
    done = finished(client)
    assert ("COMPLETED", False) == (done["status"], "error_file_id" in done)
    assert ["b", "c", "e", "f"] == sorted(row["custom_id"] for row in rows(client, done["output_file_id"]))
    assert ["b", "c", "e", "f"] == sorted(str(name) for name in charged(together))


def test_a_creation_can_be_lost_on_the_way(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The client sees no answer; the batch is in the list, runs and is charged."""
    sent = {"input_file_id": upload(client, LINES)["id"], "endpoint": CHAT}
    together.fault(CREATE, "accept_then_close")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(BATCHES, json=sent)
    (job,) = client.get(BATCHES).json()
    assert sent["input_file_id"] == job["input_file_id"]
    assert "COMPLETED" == looks(client, job)[-1]["status"]
    assert dict.fromkeys(NAMES, 1) == charged(together)


def test_a_creation_can_be_cut_before(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """What was not accepted is no batch."""
    sent = {"input_file_id": upload(client, LINES)["id"], "endpoint": CHAT}
    together.fault(CREATE, "close_before_accepting")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(BATCHES, json=sent)
    assert [] == together.batches()


def test_a_status_is_one_string_with_its_hint(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """A busy server answers in the words of batches, and says how long to wait."""
    for route in (CREATE, "GET /v1/batches"):
        together.fault(route, "429", hint="retry-after", wait=2)
    sent = {"input_file_id": upload(client, LINES)["id"], "endpoint": CHAT}
    for answer in (client.post(BATCHES, json=sent), client.get(BATCHES)):
        assert (429, "2", str) == (answer.status_code, answer.headers["retry-after"], type(answer.json()["error"]))
    assert [] == together.batches()


def test_output_can_be_empty_or_gone_at_first(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """200 without a byte, then 404, then what was written."""
    for fault in ("empty", "404"):
        together.fault(CONTENT, fault)
    address = f"/v1/files/{finished(client)['output_file_id']}/content"
    assert [(200, 0), (404, 1), (200, 1)] == [
        (answer.status_code, min(1, len(answer.content))) for answer in (client.get(address) for _ in range(3))
    ]


def test_faults_of_videos_do_not_strike_batches(together: sandbox.Sandbox) -> None:
    """Each fault names the routes that it can strike."""
    with pytest.raises(ValueError, match="cannot strike 'POST /v1/batches'"):
        together.fault(CREATE, "queued_forever")
    with pytest.raises(ValueError, match=r"only: POST /v1/batches\."):
        together.fault("POST /v2/videos", "late_output")
