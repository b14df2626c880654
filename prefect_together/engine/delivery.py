"""From what was answered to what is kept: fetched, checked, recorded, or taken from the library. Never pays.

One path for every type: what was accepted is one of the four payloads of ``generations.spec``, and nothing else is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from typing_extensions import assert_never

from prefect_together.engine.attempt import Acceptance, BoundAttempt, result_fields, sidecar, sidecar_entry
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.ingest import FileNaming, fetch, keep_inline
from prefect_together.engine.provenance import Provenance
from prefect_together.engine.unknown_outcome import record_lost
from prefect_together.errors import LibraryError, MediaError, TogetherError
from prefect_together.generations.kept_file import KeptFile, StoredFile
from prefect_together.generations.results import Cost, Generated, ResultFacts
from prefect_together.generations.spec import Blobs, JobStatus, Links, Value
from prefect_together.ledger.ledger import encode
from prefect_together.storage.references import written


class Delivery:
    """Delivers what one request was accepted for.

    Args:
        context: What is asked, of whom, and by which rules.
        fingerprint: What the ledger knows the request by.
    """

    def __init__(self, context: GenerationContext, fingerprint: str) -> None:
        self._context = context
        self._fingerprint = fingerprint

    async def stored(self, attempt: BoundAttempt) -> list[Generated]:
        """Return what is kept, after a look that its files are still there.

        Raises:
            MediaError: A file is not in the library any more.
        """
        storage, results = self._context.storage, await attempt.results(self._context.request.kind)
        for file in _files(results):
            key = storage.key(file.uri)
            if key is None or await storage.size(key) != file.size:
                gone = key is None or not await storage.exists(key)
                now = "is not in the library any more" if gone else "has changed since"
                what = f"{file.uri} was kept at {file.created_at:%Y-%m-%d %H:%M} and {now}."
                raise MediaError(what, paid="yes", advice='Restore it, or ask with reuse="never" for a new one.')
        return results

    async def keep(
        self,
        attempt: BoundAttempt,
        acceptance: Acceptance,
        payload: Value | Blobs | Links,
        status: JobStatus | None = None,
    ) -> list[Generated]:
        """Keep what a request was answered with, and record it: all of it, or nothing.

        Args:
            attempt: The attempt that was accepted.
            acceptance: What was accepted.
            payload: The answer.
            status: The last status of the job that made it, where one did.

        Raises:
            MediaError: A file cannot be had.
        """
        facts = ResultFacts(
            fingerprint=self._fingerprint,
            cost=Cost(status.cost if status else self._proven(payload), self._context.estimate),
            job_id=acceptance.job_id,
            reported=status.reported if status else payload.content if isinstance(payload, Blobs) else {},
            discount=self._context.discount,
        )
        results = await self._keep(attempt, acceptance, payload, facts)
        if self._context.budget:
            await self._context.budget.settle(attempt.key, facts.cost.reported)
        return await self._record(attempt, results)

    def _proven(self, payload: Value | Blobs | Links) -> Decimal | None:
        """Return the cost that an answer states, or that follows from what it says."""
        stated = payload.cost if isinstance(payload, (Blobs, Value)) else None
        if stated is not None or self._context.spec.cost is None:
            return stated
        cost = self._context.spec.cost(self._context.request, payload)
        return None if cost is None else cost * (1 - self._context.discount)

    # What is there: kept in the library, or in the ledger.

    async def _keep(
        self, attempt: BoundAttempt, acceptance: Acceptance, payload: Value | Blobs | Links, facts: ResultFacts
    ) -> list[Generated]:
        """Return the results of a payload, its files in the library."""
        build = partial(self._context.spec.build, self._context.request)
        match payload:
            case Value():
                return [build(payload, facts)]
            case Blobs() | Links():
                files = await self._files_of(attempt, acceptance, payload)
                cost = facts.cost.shared(max(1, files.asked))
                return [build(file, replace(facts, cost=cost, index=index)) for index, file in enumerate(files.kept)]
            case _:
                assert_never(payload)

    async def _files_of(self, attempt: BoundAttempt, acceptance: Acceptance, payload: Blobs | Links) -> _Files:
        """Bring all files of a payload into the library.

        What came inside the answer cannot be had again, so where some of that is spoilt the others are worth keeping; of
        what can be fetched again, nothing is kept where one file cannot be had.
        """
        context, naming = self._context, self._naming()
        inline = payload.items if isinstance(payload, Blobs) else ()
        works = [keep_inline(context.storage, naming, item) for item in inline]
        largest, least = context.policy.max_download_bytes, context.policy.min_download_rate
        works += [fetch(context.client, context.storage, naming, url, largest=largest, least=least) for url in payload.urls]
        outcomes = await _all(works)
        kept = [outcome for outcome in outcomes if isinstance(outcome, StoredFile)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if errors and not (inline and kept):
            await self._drop(kept)  # what is not recorded must not lie around, and can be fetched again
            await record_lost(context, attempt, acceptance, errors[0])
            raise _paid(errors[0]) from None
        for error in errors:
            context.run.log.error("One of %s cannot be kept and is lost: %s", context.spec.count(len(outcomes)), error)
        return _Files(kept, len(outcomes))

    async def _drop(self, kept: Sequence[StoredFile]) -> None:
        for file in kept:
            with contextlib.suppress(LibraryError):  # a file too many is no reason to hide the error at hand
                await self._context.storage.delete(file.key)

    def _naming(self) -> FileNaming:
        context, request = self._context, self._context.request
        seed: int | None = getattr(request, "seed", None)
        embedded = context.policy.provenance == "embed"
        provenance = Provenance(request.model, self._fingerprint, seed) if embedded else None
        head = partial(context.spec.head, request) if context.spec.head else None
        return FileNaming(context.spec, request.title(), self._fingerprint, provenance, head)

    async def _record(self, attempt: BoundAttempt, results: list[Generated]) -> list[Generated]:
        """Record results as stored; where somebody else was faster with the same, theirs are those that count."""
        context = self._context
        if context.policy.provenance == "sidecar":
            for file in _files(results):
                await self._write_sidecar(attempt, file)
        if await attempt.record_paid("stored", {"media": [result_fields(result) for result in results]}):
            return results
        theirs = await self.stored(attempt)
        named = {file.uri for file in _files(theirs)}
        for file in _files(results):
            if file.uri not in named and (key := context.storage.key(file.uri)) is not None:
                await context.storage.delete(key)
                await context.storage.delete(sidecar(key))
        return theirs

    async def _write_sidecar(self, attempt: BoundAttempt, file: Any) -> None:
        storage = self._context.storage
        key = storage.key(file.uri)
        if key is None:
            return
        try:
            entry = sidecar_entry(attempt.key, file, self._context.run.flow_run)
            await storage.write(sidecar(key), written(entry, storage, encode))
        except LibraryError as error:  # the ledger has it all: a missing sidecar must not cost what was paid for
            self._context.run.log.warning("%s The file itself is kept.", error.what)


@dataclass(frozen=True)
class _Files:
    kept: list[StoredFile]
    asked: int
    """How many there were to keep."""


def _files(results: Sequence[Generated]) -> list[Any]:
    """Return the results that are files."""
    return [result for result in results if isinstance(result, KeptFile)]


async def _all(works: Sequence[Coroutine[Any, Any, StoredFile]]) -> list[StoredFile | BaseException]:
    """Return what came of each work, or its error; one alone needs no task."""
    if len(works) != 1:
        return await asyncio.gather(*works, return_exceptions=True)
    try:
        return [await works[0]]
    except asyncio.CancelledError:
        raise
    except Exception as error:  # as `gather` hands it over
        return [error]


def _paid(error: BaseException) -> BaseException:
    """Return an error about something that was paid for, saying so."""
    if isinstance(error, TogetherError):
        error.paid = "yes"
    return error
