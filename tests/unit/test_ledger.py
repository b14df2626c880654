"""The ledger: names tell the state of everything, entries are written once, and newer releases are respected."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest

from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import VERSION, Attempt, Event, History, Ledger, State, attempts, decode, encode, folder
from prefect_together.storage.storage import Storage

FP = "7f3a" + "0" * 36
AT = f"ledger/7f/{FP}"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([f"{AT}/any-0001-claimed.json"], [Attempt(FP, "any", 1, frozenset({"claimed"}))], id="one"),
        pytest.param(
            [f"{AT}/any-0001-stored.json", f"{AT}/any-0001-claimed.json", f"{AT}/any-0001-lease.json"],
            [Attempt(FP, "any", 1, frozenset({"claimed", "lease", "stored"}))],
            id="all-entries-of-one",
        ),
        pytest.param(
            [f"{AT}/run-b-0001-claimed.json", f"{AT}/any-0010-claimed.json", f"{AT}/any-0002-claimed.json"],
            [
                Attempt(FP, "any", 2, frozenset({"claimed"})),
                Attempt(FP, "any", 10, frozenset({"claimed"})),
                Attempt(FP, "run-b", 1, frozenset({"claimed"})),
            ],
            id="in-order",
        ),
        pytest.param(
            [f"{AT}/any-12345-claimed.json"], [Attempt(FP, "any", 12345, frozenset({"claimed"}))], id="many-digits"
        ),
        pytest.param([f"{AT}/any-0001-lease.json"], [], id="a-lease-alone"),
        pytest.param([f"{AT}/any-0001-resolved.json"], [], id="a-decision-alone"),
        pytest.param(
            [
                "",
                "/",
                "ledger",
                "images/2026-11-22/a-fox.jpg",
                f"{AT}/any",
                f"{AT}/README.md",
                f"{AT}/claimed.json",
                f"{AT}/any-claimed.json",
                f"{AT}/any--claimed.json",
                f"{AT}/any-0001.json",
                f"{AT}/any-x001-claimed.json",
                f"{AT}/any-0001-claimed.json#1",
                f"{AT}/any-0001-claimed.json.tmp",
                f"{AT}/any-0001-claimed.txt",
                f"{AT}/any-0001-invented.json",
                f"{AT}/-0001-claimed.json",
                f"{AT}/any/0001-claimed.json",
                f"{AT}/0001-claimed.json",
                f"other/7f/{FP}/any-0001-claimed.json",
                f"{AT}/.DS_Store",
            ],
            [],
            id="junk",
        ),
    ],
)
def test_attempts_are_read_off_names(names: list[str], expected: list[Attempt]) -> None:
    """A listing is enough; what is none of ours is passed over."""
    assert expected == list(attempts(names))


def test_an_event_of_a_newer_release_does_no_harm() -> None:
    """An entry we do not know leaves the state as we know it."""
    (found,) = attempts([f"{AT}/any-0001-claimed.json", f"{AT}/any-0001-invented.json"])
    assert "claimed" == found.state


EVENTS = [event for event in get_args(Event) if event not in {"lease", "resolved"}]
RANK = ["stored", "adopted", "failed", "lost", "accepted", "refused", "unknown", "claimed"]
DECIDABLE = {"lost", "unknown", "claimed"}


def test_every_event_has_its_place() -> None:
    """A new event fails here until its place among the others is decided."""
    assert set(RANK) == set(EVENTS)
    assert set(RANK) | {"resolved"} == set(get_args(State))


@pytest.mark.parametrize("size", range(1, len(RANK) + 1))
def test_the_state_of_every_combination(size: int) -> None:
    """The strongest entry is the state; a lease changes nothing; a decision ends only what nobody knew."""
    for events in itertools.combinations(RANK, size):
        strongest = min(events, key=RANK.index)
        for lease in ({"lease"}, set[str]()):
            assert strongest == Attempt(FP, "any", 1, frozenset({*events, *lease})).state
            decided = "resolved" if strongest in DECIDABLE else strongest
            assert decided == Attempt(FP, "any", 1, frozenset({*events, *lease, "resolved"})).state


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param({"claimed"}, "claimed", id="about-to-be-sent"),
        pytest.param({"claimed", "lease"}, "claimed", id="being-sent"),
        pytest.param({"claimed", "accepted"}, "accepted", id="rendering"),
        pytest.param({"claimed", "accepted", "stored"}, "stored", id="kept"),
        pytest.param({"claimed", "accepted", "failed"}, "failed", id="failed"),
        pytest.param({"claimed", "refused"}, "refused", id="refused"),
        pytest.param({"claimed", "unknown"}, "unknown", id="nobody-knows"),
        pytest.param({"claimed", "unknown", "resolved"}, "resolved", id="decided"),
        pytest.param({"claimed", "unknown", "accepted"}, "accepted", id="the-answer-came-late"),
        pytest.param({"claimed", "unknown", "resolved", "accepted"}, "accepted", id="the-answer-came-after-the-decision"),
        pytest.param({"claimed", "unknown", "resolved", "accepted", "stored"}, "stored", id="and-was-kept"),
        pytest.param({"claimed", "accepted", "lost"}, "lost", id="expired"),
        pytest.param({"claimed", "accepted", "lost", "resolved"}, "resolved", id="expired-and-decided"),
        pytest.param({"claimed", "accepted", "lost", "stored"}, "stored", id="expired-and-found-again"),
        pytest.param({"claimed", "accepted", "adopted"}, "adopted", id="taken-over"),
    ],
)
def test_the_state_of_every_story(events: set[str], state: str) -> None:
    """What can happen to an attempt, told by its entries."""
    assert state == Attempt(FP, "any", 1, frozenset(events)).state


def test_an_attempt_is_named_for_people_and_for_the_store() -> None:
    """The key is what commands take, the prefix is where the entries are."""
    attempt = Attempt(FP, "run-x", 7)
    assert (f"{FP}/run-x/0007", f"{AT}/run-x-0007") == (attempt.key, attempt.prefix)
    assert AT == folder(FP)


def test_a_history_is_told_by_scope() -> None:
    """Within and outside of a scope, and what comes next."""
    one, two, other = (
        Attempt(FP, scope, number, frozenset({"claimed"})) for scope, number in (("any", 1), ("any", 4), ("run-x", 2))
    )
    history = History(FP, (one, two, other))
    assert (one, two) == history.within("any")
    assert [other] == history.latest(but="any")
    assert ((), [two, other]) == (history.within("run-y"), history.latest(but="run-y"))
    assert [Attempt(FP, "any", 5), Attempt(FP, "run-x", 3), Attempt(FP, "run-y", 1)] == [
        history.next(scope) for scope in ("any", "run-x", "run-y")
    ]


async def test_what_is_recorded_is_found(storage: Storage) -> None:
    """An entry is one object; a listing tells the state, and reading it gives back what was written."""
    ledger, attempt = Ledger(storage), Attempt(FP, "any", 1)
    assert await ledger.record(attempt, "claimed", {"owner": {"pid": 1}})
    assert await ledger.record(attempt, "accepted", {"job_id": "j", "urls": ["https://x/a?b=ü"], "cost": Decimal("0.28")})
    history = await ledger.history(FP)
    assert History(FP, (Attempt(FP, "any", 1, frozenset({"claimed", "accepted"})),)) == history
    entry = await ledger.entry(attempt, "accepted")
    assert entry is not None
    assert ("j", ["https://x/a?b=ü"], "0.28", VERSION) == (entry["job_id"], entry["urls"], entry["cost"], entry["version"])
    assert await ledger.entry(attempt, "stored") is None
    assert History("0" * 40, ()) == await ledger.history("0" * 40)


async def test_an_entry_is_written_once(storage: Storage) -> None:
    """Of all who claim one wins, and nobody's entry is ever replaced."""
    ledger, attempt = Ledger(storage), Attempt(FP, "any", 1)
    won = await asyncio.gather(*(ledger.record(attempt, "claimed", {"who": number}) for number in range(20)))
    assert 1 == sum(won)
    assert not await ledger.record(attempt, "claimed", {"who": "late"})
    entry = await ledger.entry(attempt, "claimed")
    assert entry is not None
    assert won.index(True) == entry["who"]


