"""Work at batches: validate, answer line by line at the pace that was set, charge each line once, write the files.

A batch is worked at on the server's loop, whether anybody asks for it or not. What a process that was killed had charged
is charged already: the next one answers every line again, as deterministically as the endpoints do, and charges the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from prefect_together import catalog
from prefect_together.sandbox import error_messages, fault_injection, faults, uploads
from prefect_together.sandbox.api import Api, BadInput
from prefect_together.sandbox.batch_jobs import ENDED, BatchJob
from prefect_together.sandbox.batch_lines import BadBatch, Line, Lines, read_lines
from prefect_together.sandbox.records import Charge
from prefect_together.sandbox.uploads import Announced, Upload

VALIDATING_SHARE = 0.25
"""The part of a batch's time in which it is validated."""
SHORTEST_PAUSE = 0.01
"""Seconds; lines that follow each other faster are answered in a row."""
LINES_IN_A_ROW = 50
"""After so many, other requests get their turn."""
EVERY = 3
"""Of so many lines, the faults of ids strike one."""
PARTIAL = {"cancelled": "CANCELLED", "expired": "EXPIRED"}
FILE_METHOD = "FILE"


def start(api: Api, job: BatchJob) -> None:
    """Begin to work at a batch; must be called on the server's loop."""
    api.running[job.id] = _Run(api, job)


def resume(api: Api) -> None:
    """Go on with the batches that an earlier process left."""
    for job in list(api.store.batches.values()):
        if job.status not in ENDED:
            start(api, job)


