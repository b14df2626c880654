"""The sandbox's own routes under `/sandbox`: what happened, what shall go wrong, and a fresh start; no key needed."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prefect_together.sandbox import faults
from prefect_together.sandbox.store import Store

OPTIONS = frozenset({"hint", "wait", "seconds", "charged", "code", "message", "value", "location", "bytes", "reset"})


@dataclass
class AdminApi:
    """Looks into the store and works the switchboard."""

    store: Store
    switchboard: faults.Switchboard
    files_url: str

    async def charges(self, _: Request) -> Response:
        """`GET /sandbox/charges`: every charge, their number and their sum in US dollars (unpriced ones left out)."""
        charges = list(self.store.charges)
        total = sum((charge.usd for charge in charges if charge.usd is not None), Decimal(0))
        return JSONResponse({"count": len(charges), "usd": str(total), "charges": [charge.to_json() for charge in charges]})

    async def requests(self, _: Request) -> Response:
        """`GET /sandbox/requests`: every request, at the API and at the file host."""
        return JSONResponse({"requests": [request.to_json() for request in list(self.store.requests)]})

    async def jobs(self, _: Request) -> Response:
        """`GET /sandbox/jobs`: every video job as a poll would see it now."""
        now = time.time()
        return JSONResponse({"jobs": [job.view(now, self.files_url) for job in list(self.store.jobs.values())]})

    async def batches(self, _: Request) -> Response:
        """`GET /sandbox/batches`: every batch as it looks now, and of how many lines each was charged."""
        now, charged = time.time(), Counter(charge.batch for charge in list(self.store.charges))
        jobs = [{**job.view(now), "charges": charged[job.id]} for job in list(self.store.batches.values())]
        return JSONResponse({"count": len(jobs), "batches": jobs})

    async def faults(self, request: Request) -> Response:
        """`GET`, `POST` or `DELETE /sandbox/faults`: see, add or clear what shall go wrong."""
        if request.method == "DELETE":
            self.switchboard.clear()
        elif request.method == "POST":
            try:
                add_fault(self.switchboard, json.loads(await request.body()))
            except ValueError as error:
                return JSONResponse({"error": {"message": str(error), "type": "sandbox_error"}}, 400)
        return JSONResponse({"faults": self.switchboard.pending()})

    async def reset(self, _: Request) -> Response:
        """`POST /sandbox/reset`: forget requests, charges, jobs, files and faults."""
        self.store.reset()
        self.switchboard.clear()
        return JSONResponse({"reset": True})


def add_fault(switchboard: faults.Switchboard, given: Any) -> None:
    """Add a fault from JSON; raise ValueError for what is not one."""
    if not isinstance(given, dict):
        raise ValueError('A fault is an object: {"route": "POST /v2/videos", "fault": "429", "times": 1}.')  # noqa: TRY004 - bad JSON from outside
    fields = cast("dict[str, Any]", given)
    unknown = set(fields) - OPTIONS - {"route", "fault", "times", "match", "every"}
    if unknown or "route" not in fields or "fault" not in fields:
        raise ValueError(
            f"A fault needs route and fault, and may have times, match, every and: {', '.join(sorted(OPTIONS))}."
        )
    options = {name: value for name, value in fields.items() if name in OPTIONS and value is not None}
    times, match, every = fields.get("times"), fields.get("match"), fields.get("every")
    if not isinstance(times, int | None) or not isinstance(match, str | None) or not isinstance(every, int | None):
        raise ValueError("times and every are whole numbers and match a string.")  # noqa: TRY004 - bad JSON from outside
    switchboard.add(str(fields["route"]), str(fields["fault"]), times=times, match=match, options=options, every=every)
