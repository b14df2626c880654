"""Batches: made of an uploaded file, worked at in their own time, charged line by line, read from two files."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import LLAMA, batch_line, jsonl, upload
from .batching import BATCHES, CHAT, KEY, LINES, NAMES, charged, create, finished, looks, rows, slow, slowly, together

__all__ = ["slow", "slowly", "together"]


def test_a_batch_runs_and_is_charged_by_the_line(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """201 with the job, then the job bare; every line is answered and charged once, at half the price for this model."""
    made = create(client)
    assert {
        "id", "user_id", "input_file_id", "file_size_bytes", "status", "job_deadline", "created_at", "endpoint", "progress",
        "model_id",
    } == set(made)  # fmt: skip
    assert ("VALIDATING", LLAMA, len(LINES), CHAT, 0) == (
        made["status"], made["model_id"], made["file_size_bytes"], made["endpoint"], made["progress"],
    )  # fmt: skip
    done = looks(client, made)[-1]
    assert ("COMPLETED", 100.0, False) == (done["status"], done["progress"], "error_file_id" in done)
    assert [done] == client.get(BATCHES).json() == together.batches()
    output = rows(client, done["output_file_id"])
    assert sorted(NAMES) == sorted(row["custom_id"] for row in output)
    assert [200] * len(NAMES) == [row["response"]["status_code"] for row in output]
    assert dict.fromkeys(NAMES, 1) == charged(together)
    for charge in together.charges():
        body = next(row["response"]["body"] for row in output if row["custom_id"] == charge.custom_id)
        assert charge.usd == body["usage"]["total_tokens"] * Decimal("1.04") / 1_000_000 / 2
        assert (done["id"], "chat", LLAMA) == (charge.batch, charge.kind, charge.model)
    shown = client.get("/sandbox/batches").json()
    assert (1, 7) == (shown["count"], shown["batches"][0]["charges"])


def test_only_discounted_models_are_cheaper(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """A model without a discount in the catalogue costs in a batch what it costs online."""
    done = finished(client, jsonl([batch_line("a", model="openai/gpt-oss-120b")]))
    usage = rows(client, done["output_file_id"])[0]["response"]["body"]["usage"]
    full = usage["prompt_tokens"] * Decimal("0.15") + usage["completion_tokens"] * Decimal("0.60")
    assert [full / 1_000_000] == [charge.usd for charge in together.charges()]


def test_output_is_shuffled_and_the_same_each_time(client: httpx.Client) -> None:
    """The order of the answers is not that of the lines, and depends on the file alone."""
    first, second = (
        [row["custom_id"] for row in rows(client, finished(client)["output_file_id"])],
        [row["custom_id"] for row in rows(client, again(client)["output_file_id"])],
    )
    assert first == second != NAMES


def again(client: httpx.Client) -> dict[str, Any]:
    """Make another batch of the file of the last one."""
    last = client.get(BATCHES).json()[0]
    made = client.post(BATCHES, json={"input_file_id": last["input_file_id"], "endpoint": CHAT})
    return looks(client, made.json()["job"])[-1]


def test_two_batches_of_one_file_are_paid_twice(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Nothing keeps a second creation from running."""
    finished(client)
    again(client)
    assert 2 == len(together.batches())
    assert dict.fromkeys(NAMES, 2) == charged(together)
    assert 2 == len({charge.batch for charge in together.charges()})


def test_a_batch_takes_its_time(slow: sandbox.Sandbox, slowly: httpx.Client) -> None:
    """Validated, then in progress with a progress that grows, then completed; charges come with the lines."""
    seen = looks(slowly, create(slowly))
    assert ["VALIDATING", "IN_PROGRESS", "COMPLETED"] == list(dict.fromkeys(look["status"] for look in seen))
    progress = [look["progress"] for look in seen]
    assert progress == sorted(progress)
    assert len(set(progress)) > 3
    assert 7 == len(slow.charges())


def test_a_cancelled_batch_keeps_what_it_did(slow: sandbox.Sandbox, slowly: httpx.Client) -> None:
    """What was answered until then is in the output file and charged, the rest is neither."""
    made = create(slowly)
    until("it is charged", slow.charges)
    done = slowly.post(f"{BATCHES}/{made['id']}/cancel").json()
    assert "CANCELLED" == done["status"]
    names = [row["custom_id"] for row in rows(slowly, done["output_file_id"])]
    assert 0 < len(names) < 7
    assert dict.fromkeys(sorted(names), 1) == dict(sorted(charged(slow).items()))
    refused = slowly.post(f"{BATCHES}/{made['id']}/cancel")
    assert (400, {"error": f"batch {made['id']} is CANCELLED and cannot be cancelled"}) == (
        refused.status_code,
        refused.json(),
    )


