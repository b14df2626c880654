"""From what was accepted to what is kept: waited for, fetched, checked, recorded, or taken from the library. Never pays."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from functools import partial

from prefect_together.ask import Ask
from prefect_together.durations import learn, usual
from prefect_together.errors import GenerationFailed, GenerationTimeout, LibraryError, MediaError
from prefect_together.keeping import Kept, Name, fetch, keep_inline
from prefect_together.kinds import Acceptance, Bill, reference
from prefect_together.ledger import Attempt, Ledger, encode
from prefect_together.media import GeneratedMedia
from prefect_together.provenance import Provenance
from prefect_together.records import read_media, record_paid, sidecar, sidecar_entry
from prefect_together.unknown import Unknowns
from prefect_together.waiting import wait_for_job


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
        name = self._name()
        storage, largest = self._ask.storage, self._ask.rules.max_download_bytes
        keeping = [keep_inline(storage, name, b64) for b64 in acceptance.inline]
        keeping += [fetch(self._ask.client, storage, name, url, largest=largest) for url in acceptance.urls]
        outcomes = await asyncio.gather(*keeping, return_exceptions=True)
        kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                for file in kept:  # what is not recorded must not lie around
                    await storage.delete(file.key)
                await self._unknowns.lost(attempt, acceptance, outcome)
                raise outcome
        bill = Bill(estimated=self._ask.estimate()).shared(len(kept))
        return await self._store(
            attempt,
            [
                reference(self._ask.request, file, fingerprint=self._fingerprint, bill=bill, index=index)
                for index, file in enumerate(kept)
            ],
        )

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
        answer = await wait_for_job(
            ask.client,
            job_id,
            age=age,
            remaining=left - waited,
            pace=ask.rules.pace,
            log=self._log,
            usual=await usual(ask.storage, ask.request.model),
            learn=partial(learn, ask.storage, ask.request.model),
        )
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
        except MediaError as error:
            await self._unknowns.lost(attempt, acceptance, error)
            raise
        bill = Bill(answer.cost, ask.estimate())
        media = reference(ask.request, kept, fingerprint=self._fingerprint, bill=bill, job_id=job_id, reported=answer)
        return await self._store(attempt, [media])

    async def _store(self, attempt: Attempt, media: list[GeneratedMedia]) -> list[GeneratedMedia]:
        entry = {"media": [file.model_dump(mode="json", exclude={"reused"}, exclude_none=True) for file in media]}
        if self._ask.rules.provenance == "sidecar":
            for file in media:
                await self._write_sidecar(attempt, file)
        if await record_paid(self._ledger, attempt, "stored", entry, self._log):
            return media
        # Somebody else waited for the same and was faster: theirs is the one that counts.
        theirs = await self.stored(attempt)
        for file in media:
            if (key := self._ask.storage.key(file.uri)) is not None:
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


def timed_out(job_id: str, model: str, timeout: float) -> GenerationTimeout:
    """Return the error for a job that outlasts its waiter."""
    what = f"Job {job_id} ({model}) still runs after the {timeout:.0f} s that were to be waited."
    return GenerationTimeout(what, advice="Run it again, or wait_for_video(error.job), to go on waiting.")

