"""How long a process is waited for that says nothing: as long as it says itself, and not as long as who waits would."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from prefect_together._internal.process import ProcessId
from prefect_together.blocks.settings import TogetherSettings
from prefect_together.ledger import leases
from prefect_together.ledger.allowance import Purse
from prefect_together.ledger.heartbeats import BEAT, PATIENCE, heartbeat_key, owned
from prefect_together.ledger.leases import LeaseMonitor, begin_lease
from prefect_together.ledger.ledger import Attempt, Ledger, encode
from prefect_together.storage.storage import Storage

ATTEMPT = Attempt("f" * 40, "any", 1)
SETTING = "PREFECT_INTEGRATIONS_TOGETHER_LEASE_PATIENCE"
ELSEWHERE = ProcessId(host="pod", machine="0" * 16, pid=1, started="1").model_dump()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give a clock that only the test moves."""
    now = [1000.0]
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize("last", ["claimed", "lease", "heartbeat"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param("300", "30", id="an-impatient-one-waits-for-a-pod"),
        pytest.param("30", "300", id="a-patient-one-does-not-wait-for-longer-than-it-was-asked-to"),
        pytest.param(None, "300", id="one-that-says-nothing"),
    ],
)
async def test_who_waits_goes_by_what_the_holder_said(
    last: str, theirs: str | None, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """Whatever the one has set who looks: nothing is taken over before the holder's own patience is over, and then it is."""
    ledger = Ledger(Storage(str(tmp_path)))
    if theirs:
        monkeypatch.setenv(SETTING, theirs)
    said = {**owned(), "owner": ELSEWHERE}
    if theirs is None:  # as it was written before there was a setting
        del said["patience"]
    await ledger.record(ATTEMPT, "claimed", said)
    if last != "claimed":
        await ledger.renew(ATTEMPT, said)
    if last == "heartbeat":
        pulse = encode({**said, "holds": [ATTEMPT.key]})
        await ledger.storage.write(heartbeat_key(ProcessId.model_validate(ELSEWHERE)), pulse)
    monkeypatch.setenv(SETTING, ours)
    watch = LeaseMonitor(ledger, ATTEMPT)
    assert await watch.alive() is None
    clock[0] += float(theirs or PATIENCE) - 1
    assert await watch.alive() is None
    clock[0] += 2
    assert await watch.alive() is False


async def test_what_is_written_says_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when it is written; without a setting, 32 seconds."""
    ledger = Ledger(Storage(str(tmp_path)))
    said: list[object] = []
    for patience in [None, "120"]:
        if patience:
            monkeypatch.setenv(SETTING, patience)
        await begin_lease(ledger, ATTEMPT)
        entry = await ledger.entry(ATTEMPT, "lease")
        assert entry is not None
        said.append(entry["patience"])
    assert [32.0, 120.0] == said


@pytest.mark.parametrize("patience", ["29.9", "0", "-60", "3601", "inf", "nan", "soon"])
def test_no_setting_takes_the_living_for_dead(patience: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than three renewals is refused, for two may fail; so is more than an hour, for which the dead were waited for."""
    monkeypatch.setenv(SETTING, str(3 * BEAT))
    assert 30.0 == TogetherSettings().lease_patience
    monkeypatch.setenv(SETTING, patience)
    with pytest.raises(ValidationError, match="lease_patience"):
        TogetherSettings()


def test_money_in_hand_is_held_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An allowance lasts for two patiences of its holder, and for that long it is nobody else's: also where it changes."""
    monkeypatch.setenv(SETTING, "300")
    purse = Purse("holder")
    monkeypatch.setenv(SETTING, "30")
    assert (600.0, 60.0) == (purse.lasts, Purse("another").lasts)
