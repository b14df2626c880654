"""Tables as Prefect's assets: those that are read, and those that are written, made of the files that they name.

Outside of a run nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prefect_together._internal.asset_events import UPSTREAM, in_a_run, materialized, referenced


class TableAsset:
    """A table on its way: which files its first rows name, and how many rows it has.

    Args:
        records: The rows.
    """

    def __init__(self, records: Iterable[dict[str, Any]]) -> None:
        self._records = records
        self._rows = 0
        self._files: list[str] = []

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        for record in self._records:
            self._rows += 1
            uri = record.get("uri")
            if isinstance(uri, str) and "://" in uri and len(self._files) < UPSTREAM:
                self._files.append(uri)
            yield record

    def written(self, address: str) -> str:
        """Say that it is written, and return its address.

        Args:
            address: Where it is, without anything that nobody may see.
        """
        if _is_told():
            materialized(_key(address), name=_name(address), upstream=self._files, payload={"rows": self._rows})
        return address


def read_in_a_run(address: str | None) -> None:
    """Say that this run uses a table.

    Args:
        address: Where it is, as it would be called where it is written; None for what is in memory.
    """
    if address and _is_told():
        referenced(_key(address), name=_name(address))


def _is_told() -> bool:
    if not in_a_run():
        return False
    from prefect_together.blocks.settings import current_settings  # imports Prefect, which is slow

    return current_settings().assets


def _key(address: str) -> str:
    return address.replace("#", "/")


def _name(address: str) -> str:
    return address.rpartition("/")[2].rpartition("#")[2]
