"""Rows of a table on this machine's disk, while their requests are at Together. Decides nothing."""

from __future__ import annotations

import pickle
import tempfile

from prefect_together.batch.request_table import TableRow


class RowStore:
    """Rows that are read again later: a million of them would fill the memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._end = 0

    def put(self, row: TableRow) -> int:
        """Keep a row, and return where it is."""
        at, data = self._end, pickle.dumps(row, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.seek(at)
        self._file.write(data)
        self._end += len(data)
        return at

    def get(self, at: int) -> TableRow:
        """Return the row at a place."""
        self._file.seek(at)
        row: TableRow = pickle.load(self._file)  # noqa: S301 - a file of this process that has no name
        return row

    def close(self) -> None:
        """Forget them."""
        self._file.close()
