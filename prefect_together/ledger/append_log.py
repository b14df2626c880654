"""Numbered entries in one folder, each of which carries the whole state after it. Knows nothing of what they say.

Any number of tasks, processes and machines add to them together. Each entry is created only if its number is free, by
somebody who has read all before it, so no entry is lost, skipped or written without knowledge of another.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.json import read, readable
from prefect_together._internal.process import this_process, unique_token
from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage


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

    async def read(self) -> bool:
        """Read what others wrote since, and return whether there was anything.

        Raises:
            LibraryError: An entry cannot be read.
        """
        before = self._number
        if before is None:
            names = await self._storage.names(self._folder)
            number = max((int(name[-13:-5]) for name in names if name.endswith(".json")), default=0)
            self._advance(number, (await self._entry(number) or {}) if number else {})
        number = (self._number or 0) + 1
        while entry := await self._entry(number):
            self._advance(number, entry)
            number += 1
        return before != self._number

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
        created = await self._storage.create(self._key(number), readable(entry))
        # An object store that repeats its own write may report our own entry as somebody else's.
        if not created and (await self._entry(number) or {}).get("token") != token:
            return False
        self._advance(number, entry)
        return True

    def _advance(self, number: int, entry: dict[str, Any]) -> None:
        """Note the last entry: another task, which read or wrote while this one waited, may have gone further already."""
        if self._number is None or number > self._number:
            self._number, self.last = number, entry

    async def _entry(self, number: int) -> dict[str, Any] | None:
        try:
            return read(await self._storage.read(self._key(number)))
        except FileNotFoundError:
            return None
        except ValueError:
            raise LibraryError(f"The entry {self._key(number)} cannot be read.", advice=self._advice) from None

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:08d}.json"
