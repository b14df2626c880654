"""From what was accepted to what is kept: waited for, fetched, checked, recorded, or taken from the library. Never pays."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Coroutine, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import Any

from prefect_together._internal.retry import backoff
from prefect_together.engine.context import Ask
from prefect_together.engine.ingest import Kept, Name, fetch, keep_inline
from prefect_together.engine.lifecycle_events import Happening
from prefect_together.engine.poll_schedule import duration_keys, record_duration, typical_durations
from prefect_together.engine.polling import poll_job
from prefect_together.engine.provenance import Provenance
from prefect_together.engine.records import PATIENCE, read_media, record_paid, sidecar, sidecar_entry
from prefect_together.engine.unknown_outcome import Unknowns
from prefect_together.errors import APIError, GenerationFailed, LibraryError, MediaError, TogetherError
from prefect_together.generations.results import GeneratedMedia, GenerationTimeout
from prefect_together.generations.spec import Acceptance, Bill, reference
from prefect_together.http.responses import JobAnswer
from prefect_together.ledger.ledger import Attempt, Ledger, encode


class Delivery:
    """Delivers what one request was accepted for.

    Args:
        ask: What is asked, of whom, and by which rules.
        ledger: The ledger of the library.
        fingerprint: What the ledger knows the request by.
    """

    def __init__(self, ask: Ask, ledger: Ledger, fingerprint: str) -> None:
        self._ask = ask
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._log = ask.caller.log
        self._unknowns = Unknowns(ask, ledger)

    async def stored(self, attempt: Attempt) -> list[GeneratedMedia]:
        """Return what is kept, after a look that it is still there.

        Raises:
            MediaError: A file is not in the library any more.
        """
        media = await read_media(self._ledger, attempt, self._ask.request.kind)
        for file in media:
            key = self._ask.storage.key(file.uri)
            if key is not None and not await self._ask.storage.exists(key):
                what = f"{file.uri} was kept at {file.created_at:%Y-%m-%d %H:%M} and is not in the library any more."
                raise MediaError(what, paid="yes", advice='Restore it, or ask with reuse="never" for a new one.')
        return media

    async def images(self, attempt: Attempt, acceptance: Acceptance) -> list[GeneratedMedia]:
        """Keep the pictures of one answer: all of them, or none.

        Raises:
            MediaError: One cannot be had.
        """
        name, storage, largest = self._name(), self._ask.storage, self._ask.rules.max_download_bytes
        keeping = [self._keep_inline(name, b64) for b64 in acceptance.inline]
        keeping += [fetch(self._ask.client, storage, name, url, largest=largest) for url in acceptance.urls]
        outcomes = await _all(keeping)
        kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if errors and not (acceptance.inline and kept):
            await self._drop(kept)  # what is not recorded must not lie around, and can be fetched again
            await self._give_up(attempt, acceptance, errors[0])
            raise _paid(errors[0])
        for error in errors:  # it came inside the answer and cannot be had again: the others are worth keeping
            self._log.error("One of %d pictures cannot be kept and is lost: %s", len(outcomes), error)
        bill = Bill(estimated=self._ask.estimate()).shared(len(outcomes))
        media = [
            reference(self._ask.request, file, fingerprint=self._fingerprint, bill=bill, index=index)
            for index, file in enumerate(kept)
        ]
        return await self._store(attempt, media)

    async def _keep_inline(self, name: Name, b64: str) -> Kept:
        """Keep a picture whose bytes are only here: a library that fails for a moment is tried again."""
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                return await keep_inline(self._ask.storage, name, b64)
            except LibraryError as error:
                if time.monotonic() - began > PATIENCE:
                    raise
                self._log.warning("%s Trying again.", error.what)
                await asyncio.sleep(backoff(tries, first=0.5, longest=5.0))

    async def _give_up(self, attempt: Attempt, acceptance: Acceptance, error: BaseException) -> None:
        if acceptance.inline:
            with contextlib.suppress(LibraryError):  # the error at hand says more
                await self._ledger.record(attempt, "lost", {"why": f"It was paid for, and could not be kept: {error}"})
        else:
            await self._unknowns.lost(attempt, acceptance, error)

    async def _drop(self, kept: list[Kept]) -> None:
        for file in kept:
            with contextlib.suppress(LibraryError):  # a file too many is no reason to hide the error at hand
                await self._ask.storage.delete(file.key)

    async def video(
        self, attempt: Attempt, acceptance: Acceptance, *, timeout: float, waited: float
    ) -> list[GeneratedMedia]:
        """Wait for a job and keep its clip.

        Args:
            attempt: The attempt that was accepted.
            acceptance: Its job.
            timeout: Seconds to wait, counted from submission; a call that begins later than that waits as long anew.
            waited: Seconds of them that this call has waited already.

        Raises:
            GenerationFailed: The job failed or was cancelled.
            MediaError: The clip cannot be had.
            asyncio.TimeoutError: The time is up, and the job still runs.
        """
        ask, job_id = self._ask, str(acceptance.job_id)
        age = max(0.0, (datetime.now(timezone.utc) - acceptance.at).total_seconds())
        left = timeout - age if age < timeout else timeout
        answer = await self._answer(attempt, acceptance, age, left - waited)
        if answer is None:
            raise asyncio.TimeoutError
        if ask.purse and answer.cost is not None:
            await ask.purse.settle(attempt.key, answer.cost)
        if answer.over:
            said = f"{answer.error_message or 'no reason given'} (code {answer.error_code or 'none'})"
            error = GenerationFailed(
                f"Job {job_id} ({ask.request.model}) {answer.status}: {said}.",
                paid="yes" if answer.cost else "maybe",
                advice="Correct the request; a new run of the same one submits it again.",
                job_id=job_id,
                status=answer.status,
                code=answer.error_code,
            )
            entry = {"job_id": job_id, "status": answer.status, "code": answer.error_code, "why": error.what}
            entry |= {"cost": answer.cost, "flow_run": ask.caller.flow_run}
            await record_paid(self._ledger, attempt, "failed", entry, self._log)
            raise error
        url = str(answer.video_url)
        try:
            kept = await fetch(ask.client, ask.storage, self._name(), url, largest=ask.rules.max_download_bytes)
        except TogetherError as error:
            await self._unknowns.lost(attempt, acceptance, error)
            raise _paid(error) from None
        bill = Bill(answer.cost, ask.estimate())
        media = reference(ask.request, kept, fingerprint=self._fingerprint, bill=bill, job_id=job_id, reported=answer)
        return await self._store(attempt, [media])

    async def _answer(self, attempt: Attempt, acceptance: Acceptance, age: float, left: float) -> JobAnswer | None:
        """Wait for the answer; a job that nobody knows any more is recorded as lost, where it is ours to know."""
        ask, job_id = self._ask, str(acceptance.job_id)
        known = await typical_durations(ask.storage, *duration_keys(ask.request))
        typical = statistics.median(known) if known else None

        def look(status: str, seconds: float) -> None:
            ask.tell(Happening("waiting", ask.request, job_id, status, seconds, typical))

        try:
            return await poll_job(
                partial(ask.client.video, job_id),
                job_id,
                age=age,
                remaining=left,
                pace=ask.rules.pace,
                log=self._log,
                usual=known,
                learn=partial(record_duration, ask.storage, ask.request),
                look=look,
            )
        except APIError as error:
            error.paid = "yes"
            if error.status != 404:
                raise
            if acceptance.account not in {None, ask.client.account}:
                error.advice = "It was submitted by another account: use that account's key."
                raise
            why = f"Together does not know job {job_id} any more"
            with contextlib.suppress(LibraryError):  # the error at hand says more
                await self._ledger.record(attempt, "lost", {"why": why, "job_id": job_id})
            error.advice = f"{why}: run it again to decide what to do about it."
            raise

    async def _store(self, attempt: Attempt, media: list[GeneratedMedia]) -> list[GeneratedMedia]:
        if self._ask.purse:
            await self._ask.purse.settle(attempt.key)
        entry = {"media": [file.model_dump(mode="json", exclude={"reused"}, exclude_none=True) for file in media]}
        if self._ask.rules.provenance == "sidecar":
            for file in media:
                await self._write_sidecar(attempt, file)
        if await record_paid(self._ledger, attempt, "stored", entry, self._log):
            return media
        # Somebody else waited for the same and was faster: theirs is the one that counts.
        theirs = await self.stored(attempt)
        named = {file.uri for file in theirs}
        for file in media:
            if file.uri not in named and (key := self._ask.storage.key(file.uri)) is not None:
                await self._ask.storage.delete(key)
                await self._ask.storage.delete(sidecar(key))
        return theirs

    async def _write_sidecar(self, attempt: Attempt, file: GeneratedMedia) -> None:
        key = self._ask.storage.key(file.uri)
        if key is None:
            return
        try:
            await self._ask.storage.write(sidecar(key), encode(sidecar_entry(attempt.key, file, self._ask.caller.flow_run)))
        except LibraryError as error:  # the ledger has it all: a missing sidecar must not cost what was paid for
            self._log.warning("%s The file itself is kept.", error.what)

    def _name(self) -> Name:
        request = self._ask.request
        seed: int | None = getattr(request, "seed", None)
        embedded = Provenance(request.model, self._fingerprint, seed) if self._ask.rules.provenance == "embed" else None
        return Name(request.kind, request.title(), self._fingerprint, embedded)


async def _all(works: Sequence[Coroutine[Any, Any, Kept]]) -> list[Kept | BaseException]:
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


def timed_out(job_id: str, model: str, timeout: float) -> GenerationTimeout:
    """Return the error for a job that outlasts its waiter."""
    what = f"Job {job_id} ({model}) still runs after the {timeout:.0f} s that were to be waited."
    return GenerationTimeout(what, advice="Run it again, or wait_for_video(error.job), to go on waiting.")
