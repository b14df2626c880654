"""How a request for more than one POST takes is made of several, their files of one, and what that costs. No I/O here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar

from prefect_together.generations.derived import DerivedMedia, Operation, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.policy import Policy
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated

RequestT = TypeVar("RequestT", bound=Request)
ResultT = TypeVar("ResultT", bound=Generated)


@dataclass(frozen=True, kw_only=True)
class JoinedFile(Generic[RequestT, ResultT]):
    """How the files of several results become one, on this machine and for free.

    Args:
        operation: What that is called.
        write: Writes it to a path, and says what had to be encoded anew.
        media_type: What it is, by what was asked.
        asked: What else makes it what it is.
    """

    operation: Operation
    write: Callable[[RequestT, Sequence[ResultT], Sequence[KeptFile], Path], Spliced]
    media_type: Callable[[RequestT], str]
    asked: Callable[[RequestT], Sequence[str]] = lambda _: ()


@dataclass(frozen=True, kw_only=True)
class Parts(Generic[RequestT, ResultT]):
    """How a request for more than one POST takes is made of several, each paid for and kept by itself.

    Args:
        split: Its parts, in order; fewer than two where it is sent as it is. A part has none itself.
        join: Makes its result of theirs, and of the file of them all, where there is one. Pure.
        file: How their files become one, where they are files.
        reads: Whether splitting reads files, and is done in a thread.
    """

    split: Callable[[RequestT, Policy], Sequence[RequestT]]
    join: Callable[[RequestT, str, Sequence[ResultT], DerivedMedia | None], ResultT]
    file: JoinedFile[RequestT, ResultT] | None = None
    reads: bool = False


def costs_of(results: Sequence[Generated]) -> dict[str, Any]:
    """Return what the results of all parts cost together, and how much of it was paid before: each distinct part once.

    Equal parts, such as a sentence that a text has twice, are one request and are paid for once. A sum of which a part is
    not known is not known.
    """
    distinct = {result.fingerprint: result for result in results}
    paid_now = {result.fingerprint for result in results if not result.reused}
    costs, estimates = ([getattr(one, name) for one in distinct.values()] for name in ("cost", "estimated_cost"))
    before = [
        one.estimated_cost if one.cost is None else one.cost for one in distinct.values() if one.fingerprint not in paid_now
    ]
    return {
        "cost": _sum(costs),
        "estimated_cost": _sum(estimates),
        "paid_before": _sum(before) if before and paid_now else None,
    }


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None
