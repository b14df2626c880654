"""Whether somebody is still at work on an attempt: every situation that another process may find."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from prefect_together._internal.process import ProcessId, this_process
from prefect_together.ledger import heartbeats, leases
from prefect_together.ledger.heartbeats import PATIENCE, heartbeat_key, owned
from prefect_together.ledger.leases import HANDED_OUT, Lease, LeaseMonitor, release
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.storage.storage import Storage

ATTEMPT = Attempt("f" * 40, "any", 1)
FOREIGN = ProcessId(host="elsewhere", machine="0" * 16, pid=1, started="1")
DEAD = this_process().model_copy(update={"started": "1"})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give an empty ledger."""
    return Ledger(Storage(str(tmp_path / "library")))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give a clock that only the test moves."""
    now = [1000.0]
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def neighbour(monkeypatch: pytest.MonkeyPatch) -> ProcessId:
    """Give another process of this machine that runs for as long as the test likes."""
    owner, ours = this_process().model_copy(update={"pid": 4_000_000, "started": "42"}), this_process().started

    def started(pid: int) -> str | None:
        return "42" if pid == owner.pid else ours

    monkeypatch.setattr("prefect_together._internal.process._started", started)
    return owner


async def found(ledger: Ledger, owner: ProcessId, event: str = "lease", *, age: float = 0.0, **more: Any) -> None:
    """Let an entry of somebody be found."""
    at = (datetime.now(timezone.utc) - timedelta(seconds=age)).isoformat()
    entry = {"owner": owner.model_dump(), "token": more.pop("token", "t"), "at": at, **more}
    if event == "lease":
        await ledger.renew(ATTEMPT, entry)
    else:
        await ledger.record(ATTEMPT, "claimed", entry)


async def test_nothing_is_nobodys(ledger: Ledger) -> None:
    """Without a claim nobody is at work."""
    assert await LeaseMonitor(ledger, ATTEMPT).alive() is False


OWNERS = {"foreign": FOREIGN, "dead": DEAD, "ours": this_process()}


@pytest.mark.parametrize("event", ["claimed", "lease"])
@pytest.mark.parametrize(
    ("who", "more", "expected"),
    [
        pytest.param("dead", {}, False, id="its-process-is-gone"),
        pytest.param("dead", {"handed_out": True}, False, id="handed-out-and-its-process-is-gone"),
        pytest.param("foreign", {"released": True}, False, id="given-up-elsewhere"),
        pytest.param("ours", {"released": True}, False, id="given-up-here"),
        pytest.param("ours", {}, False, id="ours-and-forgotten"),
        pytest.param("ours", {"handed_out": True}, True, id="ours-and-handed-out"),
        pytest.param("foreign", {}, None, id="elsewhere-at-first-look"),
        pytest.param("foreign", {"age": 10 * PATIENCE}, None, id="elsewhere-whatever-its-clock-says"),
        pytest.param("foreign", {"handed_out": True}, True, id="handed-out-elsewhere"),
        pytest.param("foreign", {"handed_out": True, "age": HANDED_OUT - 60}, True, id="handed-out-elsewhere-a-while-ago"),
        pytest.param("foreign", {"handed_out": True, "age": HANDED_OUT + 60}, False, id="handed-out-elsewhere-long-ago"),
    ],
)
async def test_what_one_look_tells(
    ledger: Ledger,
    who: str,
    more: dict[str, Any],
    expected: bool | None,
    event: str,
) -> None:
    """A dead process is seen at once, another machine takes more looks, and what was handed out waits for its run."""
    await found(ledger, OWNERS[who], event, **more)
    assert expected is await LeaseMonitor(ledger, ATTEMPT).alive()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, True, id="fresh"),
        pytest.param({"age": PATIENCE - 5}, True, id="a-little-old"),
        pytest.param({"age": PATIENCE + 5}, None, id="overdue-by-a-clock-that-may-have-jumped"),
        pytest.param({"handed_out": True, "age": 10 * HANDED_OUT}, False, id="handed-out-long-ago"),
        pytest.param({"released": True}, False, id="given-up"),
    ],
)
async def test_a_process_next_door(
    ledger: Ledger, neighbour: ProcessId, more: dict[str, Any], expected: bool | None
) -> None:
    """It has the same clock, so a fresh lease is proof of life; an old one is not proof of death."""
    await found(ledger, neighbour, **more)
    assert expected is await LeaseMonitor(ledger, ATTEMPT).alive()


async def test_a_lease_says_more_than_a_claim(ledger: Ledger) -> None:
    """What was said last counts."""
    await found(ledger, FOREIGN, "claimed")
    await found(ledger, FOREIGN, "lease", released=True)
    assert await LeaseMonitor(ledger, ATTEMPT).alive() is False


async def test_what_this_process_is_at_work_on(ledger: Ledger) -> None:
    """Held while the block lasts, given up when it fails, and by another task of the same process too."""
    await ledger.record(ATTEMPT, "claimed", owned())
    watch = LeaseMonitor(ledger, ATTEMPT)
    async with Lease(ledger, ATTEMPT):
        assert await watch.alive() is True
    assert await watch.alive() is False


@pytest.mark.parametrize("error", [KeyError("x"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_failed_holder_gives_up_at_once(ledger: Ledger, error: BaseException) -> None:
    """Whoever comes next need not wait until the lease is overdue."""
    await ledger.record(ATTEMPT, "claimed", owned())
    with pytest.raises(type(error)):
        async with Lease(ledger, ATTEMPT):
            raise error
    entry = await ledger.entry(ATTEMPT, "lease")
    assert entry is not None
    assert (True, False) == (entry["released"], entry["handed_out"])


async def test_a_holder_elsewhere_is_alive_while_its_lease_changes(ledger: Ledger, clock: list[float]) -> None:
    """Clocks of two machines are never compared: changes are counted by our own."""
    watch = LeaseMonitor(ledger, ATTEMPT)
    looks: list[bool | None] = []
    for after, token in [
        (0, "a"),
        (5, "a"),
        (5, "b"),
        (20, "b"),
        (PATIENCE - 21, "b"),
        (2, "b"),
        (0, "c"),
        (PATIENCE - 1, "c"),
        (2, "c"),
    ]:
        clock[0] += after
        await found(ledger, FOREIGN, token=token)
        looks.append(await watch.alive())
    assert [None, None, True, None, None, False, True, None, False] == looks


async def test_a_claim_elsewhere_that_never_beats_is_overdue(ledger: Ledger, clock: list[float]) -> None:
    """Its process may have died before the first renewal: half a minute later that is certain enough."""
    await found(ledger, FOREIGN, "claimed")
    watch = LeaseMonitor(ledger, ATTEMPT)
    assert await watch.alive() is None
    clock[0] += PATIENCE - 1
    assert await watch.alive() is None
    clock[0] += 2
    assert await watch.alive() is False


async def test_a_lease_is_renewed_while_it_is_held(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for short work; for longer work each renewal is another one, and the end of the block ends them."""
    monkeypatch.setattr(leases, "FIRST_BEAT", 0.5)
    monkeypatch.setattr(heartbeats, "BEAT", 0.02)
    tokens: set[str] = set()
    async with Lease(ledger, ATTEMPT):
        assert await ledger.entry(ATTEMPT, "lease") is None
        with anyio.fail_after(60):
            while len(tokens) < 3:
                await asyncio.sleep(0.01)
                for pulse in await pulses(ledger):
                    assert [ATTEMPT.key] == pulse["holds"]
                    tokens.add(pulse["token"])
        lease = await ledger.entry(ATTEMPT, "lease")
        assert lease is not None
        assert (False, this_process().model_dump()) == (lease["released"], lease["owner"])
    with anyio.fail_after(60):
        while await pulses(ledger):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.08)  # four renewals, if there were any more
    assert [] == await pulses(ledger)
    assert lease == await ledger.entry(ATTEMPT, "lease")


