"""What is said of a store that does not take a request, and what is made of the time in which nobody can look into it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError

from prefect_together._internal.process import ProcessId
from prefect_together.errors import LibraryError
from prefect_together.ledger import leases
from prefect_together.ledger.heartbeats import PATIENCE, owned
from prefect_together.ledger.leases import LeaseMonitor
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.storage import busy
from prefect_together.storage.busy import patiently
from prefect_together.storage.failures import library_errors
from prefect_together.storage.storage import Storage

_WHERE = "Generic S3 error: Error performing PUT http://127.0.0.1:9000/b/k in 3.7s, after 10 retries, max_retries: 10, retry_timeout: 180s  - Server returned non-2xx status code: "
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>\n\nDebug source:\nGeneric {{}}'
_JSON = '{{\n "error": {{\n  "code": 429,\n  "message": "{}"\n }}\n}}\n\nDebug source:\nGeneric {{}}'


@pytest.mark.parametrize(
    ("kind", "answer", "says", "advises"),
    [
        pytest.param(
            GenericError, "503 Service Unavailable: " + _XML.format("SlowDown", "Please reduce your request rate."),
            " for 0 s: its store answered 503 Service Unavailable (SlowDown: Please reduce your request rate).", "Wait", id="s3",
        ),
        pytest.param(
            GenericError, "429 Too Many Requests: " + _JSON.format("The bucket exceeded the rate limit."),
            " for 0 s: its store answered 429 Too Many Requests (The bucket exceeded the rate limit).", "Wait", id="gcs",
        ),
        pytest.param(
            GenericError, "503 The server is busy.: \ufeff" + _XML.format("ServerBusy", "The server is busy.\nRequestId:1"),
            " for 0 s: its store answered 503 The server is busy. (ServerBusy: The server is busy).", "Wait", id="azure",
        ),
        pytest.param(
            GenericError, "502 Bad Gateway: <html>\n<body>nginx</body>\n\nDebug source:\n",
            " for 0 s: its store answered 502 Bad Gateway.", "Wait", id="a-proxy",
        ),
        pytest.param(
            PermissionDeniedError, "403 Forbidden: " + _XML.format("AccessDenied", "Access Denied"),
            ": its store answered 403 Forbidden (AccessDenied: Access Denied).", "Look at its credentials", id="denied",
        ),
        pytest.param(
            GenericError, "404 Not Found: " + _XML.format("NoSuchBucket", "The specified bucket does not exist."),
            ": its store answered 404 Not Found (NoSuchBucket: The specified bucket does not exist).", "Create it", id="none",
        ),
    ],
)  # fmt: skip
def test_what_a_store_answered_is_said_in_its_words(kind: type[BaseError], answer: str, says: str, advises: str) -> None:
    """Its status, its code and its message, in one line without XML, and what to do about that."""
    with pytest.raises(LibraryError) as raised, library_errors("write", "k", "s3://b"):
        raise kind(f"{_WHERE}{answer}")
    assert f"The media library s3://b could not write k{says}" == raised.value.what
    assert raised.value.advice.startswith(advises)


@pytest.mark.parametrize(("status", "asked"), [("503 Slow Down", 3), ("429 Too Many Requests", 3), ("403 Forbidden", 1)])
async def test_only_what_is_busy_is_asked_again(status: str, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that refuses for good is not asked for a minute, and one that is busy is until it takes it."""
    monkeypatch.setattr(busy, "_LONGEST", 0.0)
    tries: list[int] = []

    async def ask() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise GenericError(f"{_WHERE}{status}: ")
        return len(tries)

    if asked == 1:
        with pytest.raises(GenericError):
            await patiently(ask)
    else:
        assert 3 == await patiently(ask)
    assert asked == len(tries)


@pytest.mark.parametrize("fails", [False, True], ids=["slow", "fails"])
async def test_who_cannot_look_takes_nobody_for_dead(fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that cannot be read for a while could not be renewed either: patience begins anew, and ends after all."""
    now = [1000.0]
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ledger, attempt = Ledger(Storage(str(tmp_path))), Attempt("f" * 40, "any", 1)
    elsewhere = ProcessId(host="pod", machine="0" * 16, pid=1, started="1").model_dump()
    await ledger.record(attempt, "claimed", {**owned(), "owner": elsewhere})
    watch, real = LeaseMonitor(ledger, attempt), ledger.storage.read

    async def read(key: str) -> bytes:
        now[0] += PATIENCE + 1
        monkeypatch.setattr(ledger.storage, "read", real)
        if fails:
            raise LibraryError("Its store answered 503.")
        return await real(key)

    assert await watch.alive() is None
    monkeypatch.setattr(ledger.storage, "read", read)
    if fails:
        with pytest.raises(LibraryError):
            await watch.alive()
    assert await watch.alive() is None
    now[0] += PATIENCE - 1
    assert await watch.alive() is None
    now[0] += 2
    assert await watch.alive() is False
