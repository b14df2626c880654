"""What may be sent again, together, of all that a process had in flight when it died. Decides nothing about one request.

A process that is killed leaves as many requests of unknown outcome as it had in flight. Each may be cheap and all of them
dear, so what is sent again without asking is added up, by all who come after it, and never exceeds what they allow::

    ledger/accidents/<process>/00000001.json     {"resent": {"7f3a…/any/0001": "0.03", …}}
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.ledger.ledger import ROOT
from prefect_together.storage.storage import Storage


@dataclass(frozen=True)
class _Resend:
    key: str
    usd: Decimal
    at_most: Decimal


_Log = GroupCommitLog[_Resend, bool]
_logs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], _Log]] = weakref.WeakKeyDictionary()


async def may_be_sent_again(storage: Storage, process: str, key: str, usd: Decimal, *, at_most: Decimal) -> bool:
    """Note that a request of a dead process is sent again and return True; return False where that would be too much.

    What was noted once stays noted: whoever asks for the same attempt again hears the same.

    Args:
        storage: The library.
        process: The process that died, as its claims name it: see ``leases.process_name``.
        key: Of the attempt.
        usd: USD that it may have cost.
        at_most: USD that all together may cost.

    Raises:
        LibraryError: It cannot be written down.
    """
    here = _logs.setdefault(asyncio.get_running_loop(), {})
    if (storage.url, process) not in here:
        advice = "Look at it, or delete it: what was sent again is counted anew then."
        here[storage.url, process] = _Log(AppendLog(storage, f"{ROOT}/accidents/{process}", advice=advice), _apply)
    log = here[storage.url, process]
    await log.read()
    return await asyncio.shield(log.submit(_Resend(key, usd, at_most)))


def _apply(last: Mapping[str, Any], changes: list[_Resend]) -> tuple[dict[str, Any] | None, list[bool]]:
    resent: dict[str, str] = dict(last.get("resent", {}))
    total, before, allowed = sum(map(Decimal, resent.values()), Decimal(0)), len(resent), list[bool]()
    for change in changes:
        known = change.key in resent
        if not known and total + change.usd <= change.at_most:
            total += change.usd
            resent[change.key] = str(change.usd)
        allowed.append(change.key in resent)
    return ({"resent": resent} if len(resent) > before else None), allowed