class _Run:
    """The work at one batch."""

    def __init__(self, api: Api, job: BatchJob) -> None:
        self._api = api
        self._job = job
        self._cancelled = asyncio.Event()
        self._answers: list[dict[str, Any]] = []
        self._errors: list[dict[str, Any]] = []
        self._charged = {charge.custom_id for charge in list(api.store.charges) if charge.batch == job.id}
        self._task = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        """End it with what is answered so far."""
        self._cancelled.set()
        await self._task

    async def _run(self) -> None:
        try:
            status, error = await self._work()
            self._end(status, error)
        except Exception as error:
            # A fault of the sandbox itself, which nobody should have to wait for.
            self._end("FAILED", f"The sandbox failed: {error!r}")
            raise
        finally:
            self._api.running.pop(self._job.id, None)

    async def _work(self) -> tuple[str, str | None]:
        """Return how the batch ends, and why, if it failed."""
        job = self._job
        late = job.fate_seconds if job.fate == "stuck_validating" else 0.0
        ends = job.created + late + job.seconds
        if await self._stopped(ends - job.seconds * (1 - VALIDATING_SHARE)):
            return "CANCELLED", None
        try:
            found = await self._api.read(self._validated)
        except BadBatch as error:
            return "FAILED", str(error)
        self._show(0.0)
        # A process that starts again does not show it as being validated again.
        self._api.store.keep_batch(self._job)
        if found.oversized:
            stopped = await self._stopped(ends - job.seconds / 4)
            return ("CANCELLED", None) if stopped else ("FAILED", "error reading input file")
        return await self._answer_all(found.lines, ends), None

    def _validated(self) -> Lines:
        if self._job.fate == "failed":
            raise BadBatch("line 1: not valid JSON")
        return read_lines(self._api.store.input(self._job.content))

    async def _answer_all(self, lines: tuple[Line, ...], ends: float) -> str:
        began = time.time()
        step = max(0.0, ends - began) / len(lines)
        partial = PARTIAL.get(self._job.fate or "")
        for done, line in enumerate(lines, 1):
            if await self._stopped(began + step * done):
                return "CANCELLED"
            if partial is not None and done > len(lines) // 2:
                return partial
            if self._job.fate != "missing_ids" or (done - 1) % EVERY:
                await self._answer(line)
            if done % LINES_IN_A_ROW == 0 or step > SHORTEST_PAUSE:
                self._show(100 * done / len(lines))
                await asyncio.sleep(0)
        return "COMPLETED"

    async def _answer(self, line: Line) -> None:
        job, api = self._job, self._api
        try:
            self._refuse(line)
            answered = await api.batch_lines[job.endpoint](api, line.body, job.account)
        except BadInput as wrong:
            self._failed(line, error_messages.Refusal(400, str(wrong)))
        except error_messages.Refusal as refusal:
            self._failed(line, refusal)
        else:
            self._answers.append({"custom_id": line.custom_id, "response": {"status_code": 200, "body": answered.body}})
            if line.custom_id not in self._charged:
                usd = discounted(answered.charge)
                api.store.accept(charge=replace(answered.charge, usd=usd, batch=job.id, custom_id=line.custom_id), files={})

    def _failed(self, line: Line, refusal: error_messages.Refusal) -> None:
        error = {"message": refusal.message, "code": refusal.code or refusal.type}
        self._errors.append({"custom_id": line.custom_id, "error": error})

    def _refuse(self, line: Line) -> None:
        """Refuse what the endpoint would never see, and what a fault forbids."""
        job, api = self._job, self._api
        if job.endpoint.startswith("/v1/audio/") and line.method != FILE_METHOD:
            raise error_messages.Refusal(400, "Content-Type must be multipart/form-data")
        if job.endpoint not in api.batch_lines:
            raise error_messages.Refusal(404, f"No route for POST {job.endpoint}.", code="not_found")
        text = f"{line.custom_id} {json.dumps(line.body, ensure_ascii=False)}"
        fault = api.switchboard.take(f"POST {job.endpoint}", text, names=faults.ERRORS)
        if fault is not None:
            raise fault_injection.refusal_of(fault)
        if job.fate == "errors_only":
            raise error_messages.Refusal(500, "Internal server error", type="server_error")

    async def _stopped(self, until: float) -> bool:
        """Wait for a moment, in Unix seconds; tell whether somebody ended the batch before, or forgot it."""
        pause = until - time.time()
        if pause > SHORTEST_PAUSE:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._cancelled.wait(), pause)
        return self._cancelled.is_set() or self._job.id not in self._api.store.batches

    def _show(self, progress: float) -> None:
        self._job = replace(self._job, status="IN_PROGRESS", progress=progress)
        self._api.store.advance_batch(self._job)

    def _end(self, status: str, error: str | None) -> None:
        """Write the files and the last state of the batch."""
        job, api = self._job, self._api
        output = self._file("output", self._shuffled()) if error is None else None
        errors = self._file("error", self._errors) if error is None else None
        ended = replace(
            job, status=status, error=error, ended=time.time(),
            progress=100.0 if status == "COMPLETED" else job.progress,
            output_file_id=output and output.id, error_file_id=errors and errors.id,
        )  # fmt: skip
        api.store.keep_batch(ended, files=[file for file in (output, errors) if file is not None])

    def _shuffled(self) -> list[dict[str, Any]]:
        """Return the answers in an order that depends on the input file alone."""
        answers = list(self._answers)
        random.Random(self._job.content).shuffle(answers)
        if self._job.fate == "duplicate_ids":
            answers += [_again(answer) for answer in answers[::EVERY]]
        return answers

    def _file(self, what: str, rows: list[dict[str, Any]]) -> Upload | None:
        """Return the file with these lines, None for none."""
        if not rows:
            return None
        content = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        said = Announced(
            account=self._job.account, filename=f"{self._job.id}_{what}.jsonl", purpose="batch-api", file_type="jsonl",
            checksum=None,
        )  # fmt: skip
        return uploads.complete(said, content, name=self._api.store.keep_input(content), id=uploads.file_id())


def discounted(charge: Charge) -> Decimal | None:
    """Return what a line costs in a batch, US dollars: less only for models of which the catalogue says so."""
    model = catalog.find(charge.model)
    if charge.usd is None or model is None or model.batch_discount is None:
        return charge.usd
    return charge.usd * (1 - model.batch_discount)


def _again(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a second line for the same custom_id that says something else."""
    response: Mapping[str, Any] = answer["response"]
    body = {**response["body"], "id": f"{response['body'].get('id')}-again"}
    return {"custom_id": answer["custom_id"], "response": {"status_code": 200, "body": body}}
