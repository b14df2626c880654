"""What an entry of a shared limit holds: the sums, who reserved what, and the changes of them. Reads and writes nothing.

All reservations there are stand in every entry, and a batch at Together has fifty thousand: so they stay as JSON has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, TypedDict, cast

from pydantic import BaseModel

from prefect_together._internal.process import ProcessId, this_process


class Reservation(TypedDict):
    """What is set aside for one attempt, and since when."""

    usd: str
    at: str


class Holder(TypedDict):
    """A batch that spends: its process, and what it has reserved for which attempts."""

    owner: dict[str, Any]
    reserved: dict[str, Reservation]


class _Reservation(BaseModel):
    usd: Decimal
    at: str


class _Holder(BaseModel):
    owner: ProcessId
    reserved: dict[str, _Reservation] = {}


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
        holders = {name: holder.model_dump(mode="json") for name, holder in found.holders.items()}
        return cls(found.committed, cast("dict[str, Holder]", holders))

    @cached_property
    def outstanding(self) -> int:
        """How many reservations there are, which is how long an entry is."""
        return sum(len(holder["reserved"]) for holder in self.holders.values())

    def after(self, changes: Sequence[Reserve | Settle], limit: Decimal) -> tuple[LimitSums, list[bool]]:
        """Return the sums after some changes, and which of them were made."""
        holders, committed, made = dict(self.holders), self.committed, list[bool]()
        for name in {change.holder for change in changes} & holders.keys():
            holders[name] = {**holders[name], "reserved": dict(holders[name]["reserved"])}
        for change in changes:
            more = change.apply(holders, limit - committed)
            made.append(more is not None)
            committed += more or Decimal(0)
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
        holder = holders.setdefault(self.holder, {"owner": this_process().model_dump(), "reserved": {}})
        holder["reserved"][self.key] = {"usd": str(self.usd), "at": _now()}
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
        if holder is None or reserved is None:
            return None
        if not holder["reserved"]:
            del holders[self.holder]
        return self.usd - Decimal(reserved["usd"])

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"key": self.key, "spent": str(self.usd)}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