@pytest.mark.slow
async def test_a_thousand_leases_are_renewed_by_one_write(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt's own entry is written once; what is written again and again is one object that lists them all."""
    monkeypatch.setattr(leases, "FIRST_BEAT", 0.01)
    monkeypatch.setattr(heartbeats, "BEAT", 0.1)
    written: list[str] = []
    real = ledger.storage.write

    async def counted(key: str, data: bytes) -> None:
        written.append(key)
        await real(key, data)

    monkeypatch.setattr(ledger.storage, "write", counted)
    many = [Attempt("f" * 40, "any", number) for number in range(1000)]
    over = asyncio.Event()

    async def work(attempt: Attempt) -> None:
        async with Lease(ledger, attempt):
            await over.wait()

    working = [asyncio.create_task(work(attempt)) for attempt in many]
    with anyio.fail_after(60):
        while sum("/leases/" in key for key in written) < 3:
            await asyncio.sleep(0.05)
    (pulse,) = await pulses(ledger)
    over.set()
    await asyncio.gather(*working)
    assert sorted(attempt.key for attempt in many) == pulse["holds"]
    assert 1000 == sum(key.endswith("-lease.json") for key in written)


async def pulses(ledger: Ledger) -> list[dict[str, Any]]:
    """Return what processes say in the library that they are at work on."""
    read: list[dict[str, Any]] = []
    for key in await ledger.storage.names("ledger/leases"):
        with suppress(FileNotFoundError):  # the last of its leases ended since they were listed
            read.append(json.loads(await ledger.storage.read(key)))
    return read


async def pulse(ledger: Ledger, owner: ProcessId, token: str, holds: list[str], *, age: float = 0.0) -> None:
    """Let a process renew the leases of what it is at work on."""
    at = (datetime.now(timezone.utc) - timedelta(seconds=age)).isoformat()
    entry = {"version": 1, "at": at, "owner": owner.model_dump(), "token": token, "holds": holds}
    await ledger.storage.write(heartbeat_key(owner), json.dumps(entry).encode())


async def test_a_process_elsewhere_renews_all_its_leases_at_once(ledger: Ledger, clock: list[float]) -> None:
    """It counts for what it lists, and no longer for what it has let go of or for what somebody else holds."""
    await found(ledger, FOREIGN)
    watch, others = LeaseMonitor(ledger, ATTEMPT), ["0" * 40 + "/any/0001"]
    looks: list[bool | None] = []
    for after, token, holds in [
        (0, "a", [ATTEMPT.key, *others]),
        (PATIENCE - 1, "b", [ATTEMPT.key, *others]),
        (PATIENCE - 1, "c", [ATTEMPT.key]),
        (PATIENCE - 1, "c", [ATTEMPT.key]),
        (2, "c", [ATTEMPT.key]),
        (0, "d", others),  # a change, which is taken for life once
        (PATIENCE - 1, "e", others),
        (2, "f", others),
    ]:
        clock[0] += after
        await pulse(ledger, FOREIGN, token, holds)
        looks.append(await watch.alive())
    assert [None, True, True, None, False, True, None, False] == looks


@pytest.mark.parametrize(
    ("listed", "age", "expected"),
    [
        pytest.param(True, 0.0, True, id="renewed"),
        pytest.param(True, PATIENCE + 5, None, id="overdue"),
        pytest.param(False, 0.0, None, id="at-work-on-something-else"),
    ],
)
async def test_a_process_next_door_that_renews(
    ledger: Ledger, neighbour: ProcessId, *, listed: bool, age: float, expected: bool | None
) -> None:
    """Its lease is as fresh as its last renewal, where that one lists it."""
    await found(ledger, neighbour, age=PATIENCE + 60)
    await pulse(ledger, neighbour, "t", [ATTEMPT.key] if listed else [], age=age)
    assert expected is await LeaseMonitor(ledger, ATTEMPT).alive()


async def test_what_is_handed_out_stays_with_the_run(ledger: Ledger) -> None:
    """A submitted job that nobody waits for yet is not taken away from the run that will."""
    await release(ledger, ATTEMPT, handed_out=True)
    assert await LeaseMonitor(ledger, ATTEMPT).alive() is True
    await release(ledger, ATTEMPT)
    assert await LeaseMonitor(ledger, ATTEMPT).alive() is False


def test_no_two_claims_look_alike() -> None:
    """The token tells our own entry from an equal one of somebody else."""
    one, other = owned(), owned()
    assert one["owner"] == other["owner"] == this_process().model_dump()
    assert one["token"] != other["token"]
