"""What a batch or a plan takes: a table of requests, or requests. Says what to give instead; runs nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

from prefect_together._internal.text import with_article
from prefect_together.batch.request_table import RequestTable, TableRow
from prefect_together.batch.results import BatchResult
from prefect_together.batch.row_reader import RowReader, digest_of
from prefect_together.batch.table_databases import is_database
from prefect_together.batch.table_reader import FORMATS
from prefect_together.batch.table_schema import TableSchema
from prefect_together.errors import InvalidRequest
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import Request
from prefect_together.generations.validation import unfinished

Requests: TypeAlias = "RequestTable | Iterable[Request]"
"""A table of requests, or any requests in any order."""


def rows_of(requests: Requests) -> Iterator[TableRow]:
    """Return the rows: those of a table, or the requests of a list with a number each."""
    if isinstance(requests, RequestTable):
        return iter(requests)
    return itertools.starmap(_row, enumerate(cast("Iterable[Any]", requests), 1))


def reader_of(requests: Requests) -> RowReader[Any, TableRow] | None:
    """Return what reads the rows from any place, or None where they can be read once only."""
    if isinstance(requests, RequestTable):
        return requests.reader()
    if isinstance(requests, Sequence):
        return RowReader(lambda: iter(cast("Sequence[Any]", requests)), _row)
    return None


def digest(requests: Requests, rules: Sequence[Any]) -> str:
    """Return a hash of the rows and of how they are run: equal for processes that are to share the work.

    Args:
        requests: The rows.
        rules: How they are run, as plain values.
    """
    if isinstance(requests, RequestTable):
        return digest_of([*rules, requests.digest()])
    return digest_of(itertools.chain(rules, map(_asked, requests)))


def schema(requests: Requests, names: Mapping[str, Any], made: Mapping[str, str]) -> TableSchema:
    """Return the columns of the rows.

    Args:
        requests: What the batch was given.
        names: The columns that were seen.
        made: The columns that are made, where they depend on what was asked.
    """
    if isinstance(requests, RequestTable):
        return requests.schema(names, made)
    return TableSchema(names=["prompt"], text=True, made=dict(made))


def filled(requests: Requests) -> dict[str, Any]:
    """Return which columns fill which fields, as a plan has it; nothing for requests that came as such."""
    if isinstance(requests, RequestTable):
        return {"columns": requests.filled(), "notes": requests.notes()}
    return {}


def check(requests: Any) -> None:
    """Refuse what is no requests.

    Raises:
        InvalidRequest: It is a table that nobody has made requests of, one request, or something else.
    """
    if isinstance(requests, RequestTable):
        return
    if isinstance(requests, Request):
        raise InvalidRequest("A batch takes several requests: give a list, or a table of requests_from_table.")
    given = "None" if requests is None else with_article(type(requests).__name__)
    if (table := _table(requests)) is not None:
        raise InvalidRequest(
            f"A batch takes requests, and was given {given}: make requests of the table, with "
            f'generate_batch(requests_from_table({table}, constants={{"model": …}})).'
        )
    if hint := unfinished(requests) or _made_of_what(requests):
        raise InvalidRequest(f"A batch takes requests, and was given {given}: {hint}.")
    if not isinstance(requests, Iterable) or isinstance(requests, (Mapping, str, bytes)):
        raise InvalidRequest(f"A batch takes requests, and was given {given}: give a list of them.")


def _table(requests: Any) -> str | None:
    """Return how to write a table that nobody has made requests of, or None where it is none."""
    if is_database(requests):
        return "url, query=…"  # not as it is, for it may hold a password
    if isinstance(requests, PurePath) or (isinstance(requests, str) and requests.lower().endswith(FORMATS)):
        return repr(str(requests))
    if isinstance(requests, (list, tuple)):
        rows = cast("list[Any]", requests)
        return "rows" if rows and all(isinstance(row, Mapping) for row in rows) else None
    return "frame" if hasattr(requests, "columns") and not isinstance(requests, (Mapping, BaseModel)) else None


def _made_of_what(requests: Any) -> str:
    """Return how to make requests of what is none: results of a batch, texts, files; nothing where that is not known."""
    if isinstance(requests, BatchResult):
        return "make requests of its files, such as [VideoRequest(frame_images=[file], …) for file in result.media]"
    if isinstance(requests, BaseModel):
        return "give a list of requests"
    items: list[Any] = list(cast("Sequence[Any]", requests)) if isinstance(requests, (list, tuple, set, frozenset)) else []
    if items and all(isinstance(item, str) for item in items):
        return "make requests of the texts, such as [ImageRequest(prompt=text, model=…) for text in texts]"
    if items and all(isinstance(item, KeptFile) for item in items):
        return "make requests of the files, such as [VideoRequest(frame_images=[file], …) for file in files]"
    if items and not any(isinstance(item, Request) for item in items):
        return f"its first item is {_instead(items[0]).removesuffix('.')}"
    return ""


def _instead(request: Any) -> str:
    """Return what an item is that is no request, and what to give instead."""
    what = f"{with_article(type(request).__name__)}, not a request"
    if hint := unfinished(request):
        return f"{what}: {hint}."
    if isinstance(request, TableRow):
        return f"{what}: give its .request, or the whole table."
    if isinstance(request, (list, tuple, set, frozenset)):
        return f"{what}: give what is in it by itself, such as [request for some in lists for request in some]."
    if isinstance(request, type):
        return f"the class {request.__name__}, not a request: call it, such as {request.__name__}(prompt=…, model=…)."
    row = isinstance(request, Mapping) or hasattr(request, "iloc")  # pandas' own rows and frames
    return f"{what}: requests_from_table makes requests of rows." if row else f"{what}."


def _asked(request: Any) -> Any:
    """Return all that a request asks for, as plain values."""
    if isinstance(request, Request):
        return request.kind, request.model_dump(mode="json", exclude_unset=True)
    return request


def _row(number: int, request: Any) -> TableRow:
    """Return the row of a request; one of a type that this release does not know is no request that it could send."""
    if not isinstance(request, Request):
        return TableRow(number, None, f"Row {number} is {_instead(request)}")
    columns = {"prompt": request.title()}
    try:
        spec_of(request)
    except InvalidRequest as error:
        return TableRow(number, None, f"Row {number}: {error}", columns)
    return TableRow(number, request, columns=columns)
