"""Transcriptions and translations in batches: lines with the address of a recording, half the price for Whisper."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import jsonl
from .batching import charged, create, finished, looks, rows, together
from .sounding import LISTEN, PARAKEET, TEXT, TRANSLATE, WHISPER, linked, spoken

__all__ = ["together"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder on this machine; give it and its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def line(custom_id: str, address: str, **fields: Any) -> dict[str, Any]:
    """Return the line of one recording, its body changed as told."""
    return {"custom_id": custom_id, "method": "FILE", "body": {"file": address, "model": WHISPER, **fields}}


def away(custom_id: str, **fields: Any) -> dict[str, Any]:
    """Return the line of a recording that is far away."""
    return line(custom_id, f"https://example.com/{custom_id}.mp3", **fields)


def bodies(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return the answers of a batch by their ids."""
    return {row["custom_id"]: row["response"]["body"] for row in rows(client, job["output_file_id"])}


@pytest.mark.parametrize("endpoint", [LISTEN, TRANSLATE])
def test_recordings_at_addresses(
    together: sandbox.Sandbox, client: httpx.Client, host: tuple[Path, str], endpoint: str
) -> None:
    """Each line is answered as a call is, in the form that it asks for; the short answer tells length and language too."""
    folder, address = host
    (folder / "talk.mp3").write_bytes(spoken(client, response_format="mp3"))
    lines = [
        line("short", f"{address}/talk.mp3"),
        line("long", f"{address}/talk.mp3", response_format="verbose_json", timestamp_granularities=["word"], temperature=0),
        away("far", response_format="verbose_json", language="auto"),
    ]
    job = finished(client, jsonl(lines), endpoint=endpoint)
    assert ("COMPLETED", WHISPER) == (job["status"], job["model_id"])
    found = bodies(client, job)
    assert {"duration", "language", "text"} == set(found["short"])
    assert (TEXT, "en") == (found["short"]["text"], found["short"]["language"])
    assert TEXT.split() == [word["word"] for word in found["long"]["words"]]
    assert linked(client, "https://example.com/far.mp3", path=endpoint).json() == found["far"]


@pytest.mark.parametrize(("model", "share"), [(WHISPER, "0.5"), (PARAKEET, "1")])
def test_lines_are_charged_by_their_seconds(together: sandbox.Sandbox, client: httpx.Client, model: str, share: str) -> None:
    """Once each, Whisper at half the price; the bill says so in the price of a minute."""
    job = finished(client, jsonl([away(name, model=model) for name in "abc"]), endpoint=LISTEN)
    assert {"a": 1, "b": 1, "c": 1} == charged(together)
    found = bodies(client, job)
    for charge in together.charges():
        expected = Decimal(str(found[str(charge.custom_id)]["duration"])) / 60 * Decimal("0.0015") * Decimal(share)
        assert expected == pytest.approx(charge.usd, abs=Decimal("0.000001"))
        assert (job["id"], "transcription") == (charge.batch, charge.kind)
    (item,) = client.get("/v1/billing/usage").json()["data"][0]["line_items"]
    assert (f"{model} minutes (batch)", Decimal("0.0015") * Decimal(share)) == (
        item["product_name"],
        Decimal(item["unit_price"]),
    )
    assert sum(charge.usd or 0 for charge in together.charges()) == Decimal(item["cost"])


def test_lines_that_are_refused_are_free(together: sandbox.Sandbox, client: httpx.Client, host: tuple[Path, str]) -> None:
    """Each with its own error and code in the error file, and the others are answered."""
    folder, address = host
    (folder / "notes.txt").write_text("no sound at all " * 99)
    lines = [
        away("good"),
        line("text", f"{address}/notes.txt"),
        line("gone", f"{address}/nothing.mp3"),
        away("words", response_format="srt"),
        away("model", model="nobody/ears"),
        {"custom_id": "none", "method": "FILE", "body": {"model": WHISPER}},
        {"custom_id": "call", "body": {"file": "https://example.com/a.mp3", "model": WHISPER}},
    ]
    job = finished(client, jsonl(lines), endpoint=LISTEN)
    errors = {row["custom_id"]: row["error"]["code"] for row in rows(client, job["error_file_id"])}
    assert {
        "text": "unsupported_format", "gone": "invalid_params", "words": "invalid_params", "model": "model_not_available",
        "none": "invalid_params", "call": "invalid_request_error",
    } == errors  # fmt: skip
    assert {"good": 1} == charged(together)


def test_faults_strike_lines(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """An error becomes a line of the error file, and a spoiled answer lacks what it lacks in a call."""
    together.fault(f"POST {LISTEN}", "500", match="broken", code="processing_failed")
    together.fault(f"POST {LISTEN}", "no_duration", match="odd")
    job = create(client, jsonl([away("broken"), away("odd"), away("good")]), endpoint=LISTEN)
    done = looks(client, job)[-1]
    assert [("broken", "processing_failed")] == [
        (row["custom_id"], row["error"]["code"]) for row in rows(client, done["error_file_id"])
    ]
    found = bodies(client, done)
    assert ({"language", "text"}, {"duration", "language", "text"}) == (set(found["odd"]), set(found["good"]))
