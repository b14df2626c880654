"""Tables that are written as Prefect's assets, made of the files that they name. Outside of a run it does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prefect_together._internal.asset_events import UPSTREAM, in_a_run, materialized


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
        if in_a_run():
            from prefect_together.blocks.settings import current_settings  # imports Prefect, which is slow

            if current_settings().assets:
                name = address.rpartition("/")[2].rpartition("#")[2]
                materialized(address.replace("#", "/"), name=name, upstream=self._files, payload={"rows": self._rows})
        return address