def test_bad_lines_stop_no_other(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """What the endpoint refuses is a line of the error file, and free."""
    done = finished(client, jsonl([batch_line("good"), batch_line("bad", model="x/y")]))
    assert "COMPLETED" == done["status"]
    assert ["good"] == [row["custom_id"] for row in rows(client, done["output_file_id"])]
    (failed,) = rows(client, done["error_file_id"])
    assert ("bad", "model_not_available", True) == (
        failed["custom_id"], failed["error"]["code"], "Unable to access model x/y" in failed["error"]["message"],
    )  # fmt: skip
    assert {"good": 1} == charged(together)


def test_a_line_can_be_struck(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """A fault of the endpoint strikes the line that matches: a status is an error and free, a spoiled answer is charged."""
    together.fault(f"POST {CHAT}", "503", match='Say c"')
    together.fault(f"POST {CHAT}", "no_usage", match="Say d")
    done = finished(client)
    (failed,) = rows(client, done["error_file_id"])
    assert "c" == failed["custom_id"]
    bare = [row["custom_id"] for row in rows(client, done["output_file_id"]) if "usage" not in row["response"]["body"]]
    assert ["d"] == bare
    assert 6 == len(together.charges())


@pytest.mark.parametrize("endpoint", ["/v1/audio/transcriptions", "/v1/audio/translations"])
def test_audio_without_a_method_fails_by_the_line(client: httpx.Client, endpoint: str) -> None:
    """Such lines must say that they hold a file."""
    line = {"custom_id": "a", "body": {"file": "https://example.com/a.mp3", "model": "openai/whisper-large-v3"}}
    done = finished(client, jsonl([line]), endpoint=endpoint)
    assert "Content-Type must be multipart/form-data" == rows(client, done["error_file_id"])[0]["error"]["message"]


def test_what_has_no_effect_is_warned_of(client: httpx.Client) -> None:
    """Nobody documents what a window does."""
    sent = {"input_file_id": upload(client, LINES)["id"], "endpoint": CHAT, "completion_window": "1h"}
    assert "completion_window has no effect." == client.post(BATCHES, json=sent).json()["warning"]


@pytest.mark.slow
def test_a_batch_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A sandbox that is started again finishes the batch and charges no line twice."""
    with sandbox.serve(state=tmp_path, batch_seconds=3) as first, httpx.Client(base_url=first.url, headers=KEY) as client:
        made = create(client)
        while len(first.charges()) < 3:
            time.sleep(0.01)
    with sandbox.serve(state=tmp_path) as second, httpx.Client(base_url=second.url, headers=KEY) as client:
        seen = looks(client, made)
        done = seen[-1]
        assert {"IN_PROGRESS", "COMPLETED"} >= {look["status"] for look in seen}
        assert "COMPLETED" == done["status"]
        assert sorted(NAMES) == sorted(row["custom_id"] for row in rows(client, done["output_file_id"]))
        assert dict.fromkeys(NAMES, 1) == charged(second)
    with sandbox.serve(state=tmp_path) as third:
        assert [done] == third.batches()


def test_a_batch_outlives_its_file(slow: sandbox.Sandbox, slowly: httpx.Client) -> None:
    """Deleting the input file while the batch runs changes nothing; no further batch can be made of it."""
    made = create(slowly)
    assert slowly.delete(f"/v1/files/{made['input_file_id']}").json()["deleted"]
    assert "COMPLETED" == looks(slowly, made)[-1]["status"]
    assert 7 == len(slow.charges())
    sent = {"input_file_id": made["input_file_id"], "endpoint": CHAT}
    assert 404 == slowly.post(BATCHES, json=sent).status_code


def test_a_reset_forgets_batches(slow: sandbox.Sandbox, slowly: httpx.Client) -> None:
    """One that runs stops, and charges nothing any more."""
    create(slowly)
    until("it is charged", slow.charges)
    slow.reset()
    time.sleep(0.6)
    assert ([], []) == (slow.charges(), slow.batches())


@pytest.mark.slow
def test_many_lines_are_quick(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Two thousand lines are answered within seconds, and other requests are answered meanwhile."""
    made = create(client, jsonl([batch_line(f"line-{number}") for number in range(2_000)]))
    began = time.monotonic()
    assert 200 == client.get("/v3/whoami").status_code
    assert time.monotonic() - began < 5
    assert "COMPLETED" == looks(client, made)[-1]["status"]
    assert 2_000 == len(together.charges())
