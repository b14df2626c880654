"""What an entry of a shared limit holds: the sums, who reserved what, and the changes of them. Reads and writes nothing.

All reservations there are stand in every entry, and a batch at Together has fifty thousand: so they stay as JSON has them.
A holder that spends a lot has an allowance besides: money of which it says afterwards what it was spent on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, TypedDict, cast

from pydantic import BaseModel

from prefect_together._internal.process import ProcessId, this_process

PART = 16
"""Of what is left of a limit, an allowance is one part in so many: near its end there is none, and all of it can be used."""
_NONE = Decimal(0)


class Reservation(TypedDict):
    """What is set aside for one attempt, and since when."""

    usd: str
    at: str


class Allowance(TypedDict):
    """What a holder may spend without saying at once on what."""

    usd: str
    number: int
    """Tells it from those that the holder had before."""
    entry: int
    """The number of the entry that it came with: what is spent of it is claimed later."""
    at: str
    seconds: float
    """How long others have to see it unchanged before they may end it."""


class _Named(TypedDict):
    owner: dict[str, Any]
    reserved: dict[str, Reservation]


class Holder(_Named, total=False):
    """A batch that spends: its process, what it has reserved for which attempts, and its allowance if it has one."""

    allowance: Allowance


class _Reservation(BaseModel):
    usd: Decimal
    at: str


class _Allowance(BaseModel):
    usd: Decimal
    number: int
    entry: int
    at: str
    seconds: float


class _Holder(BaseModel):
    owner: ProcessId
    reserved: dict[str, _Reservation] = {}
    allowance: _Allowance | None = None


class _Entry(BaseModel):
    """As it is read: by this process or by any release."""

    committed: Decimal = Decimal(0)
    holders: dict[str, _Holder] = {}


@dataclass(frozen=True)
class LimitSums:
    """What is reserved or spent by all together, and who reserved what. It is never changed: changes make another."""

    committed: Decimal
    holders: dict[str, Holder]

    @classmethod
    def read(cls, entry: dict[str, Any]) -> LimitSums:
        """Read an entry that anybody wrote; {} is that of a limit of which nothing was spent.

        Raises:
            ValueError: It is none.
        """
        found = _Entry.model_validate(entry)
        holders = {name: _as_json(holder) for name, holder in found.holders.items()}
        return cls(found.committed, cast("dict[str, Holder]", holders))

    @cached_property
    def outstanding(self) -> int:
        """How many reservations there are, which is how long an entry is."""
        return sum(len(holder["reserved"]) for holder in self.holders.values())

    def after(self, changes: Sequence[Change], limit: Decimal, entry: int) -> tuple[LimitSums, list[bool]]:
        """Return the sums after some changes, and which of them were made.

        Args:
            changes: In the order in which they came. Allowances are drawn last, of what the others have left.
            limit: USD.
            entry: The number of the entry that they go into.
        """
        holders, committed, made = dict(self.holders), self.committed, list[bool]()
        for name in {change.holder for change in changes} & holders.keys():
            copied: Holder = {**holders[name], "reserved": dict(holders[name]["reserved"])}
            holders[name] = copied
        for change in changes:
            more = change.apply(holders, limit - committed)
            made.append(more is not None)
            committed += more or _NONE
        for number, change in enumerate(changes):
            if isinstance(change, Renew) and (drawn := change.draw(holders, limit - committed, entry)):
                made[number] = True
                committed += drawn
        return LimitSums(committed, holders), made


@dataclass(frozen=True)
class Reserve:
    """Sets money aside for an attempt."""

    holder: str
    key: str
    usd: Decimal

    def apply(self, holders: dict[str, Holder], left: Decimal) -> Decimal | None:
        """Change who holds what and return by how much the sum grows; None, and change nothing, where not so much is left.

        What is reserved for the attempt already, by a write whose answer was lost, is reserved once.
        """
        known = holders.get(self.holder)
        before = known["reserved"].get(self.key) if known else None
        more = self.usd - Decimal(before["usd"] if before else 0)
        if more > 0 and more > left:
            return None
        _ours(holders, self.holder)["reserved"][self.key] = {"usd": str(self.usd), "at": _now()}
        return more

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"key": self.key, "reserved": str(self.usd)}


@dataclass(frozen=True)
class Settle:
    """Puts what an attempt did cost in place of what was reserved for it."""

    holder: str
    key: str
    usd: Decimal

    def apply(self, holders: dict[str, Holder], left: Decimal) -> Decimal | None:  # noqa: ARG002 - what is spent is spent
        """Change who holds what and return by how much the sum grows; None where somebody else has settled it."""
        holder = holders.get(self.holder)
        reserved = holder["reserved"].pop(self.key, None) if holder else None
        if reserved is None:
            return None
        _tidied(holders, self.holder)
        return self.usd - Decimal(reserved["usd"])

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"key": self.key, "spent": str(self.usd)}


@dataclass(frozen=True)
class Renew:
    """Says what a holder did with its allowance, gives the rest back, and draws another one."""

    holder: str
    before: int
    """The number of the allowance that it had; 0 for none."""
    unsure: frozenset[int]
    """Numbers of allowances of which it never heard whether they were written: it has spent nothing of them."""
    number: int
    """Of the one that it draws."""
    spent: Decimal
    """USD of the one that it had, for attempts that are settled."""
    reserved: Mapping[str, Decimal]
    """USD of the one that it had, for attempts that are not, by their keys."""
    wants: Decimal
    """USD that it draws at most; 0 for none."""
    least: Decimal
    """USD of a request: it draws what is enough for some of them."""
    seconds: float
    """How long others have to see it unchanged before they may end it."""

    def apply(self, holders: dict[str, Holder], left: Decimal) -> Decimal | None:  # noqa: ARG002 - what is spent is spent
        """Change who holds what and return by how much the sum grows; None where there is no allowance of this holder.

        Others may have ended it, who took this process for dead. They have seen what it was spent on.
        """
        holder = holders.get(self.holder)
        had = holder.get("allowance") if holder else None
        if holder is None or had is None or had["number"] not in {self.before, *self.unsure}:
            return None
        del holder["allowance"]
        more = -Decimal(had["usd"])
        if had["number"] == self.before:
            now, named = _now(), holder["reserved"]
            twice = sum((Decimal(named[key]["usd"]) for key in self.reserved if key in named), _NONE)
            named.update({key: {"usd": str(usd), "at": now} for key, usd in self.reserved.items()})
            more += self.spent + sum(self.reserved.values(), _NONE) - twice
        _tidied(holders, self.holder)
        return more

    def draw(self, holders: dict[str, Holder], left: Decimal, entry: int) -> Decimal:
        """Draw another one, and return how much it is."""
        most = min(self.wants, left / PART)
        usd = (
            most // self.least * self.least if self.least > 0 else _NONE
        )  # else some would be left that is of use to nobody
        if usd <= 0:
            return _NONE
        drawn: Allowance = {
            "usd": str(usd),
            "number": self.number,
            "entry": entry,
            "at": _now(),
            "seconds": self.seconds,
        }
        _ours(holders, self.holder)["allowance"] = drawn
        return usd

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"allowance": str(self.number), "spent": str(self.spent)}


@dataclass(frozen=True)
class End:
    """Ends the allowance of a holder that is gone: what it was spent on is reserved from now on, and the rest is free."""

    holder: str
    number: int
    """Of the allowance."""
    found: Mapping[str, Reservation]
    """What it was spent on, by the keys of attempts."""

    def apply(self, holders: dict[str, Holder], left: Decimal) -> Decimal | None:  # noqa: ARG002 - what is spent is spent
        """Change who holds what and return by how much the sum grows; None where it is there no more."""
        holder = holders.get(self.holder)
        had = holder.get("allowance") if holder else None
        if holder is None or had is None or had["number"] != self.number:
            return None
        del holder["allowance"]
        more = {key: one for key, one in self.found.items() if key not in holder["reserved"]}
        holder["reserved"].update(more)
        _tidied(holders, self.holder)
        return sum((Decimal(one["usd"]) for one in more.values()), -Decimal(had["usd"]))

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"ended": str(self.number), "of": self.holder}


Change = Reserve | Settle | Renew | End
"""What is written down."""


def _ours(holders: dict[str, Holder], name: str) -> Holder:
    return holders.setdefault(name, {"owner": this_process().model_dump(), "reserved": {}})


def _tidied(holders: dict[str, Holder], name: str) -> None:
    """Forget a holder that holds nothing."""
    if not holders[name]["reserved"] and "allowance" not in holders[name]:
        del holders[name]


def _as_json(holder: _Holder) -> dict[str, Any]:
    return holder.model_dump(mode="json", exclude=None if holder.allowance else {"allowance"})


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
