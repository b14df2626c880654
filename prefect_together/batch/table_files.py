"""Where tables are written: which formats there are, and whether a place takes them. Knows nothing of what is in them."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from prefect_together._internal.event_loop import run
from prefect_together._internal.optional import library
from prefect_together._internal.tokens import unique_token
from prefect_together.batch.table_databases import Database, is_database
from prefect_together.batch.table_reader import FORMATS
from prefect_together.batch.table_replacing import check
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.failures import advice
from prefect_together.storage.opening import locate

_CHUNK = 1024 * 1024


def check_table_path(path: str | Path, options: Mapping[str, Any] | None = None, *, table: str | None = None) -> None:
    """Refuse a path at which no table could be written, before anything is paid for what would stand in it.

    Something small is written beside it and removed again.

    Args:
        path: A path or object-store URL that ends in .csv, .tsv, .jsonl or .parquet, or the SQLAlchemy URL of a database.
        options: Settings of the object store in obstore's names, as for ``BatchResult.write_table``.
        table: The table of the database, where its URL does not end in it (``…#pictures``).

    Raises:
        InvalidRequest: Its ending is of no format that we write, or it is a folder.
        LibraryError: Nothing can be written there.
        ConfigurationError: The extra ``tables`` is needed and not installed, or the address is not understood.
    """
    name = str(path)
    if is_database(name):
        check(Database(name, table))
        return
    check_no_table(name, table)
    kind = format_of(name)
    if kind == "parquet":
        library("pyarrow", "Parquet files")
    local = local_folder(name)
    if local is None:
        storage, key = locate(name, options)
        probe = f"{key}.{unique_token()}.probe"
        storage.put_file(probe, io.BytesIO(b""))
        run(storage.delete(probe))
        return
    if local.is_dir():
        raise InvalidRequest(f"{name} is a folder: give the name of a table in it.")
    if local.name.lower() == f".{kind}":
        raise InvalidRequest(f"{name} has an ending and no name: give the name of a table in that folder.")
    target = Path(os.path.realpath(local))
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        probe_file = target.with_name(f".{target.name}.{unique_token()}.probe")
        _copy(io.BytesIO(b""), probe_file, name)
        probe_file.unlink(missing_ok=True)
    finally:
        for folder in made:  # the innermost first
            with suppress(OSError):
                folder.rmdir()


def check_no_table(name: str, table: str | None) -> None:
    """Refuse the table of a database for a file.

    Raises:
        InvalidRequest: One is given.
    """
    if table is not None:
        raise InvalidRequest(f"table={table!r} is of a database, and {name!r} is a file: leave it out.")


def format_of(name: str) -> str:
    """Return the format that a name's ending means.

    Raises:
        InvalidRequest: None that we write.
    """
    kind = name.rpartition(".")[2].lower()
    if kind not in FORMATS:
        raise InvalidRequest(f"{name!r} is no table: its name should end in .{', .'.join(FORMATS)}.")
    return kind


def put(file: BinaryIO, name: str, options: Mapping[str, Any] | None) -> str:
    """Write a table to a path or an object-store URL, whole or not at all, and return where it is.

    Raises:
        LibraryError: It cannot be written.
    """
    local = local_folder(name)
    if local is not None:
        _copy(file, local, name)
        return local.as_uri()
    storage, key = locate(name, options)
    storage.put_file(key, file)
    return name


def _copy(file: BinaryIO, path: Path, name: str) -> None:
    """Put a file in the place of another, which keeps its mode; where a link leads to it, it is what the link leads to."""
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{unique_token()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as copy:
            with suppress(FileNotFoundError):  # there was none, so that the mode is that of any new file
                shutil.copymode(target, partial)
            shutil.copyfileobj(file, copy, _CHUNK)
        partial.replace(target)
    except OSError as error:
        what = f"The table {name} cannot be written: {error.strerror or error}."
        raise LibraryError(what, advice=advice(error), retryable=True) from error
    finally:
        with suppress(OSError):
            partial.unlink()  # where it did not become the table; else it is not there
