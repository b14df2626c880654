"""Asks once for every open job of a library, from one process, and keeps what is done. Never pays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from urllib.parse import quote

from prefect_together._internal.logs import Log
from prefect_together.engine.batch_record import BatchRecord, record_of
from prefect_together.engine.batch_taking import BatchTaker, each
from prefect_together.engine.context import GenerationContext, RunContext, RunInfo
from prefect_together.engine.known_jobs import OpenJob, read_known, write_known
from prefect_together.engine.lifecycle import resume
from prefect_together.engine.polling import NOT_FOUND_GRACE
from prefect_together.engine.recovery import attempt_named
from prefect_together.errors import APIError, ConnectionFailed, InvalidRequest, LibraryError, RateLimited, TogetherError
from prefect_together.generations.policy import Policy
from prefect_together.generations.registry import read_request, spec_named
from prefect_together.generations.results import GenerationTimeout
from prefect_together.generations.spec import JobProtocol
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.leases import LeaseMonitor, one_at_a_time, shared_lease
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.scan import scan
from prefect_together.storage.storage import Storage

PER_SECOND = 200
"""How many jobs are asked for in a second at most, so that those who generate meanwhile are heard too: all at once, since
a pause for each of them would cost a third of what asking does."""
BUSY = 5.0
"""Seconds that nobody is asked after Together said that it is busy."""
_WORK = shared_lease("sweep")


class OpenJobs:
    """The jobs of a library that were accepted and are not kept yet.

    Args:
        storage: The library.
        client: The account that is asked; jobs of others stay open.
        log: Where to say what happens.
        policy: What is allowed.
        waited: Keys of attempts that suspended runs wait for: nobody else is at work on those.
    """

    def __init__(
        self, storage: Storage, client: TogetherClient, log: Log, policy: Policy, waited: Collection[str] = ()
    ) -> None:
        self.open: set[str] = set()
        """What still runs, as ``GenerationTimeout.waits_for`` names it."""
        self.kept = 0
        """How many results were kept."""
        self.failed = 0
        """How many jobs turned out to have failed."""
        self._storage = storage
        self._client = client
        self._log = log
        self._policy = policy
        self._waited = waited
        self._ledger = Ledger(storage)
        self._records: set[str] = set()
        self._not_before = 0.0

    async def ask(self) -> bool:
        """Ask for all of them once; return False, and ask nobody, while another process does.

        Raises:
            LibraryError: The ledger cannot be read.
        """
        async with one_at_a_time(self._ledger, _WORK) as ours:
            if ours:
                await self._ask()
        return ours

    async def _ask(self) -> None:
        known = await read_known(self._storage)
        found = [one.attempt async for seen in scan(self._storage, states={"accepted"}) for one in seen]
        jobs = [job for job in await each(found, lambda one: self._read(one, known)) if job]
        if known.keys() != {job.key for job in jobs}:
            await write_known(self._storage, jobs)
        await self._look_at_all([job for job in jobs if not job.record])
        for record in sorted({job.record for job in jobs if job.record}):
            await self._take(record_of(self._storage, record))

    async def _read(self, attempt: Attempt, known: Mapping[str, OpenJob]) -> OpenJob | None:
        """Return what is to be known of a job, or None where its entries cannot be read: it stays open."""
        if job := known.get(attempt.key):
            return job
        try:
            claim = await self._ledger.entry(attempt, "claimed")
            accepted = await self._ledger.entry(attempt, "accepted")
            if claim is None or accepted is None:
                raise LibraryError("An entry is gone.")
            return OpenJob(
                key=attempt.key,
                kind=claim["kind"],
                job_id=accepted.get("job_id"),
                record=accepted.get("provider_batch"),
                account=accepted.get("account"),
                environment=claim.get("realm"),
                accepted_at=datetime.fromisoformat(accepted["accepted_at"]).isoformat(),
            )
        except (LibraryError, KeyError, TypeError, ValueError) as error:  # one broken entry must not hide all the others
            why = error.what if isinstance(error, LibraryError) else "Its entries do not say what it is."
            self._log.warning("%s %s is left out.", why, attempt.key)
            self.open.add(attempt.key)
            return None

    async def _look_at_all(self, jobs: Sequence[OpenJob]) -> None:
        for begin in range(0, len(jobs), PER_SECOND):
            self._not_before = time.monotonic() + 1.0
            await each(jobs[begin : begin + PER_SECOND], self._look)
            if begin + PER_SECOND < len(jobs):
                await asyncio.sleep(self._not_before - time.monotonic())

    async def _look(self, job: OpenJob) -> None:
        """Ask for one job, and keep what it made."""
        self.open.add(job.key)
        protocol = self._protocol(job)
        if protocol is None:
            return
        try:
            path = protocol.path.replace("{id}", quote(job.job_id or "", safe=""))
            status = await self._client.get(path, protocol.parse)
        except (APIError, ConnectionFailed) as error:
            if not _is_gone(error, job):
                self._bear(error, job)
                return
        else:
            if not (status.done or status.over):
                return
        await self._finish(job)

    def _protocol(self, job: OpenJob) -> JobProtocol | None:
        """Return how a job is asked for, or None where this process cannot."""
        if job.job_id is None or not self._is_ours(job):
            return None
        try:
            return spec_named(job.kind).job
        except InvalidRequest as error:  # somebody's own type, which only his processes know: they look after it
            self._log.warning("Job %s is left to others: %s", job.job_id, error.what)
            return None

    def _is_ours(self, job: OpenJob) -> bool:
        here = job.environment in {None, self._client.environment}
        return here and job.account in {None, self._client.account}

    def _bear(self, error: APIError | ConnectionFailed, job: OpenJob) -> None:
        """Note that a job could not be asked for: it is asked for again next time."""
        if isinstance(error, RateLimited):
            self._not_before = time.monotonic() + BUSY
        self._log.warning("Asking for job %s failed, which does not harm the job: %s", job.job_id, error.what)

    async def _finish(self, job: OpenJob) -> None:
        """Keep what a job made that is over, or write down that it failed, unless somebody is at work on it."""
        attempt = attempt_named(job.key)
        if job.key not in self._waited and await LeaseMonitor(self._ledger, attempt).settled():
            return
        try:
            self.kept += len(await resume(await self._context(attempt), attempt, timeout=0.0))
        except GenerationTimeout:
            return
        except TogetherError as error:
            if error.retryable:
                self._log.warning("Job %s is over, and what it made cannot be had yet: %s", job.job_id, error)
                return
            self.failed += 1
            self._log.warning("%s", error)
        except ValueError as error:  # a request that this release cannot read
            self._log.warning("Job %s is over, and this release cannot read what was asked: %s", job.job_id, error)
        self.open.discard(job.key)

    async def _context(self, attempt: Attempt) -> GenerationContext:
        claim = await self._ledger.entry(attempt, "claimed") or {}
        run = RunInfo(log=self._log, flow_run=claim.get("flow_run"))
        common = RunContext(client=self._client, storage=self._storage, run=run, policy=self._policy, in_scope=attempt.scope)
        return common.of(read_request(str(claim["kind"]), claim["request"]))

    async def _take(self, record: BatchRecord) -> None:
        """Ask for one batch, and take its answers where it is over."""
        run = RunInfo(log=self._log)
        context = RunContext(client=self._client, storage=self._storage, run=run, policy=self._policy)
        self.open.add(record.path)
        try:
            await BatchTaker(context, record).take(0.0)
        except GenerationTimeout:
            return
        except TogetherError as error:
            self._log.warning("%s could not be taken: %s", record, error)
            return
        self.open.discard(record.path)


def _is_gone(error: TogetherError, job: OpenJob) -> bool:
    """Tell whether Together does not know a job any more, rather than not yet."""
    age = datetime.now(timezone.utc) - datetime.fromisoformat(job.accepted_at)
    return isinstance(error, APIError) and error.status == 404 and age.total_seconds() > NOT_FOUND_GRACE
