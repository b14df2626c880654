"""What batches refuse: at once, as a whole after validation, or late; and whose they are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from prefect_together.sandbox import batch_lines

from .asking import batch_line, jsonl, upload
from .batching import BATCHES, CHAT, LINES, create, finished, looks, slow, slowly, together

__all__ = ["slow", "slowly", "together"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"custom_id": "a", "body": {}}\n{"custom_id"', "line 2: not valid JSON"),
        (jsonl([batch_line("a"), batch_line("a")]), "line 2: custom_id 'a' is not unique"),
        (jsonl([batch_line("x" * 65)]), "line 1: custom_id must be a string of 1 to 64 characters"),
        (jsonl([{"custom_id": "a"}]), "line 1: body must be an object"),
        (jsonl([1]), "line 1: custom_id must be"),
        (b"\xff\xfe", "line 1: not valid JSON"),
        (b"\n\n", "input file is empty"),
        (jsonl([batch_line(str(number)) for number in range(12)]), "input file has 12 lines, more than 11"),
        (jsonl([batch_line("a", padding="x" * 6_000)]), "input file is larger than 5000 bytes"),
    ],
)
def test_a_bad_file_fails_as_a_whole(
    together: sandbox.Sandbox, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    """FAILED with a text after validation, nothing answered and nothing charged."""
    monkeypatch.setattr(batch_lines, "MAX_LINES", 11)
    monkeypatch.setattr(batch_lines, "MAX_BYTES", 5_000)
    done = finished(client, content)
    assert ("FAILED", True) == (done["status"], done["error"].startswith(says)), done
    assert {"output_file_id", "error_file_id"}.isdisjoint(done)
    assert [] == together.charges()


def test_limits_are_those_that_are_documented() -> None:
    """50,000 lines, 100 MB, 10 MB a line, 64 characters."""
    assert (50_000, 100_000_000, 10_000_000, 64) == (
        batch_lines.MAX_LINES, batch_lines.MAX_BYTES, batch_lines.MAX_LINE_BYTES, batch_lines.MAX_ID,
    )  # fmt: skip


def test_an_oversized_line_fails_late(slow: sandbox.Sandbox, slowly: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes validation, and the batch fails while it is in progress."""
    monkeypatch.setattr(batch_lines, "MAX_LINE_BYTES", 2_000)
    seen = looks(slowly, create(slowly, jsonl([batch_line("a"), batch_line("b", user="x" * 2_000)])))
    assert ["VALIDATING", "IN_PROGRESS", "FAILED"] == list(dict.fromkeys(look["status"] for look in seen))
    assert "error reading input file" == seen[-1]["error"]
    assert [] == slow.charges()


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"endpoint": "/v1/images/generations"}, 400, "endpoint"),
        ({"endpoint": None}, 400, "endpoint"),
        ({"input_file_id": None}, 400, "input_file_id"),
        ({"input_file_id": "file-none"}, 404, "file file-none not found"),
    ],
)
def test_refusals_are_one_string(client: httpx.Client, change: dict[str, Any], status: int, says: str) -> None:
    """Errors of batches are `{"error": "<string>"}`; nothing is created."""
    sent = {"input_file_id": upload(client, LINES)["id"], "endpoint": CHAT, **change}
    refused = client.post(BATCHES, json={name: value for name, value in sent.items() if value is not None})
    assert (status, {"error"}, True) == (refused.status_code, set(refused.json()), says in refused.json()["error"])
    assert [] == client.get(BATCHES).json()


def test_batches_belong_to_an_account(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Another key sees neither the batch nor the file, and a wrong key is told so in one string."""
    made = create(client)
    with httpx.Client(base_url=together.url, headers={"Authorization": "Bearer other"}) as other:
        assert [] == other.get(BATCHES).json()
        sent = {"input_file_id": made["input_file_id"], "endpoint": CHAT}
        answers = [
            other.get(f"{BATCHES}/{made['id']}"),
            other.post(f"{BATCHES}/{made['id']}/cancel"),
            other.post(BATCHES, json=sent),
        ]
    assert [404] * 3 == [answer.status_code for answer in answers]
    unknown = httpx.get(f"{together.url}{BATCHES}", headers={"Authorization": "Bearer bad"})
    assert (401, str) == (unknown.status_code, type(unknown.json()["error"]))


def test_a_file_for_something_else_is_refused(client: httpx.Client) -> None:
    """A batch wants JSON lines that were uploaded for one."""
    other = client.post("/v1/files/upload", data={"purpose": "eval"}, files={"file": ("b.jsonl", LINES)}).json()["id"]
    table = upload(client, b"a,b\n", "b.csv")["id"]
    for name in (other, table):
        refused = client.post(BATCHES, json={"input_file_id": name, "endpoint": CHAT})
        assert (400, True) == (refused.status_code, "batch-api" in refused.json()["error"])
