"""Numbered entries in one folder, each of which carries the whole state after it. Knows nothing of what they say.

Any number of tasks, processes and machines add to them together. Each entry is created only if its number is free, by
somebody who has read all before it, so no entry is lost, skipped or written without knowledge of another.

Each entry carries the whole state, so the last one is a checkpoint, and those long before it are removed. One who was away
for so long might find a number free again: there is a gap then between it and those that are kept, and it does not count.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.json import read, readable
from prefect_together._internal.process import this_process
from prefect_together._internal.tokens import unique_token
from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage

KEPT = 128
"""Entries before the last one that are kept, for those who read on from where they were."""
_REMOVED = 64
"""Numbers between two removals."""


class AppendLog:
    """A log in one folder.

    For example::

        limits/autumn-campaign-1f0c/00000001.json     {"committed": "0.30", …}
                                    00000002.json     {"committed": "0.57", …}

    Args:
        storage: The library.
        folder: Where the entries are in it.
        advice: What to do about an entry that cannot be read.
    """

    def __init__(self, storage: Storage, folder: str, *, advice: str) -> None:
        self.last: dict[str, Any] = {}
        """The last entry that was read or written; empty where there is none."""
        self._storage = storage
        self._folder = folder
        self._advice = advice
        self._number: int | None = None

    @property
    def number(self) -> int:
        """The number of the last entry that was read or written; 0 where there is none."""
        return self._number or 0

    async def read(self) -> bool:
        """Read what others wrote since, and return whether there was anything.

        Raises:
            LibraryError: An entry cannot be read.
        """
        before, number = self._number, max(await self._numbers(), default=0)
        if before is None or number > before:
            self._advance(number, (await self._entry(number) or {}) if number else {})
        return before != self._number

    async def _numbers(self) -> set[int]:
        """Return the numbers of the entries that there are."""
        _, names = await self._storage.children(self._folder)
        return {int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal()}

    async def _is_new(self, number: int) -> bool:
        """Tell whether a number was never given before: all from it to the last one are there, and none is removed."""
        numbers = await self._numbers()
        return len([one for one in numbers if one >= number]) == max(numbers, default=0) - number + 1

    async def add(self, says: dict[str, Any]) -> bool:
        """Write the next entry; return False, and write nothing, where that would be without having read all before it.

        Raises:
            LibraryError: It cannot be written.
        """
        if self._number is None:
            return False
        number, token = self._number + 1, unique_token()
        stamp = {"version": 1, "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds")}
        entry = {**stamp, **says, "owner": this_process().model_dump(), "token": token}
        created = await self._storage.create(self.key(number), readable(entry))
        # An object store that repeats its own write may report our own entry as somebody else's.
        if not created and (await self._entry(number) or {}).get("token") != token:
            return False
        # Twice, for a folder that is added to while it is listed may show what came later and not what came before that.
        if not await self._is_new(number) and not await self._is_new(number):
            await self._storage.delete(self.key(number))
            return False
        self._advance(number, entry)
        if number % _REMOVED == 0 and number > KEPT:
            await self._remove(number - KEPT)
        return True

    async def _remove(self, below: int) -> None:
        """Remove the entries below a number."""
        with contextlib.suppress(LibraryError):  # they do no harm
            await self._storage.remove([self.key(number) for number in sorted(await self._numbers()) if number < below])

    def _advance(self, number: int, entry: dict[str, Any]) -> None:
        """Note the last entry: another task, which read or wrote while this one waited, may have gone further already."""
        if self._number is None or number > self._number:
            self._number, self.last = number, entry

    async def _entry(self, number: int) -> dict[str, Any] | None:
        try:
            return read(await self._storage.read(self.key(number)))
        except FileNotFoundError:
            return None
        except ValueError:
            raise LibraryError(f"The entry {self.key(number)} cannot be read.", advice=self._advice) from None

    def key(self, number: int) -> str:
        """Return where the entry of a number is."""
        return f"{self._folder}/{number:08d}.json"
