"""What one batch may spend: by itself, which is counted in memory, and from a limit that it shares with others."""

from __future__ import annotations

import contextlib
from decimal import Decimal

from prefect_together.catalog.money import dollars
from prefect_together.errors import BudgetExceeded, LibraryError
from prefect_together.ledger.allowance import Mark
from prefect_together.ledger.spend_limit import TOGETHER, SharedBudget, SpendLimit
from prefect_together.storage.storage import Storage


class Budget:
    """What one batch may spend.

    Args:
        worst_case: USD that a request of unknown price counts as.
        max_cost: USD that this batch may spend, if that is limited.
        limit: The shared limit, if there is one.
        storage: The library that the shared limit is kept in.
        environment: Whether Together is paid or a sandbox.
    """

    def __init__(
        self,
        *,
        worst_case: Decimal,
        max_cost: Decimal | None = None,
        limit: SpendLimit | None = None,
        storage: Storage | None = None,
        environment: str = TOGETHER,
    ) -> None:
        self.worst_case = worst_case
        self.max_cost = max_cost
        self.committed = Decimal(0)
        """USD that this batch has reserved or spent."""
        self._reserved: dict[str, Decimal] = {}
        self._shared = SharedBudget(limit, storage, environment) if limit and storage else None

    async def reserve(self, key: str, estimate: Decimal | None) -> None:
        """Set money aside for one attempt.

        Raises:
            BudgetExceeded: There is not enough left.
        """
        amount = self.worst_case if estimate is None else estimate
        about = (
            f"about {dollars(amount)}" if estimate is not None else f"of unknown price, which counts as {dollars(amount)}"
        )
        if self.max_cost is not None and self.committed + amount > self.max_cost:
            raise _exceeded(
                about, f"max_cost is {dollars(self.max_cost)} and {dollars(self.committed)} of it is spent or reserved"
            )
        self.committed += amount  # before anything is awaited: others reserve meanwhile
        try:
            if self._shared and not await self._shared.reserve(key, amount):
                limit, taken = self._shared.limit, dollars(self._shared.committed)
                raise _exceeded(about, f"the limit {limit.name!r} is {dollars(limit.usd)} and {taken} is taken")
        except BaseException:  # cancelled as well: what was not reserved must not stay taken
            self.committed -= amount
            raise
        self._reserved[key] = amount

    async def settle(self, key: str, cost: Decimal | None = None) -> None:
        """Put what an attempt did cost in place of what was reserved for it: nothing, where it was refused.

        A library that fails meanwhile leaves the reservation as it is, which errs on the safe side: what the ledger says of
        the attempt settles it later, and where it says nothing, the end of this process does.

        Args:
            key: Of the attempt.
            cost: USD as reported; None where nothing was reported, and what was reserved is spent.
        """
        reserved = self._reserved.pop(key, None)
        if reserved is None:
            return
        cost = reserved if cost is None else cost
        self.committed += cost - reserved
        if self._shared:
            with contextlib.suppress(LibraryError):
                # Nobody waits for money that changes nothing for anybody: that is written down with what comes next.
                await self._shared.settle(key, cost, wait=cost != reserved)

    def mark(self, key: str) -> Mark | None:
        """Return what the claim of an attempt has to bear, by which others find out what its money was taken from."""
        return self._shared.mark(key) if self._shared else None

    def covers(self, key: str) -> bool:
        """Tell of an attempt that was claimed just now whether its money can still not have been given to others."""
        return self._shared is None or self._shared.covers(key)

    async def close(self) -> None:
        """Write down what is not written down yet, and settle what the ledger knows the cost of, whoever reserved it."""
        if self._shared:
            with contextlib.suppress(LibraryError):  # the next batch does it
                await self._shared.close()

    def __str__(self) -> str:
        of = f" of {dollars(self.max_cost)}" if self.max_cost is not None else ""
        own = f"{dollars(self.committed)}{of} spent or reserved by this batch"
        if self._shared is None:
            return f"Budget: {own}."
        limit, taken = self._shared.limit, dollars(self._shared.committed)
        return f"Budget: {own}; {taken} of {dollars(limit.usd)} of {limit.name!r}."


def _exceeded(about: str, why: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"Not sent ({about}): {why}.", advice="Raise it and run it again: what is kept is not paid for again."
    )