async def test_a_lease_is_renewed(storage: Storage) -> None:
    """It is the only entry that is overwritten."""
    ledger, attempt = Ledger(storage), Attempt(FP, "any", 1)
    for beat in range(3):
        await ledger.renew(attempt, {"beat": beat})
    entry = await ledger.entry(attempt, "lease")
    assert entry is not None
    assert 2 == entry["beat"]
    assert [f"{AT}/any-0001-lease.json"] == await storage.names("ledger")


def test_an_entry_is_for_people() -> None:
    """JSON on several lines, with version and time in front, letters as they are."""
    before = datetime.now(timezone.utc)
    text = encode({"prompt": "Füchse 狐"}).decode()
    assert text.endswith("}\n")
    assert "Füchse 狐" in text
    assert ["version", "at", "prompt"] == list(json.loads(text))
    at = datetime.fromisoformat(json.loads(text)["at"])
    moment = timedelta(milliseconds=1)  # it is written with so many digits
    assert before - moment <= at <= datetime.now(timezone.utc)


@pytest.mark.parametrize(
    "entry", [{}, {"a": None, "b": [1, {"c": "d"}]}, {"money": Decimal("0.1")}], ids=["empty", "deep", "money"]
)
def test_an_entry_comes_back(entry: dict[str, Any]) -> None:
    """What is encoded is decoded; money is text."""
    back = decode("k", encode(entry))
    assert json.loads(json.dumps(entry, default=str)) == {name: back[name] for name in entry}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"\x80\xff", "cannot be read", id="bytes"),
        pytest.param(b'{"version": 1', "cannot be read", id="cut-off"),
        pytest.param(b"[]", "cannot be read", id="list"),
        pytest.param(b"null", "cannot be read", id="null"),
        pytest.param(b"{}", "cannot be read", id="no-version"),
        pytest.param(b'{"version": "1"}', "cannot be read", id="version-text"),
        pytest.param(b'{"version": null}', "cannot be read", id="version-null"),
        pytest.param(b'{"version": 2}', "newer release", id="newer"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(data: bytes, said: str) -> None:
    """Neither junk nor the entry of a newer release is taken for something else."""
    with pytest.raises(LibraryError, match=said) as caught:
        decode("ledger/x.json", data)
    assert "ledger/x.json" in str(caught.value)
    assert caught.value.advice
    assert not caught.value.retryable
