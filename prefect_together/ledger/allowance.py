"""What one holder may spend of a shared limit without writing down each time on what. In memory: reads and writes nothing.

It is drawn with one entry of the limit, and the next one says what it was spent on. Each claim that is paid from it bears a
mark, by which others find what that of a dead holder was spent on: see ``allowance_claims``.

Others may end it when they have seen it unchanged for so many seconds, whether or not its holder lives. So it is spent only
for a part of them, and what is not claimed within a larger part is not sent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from prefect_together.ledger.heartbeats import patience
from prefect_together.ledger.limit_sums import LimitSums, Renew

SINGLY = 20
"""Requests that a holder reserves money for one by one before it draws an allowance: most batches need none."""
_LEASES = 2
_SPENT = 0.6
_CLAIMED = 0.8
_NONE = Decimal(0)


class Mark(TypedDict):
    """What a claim says of the allowance that it is paid from."""

    holder: str
    number: int
    usd: str


@dataclass(frozen=True)
class _Taken:
    usd: Decimal
    number: int
    until: float


@dataclass(frozen=True)
class _Account:
    """What was done with an allowance, once it is spent from no more."""

    spent: Decimal
    reserved: Mapping[str, Decimal]


class Purse:
    """The allowances of one holder, one after the other.

    Args:
        holder: Its name.
    """

    def __init__(self, holder: str) -> None:
        self.left = _NONE
        """USD that can be spent of it. Below zero where something cost more than was thought."""
        self.lasts = patience() * _LEASES
        """For how many seconds others have to see an allowance unchanged before they end it; it stays as it was drawn."""
        self.term = self.lasts * _SPENT
        """For how many seconds an allowance is spent: the longer, the fewer entries there are."""
        self._holder = holder
        self._number = 0
        self._began = 0.0
        self._spent = _NONE
        self._taken: dict[str, _Taken] = {}
        self._closed: _Account | None = None
        self._asked = 0.0
        self._numbers = 0
        self._unsure: frozenset[int] = frozenset()
        self._recent: deque[tuple[float, Decimal]] = deque()
        self._count = 0

    @property
    def held(self) -> bool:
        """Whether there is an allowance in the limit, or may be."""
        return self._number > 0 or bool(self._unsure)

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self._began

    def take(self, key: str, usd: Decimal) -> bool:
        """Set money aside for an attempt; return False, and change nothing, where there is not enough."""
        if self._closed is not None or not self._number or usd > self.left or self.age > self.term:
            return False
        self.left -= usd
        self._taken[key] = _Taken(usd, self._number, self._began + self.lasts * _CLAIMED)
        self.note(usd)
        return True

    def note(self, usd: Decimal) -> None:
        """Take note that money was set aside: by it the next allowance is measured."""
        self._count += 1
        self._recent.append((time.monotonic(), usd))

    def settle(self, key: str, usd: Decimal) -> bool:
        """Put what an attempt did cost in place of what was set aside; return False where that stands in the limit."""
        taken = self._taken.pop(key, None)
        if taken is None or self._closed is not None or taken.number != self._number:
            return False
        self.left += taken.usd - usd
        self._spent += usd
        return True

    def mark(self, key: str) -> Mark | None:
        """Return what the claim of an attempt has to bear; None where the limit itself says what is reserved for it."""
        taken = self._taken.get(key)
        return None if taken is None else {"holder": self._holder, "number": taken.number, "usd": str(taken.usd)}

    def covers(self, key: str) -> bool:
        """Tell whether the money of an attempt that was claimed just now can still not have been given to others."""
        taken = self._taken.get(key)
        return taken is None or time.monotonic() < taken.until

    # One after the other.

    def renewal(self, least: Decimal | None) -> Renew | None:
        """Spend no more of the allowance, and return what is to be written of it; None where there is nothing.

        Args:
            least: USD of the request that the next one is needed for; None where none is wanted.
        """
        wants = _NONE if least is None else self._wanted()
        if not wants and not self.held:
            return None
        if self._closed is None:  # else it could not be written, and what was done with it is what it was
            mine = {key: one.usd for key, one in self._taken.items() if one.number == self._number}
            self._closed = _Account(self._spent, mine)
        self._asked = time.monotonic()
        self._numbers += 1
        return Renew(
            holder=self._holder,
            before=self._number,
            unsure=self._unsure,
            number=self._numbers,
            spent=self._closed.spent,
            reserved=self._closed.reserved,
            wants=wants,
            least=least or _NONE,
            seconds=self.lasts,
        )

    def renewed(self, renew: Renew, sums: LimitSums | None) -> None:
        """Begin with what was drawn.

        Args:
            renew: What was to be written.
            sums: What stands in the limit since then; None where there was nothing to write.
        """
        holder = sums.holders.get(self._holder) if sums else None
        named = holder["reserved"] if holder else {}
        for key in renew.reserved:
            if key in named:  # else others ended the allowance before it was claimed: it is not covered any more
                self._taken.pop(key, None)
        drawn = holder.get("allowance") if holder else None
        mine = drawn is not None and drawn["number"] == renew.number
        self._number, self.left = (renew.number, Decimal(drawn["usd"])) if drawn and mine else (0, _NONE)
        self._began, self._spent, self._closed, self._unsure = self._asked, _NONE, None, frozenset()

    def failed(self, renew: Renew) -> None:
        """Take note that nobody knows whether it was written."""
        self.left = _NONE
        self._unsure |= {renew.number}

    def _wanted(self) -> Decimal:
        """Return as much as was set aside within the last term."""
        while self._recent and time.monotonic() - self._recent[0][0] > self.term:
            self._recent.popleft()
        return _NONE if self._count < SINGLY else sum((usd for _, usd in self._recent), _NONE)
