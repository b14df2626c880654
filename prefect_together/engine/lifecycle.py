"""The life of a generation, once, for every type: looked up, claimed, sent once, accepted, waited for, kept, recorded.

Nothing in here depends on Prefect, on results that somebody cached, or on this process living on: what has been paid for
is in the ledger, and every step can be taken again by another process.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect_together.engine.batch_taking import NotAnswered
from prefect_together.engine.claims import ClaimResult
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.lifecycle_steps import Lifecycle
from prefect_together.engine.parts import all_of, parts_of, whole
from prefect_together.errors import BudgetExceeded, MediaError, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.results import Generated, GenerationJob, GenerationTimeout
from prefect_together.ledger.leases import release
from prefect_together.ledger.ledger import Attempt


async def generate(
    context: GenerationContext, *, timeout: float | None = None, fingerprint: str | None = None
) -> list[Generated]:
    """Return the results of a request: those that are kept already, or those that this call pays for.

    Where a result is not what was asked for, and the request allows to ask again, all results are returned, the last one
    last: each was paid for. Whether that one is good is for the caller to find out, see ``problem_of``.

    Args:
        context: What is asked, of whom, and by which rules.
        timeout: Seconds to wait for a job, counted from its submission.
        fingerprint: What the ledger knows the request by, where that is known already: the local files that it was made of
            may be gone.

    Raises:
        TogetherError: See ``prefect_together.errors``.
    """
    if parts := await parts_of(context):
        made = await all_of([generate(part, timeout=timeout) for part in parts])
        return [await whole(context, [results[-1] for results in made])]
    results = await _once(context, timeout, fingerprint)
    follow_up, asked = context.spec.follow_up, context.request
    while follow_up and (better := follow_up(asked, results[-1])):
        context.run.log.warning("%s Asking again.", problem_of(context, results[-1]))
        asked = better
        try:
            results += await _once(context.of(asked), timeout)
        except BudgetExceeded as error:
            context.run.log.warning("It is not asked for again: %s", error)
            break
    return results


async def _once(context: GenerationContext, timeout: float | None, fingerprint: str | None = None) -> list[Generated]:
    with telling(context):
        life = Lifecycle(context, fingerprint) if fingerprint else await Lifecycle.of(context)
        with life.hold:
            while True:
                try:
                    return await life.finish(await life.acquire(), timeout=timeout)
                except NotAnswered as error:  # noqa: PERF203 - nothing is paid for it: as if it had never been sent
                    context.run.log.info("%s", error.what)


def problem_of(context: GenerationContext, result: Generated) -> TogetherError | None:
    """Return what is wrong with a result that was paid for, where its type can tell; None where it is what was asked for."""
    return context.spec.problem(result) if context.spec.problem else None


async def lookup(context: GenerationContext) -> tuple[str, list[Generated]]:
    """Return a request's fingerprint, and its results where they are kept already. Sends nothing.

    Raises:
        InvalidRequest: A local file that it was made of cannot be read, or its type is not known.
        MediaError: A file that was kept is not in the library any more.
    """
    if parts := await parts_of(context):
        found = [(await lookup(part))[1] for part in parts]
        made = [await whole(context, [results[-1] for results in found])] if all(found) else []
        return await fingerprint_of(context.request, environment=context.client.environment), made
    life = Lifecycle(context, await fingerprint_of(context.request, environment=context.client.environment))
    attempt = (await life.ledger.history(life.fingerprint)).stored(life.scope)
    results = await life.delivery.stored(life.bound(attempt)) if attempt else []
    return life.fingerprint, [result.model_copy(update={"reused": True, "scope": life.scope}) for result in results]


async def answered(context: GenerationContext) -> Generated | None:
    """Return what ``generate`` returns last, or None where that is still to be asked for; raises as ``lookup``."""
    (_, results), follow_up, asked = await lookup(context), context.spec.follow_up, context.request
    while results and follow_up and (better := follow_up(asked, results[-1])):
        asked = better
        results = (await lookup(context.of(asked)))[1]
    return results[-1] if results else None


async def known(context: GenerationContext) -> tuple[str, list[Generated]]:
    """Return what ``lookup`` does, whether or not the files are still there.

    Raises:
        InvalidRequest: As ``lookup``.
    """
    for part in await parts_of(context):
        try:
            await lookup(part)
        except MediaError:  # noqa: PERF203 - the first one that is gone stands for all
            return await known(part)
    life = Lifecycle(context, await fingerprint_of(context.request, environment=context.client.environment))
    attempt = (await life.ledger.history(life.fingerprint)).stored(life.scope)
    return life.fingerprint, await life.bound(attempt).results(context.request.kind) if attempt else []


async def submit(context: GenerationContext) -> GenerationJob:
    """Return the job of a request: the one accepted already, or the one that this call pays for. Raises as ``generate``."""
    with telling(context):
        life = await Lifecycle.of(context)
        life.job_class()  # a type without jobs is refused before anything is sent
        with life.hold:
            claimed = await life.acquire()
            if claimed.attempt.state != "stored":
                await release(life.ledger, claimed.attempt.attempt, handed_out=True)
            return life.job(claimed.attempt, await life.acceptance(claimed), reused=not claimed.paid)


async def wait(context: GenerationContext, job: GenerationJob, *, timeout: float) -> list[Generated]:
    """Return the results of a job that was submitted here or anywhere. Never pays. Raises as ``generate``."""
    with telling(context):
        known = job.fingerprint or await fingerprint_of(context.request, environment=context.client.environment)
        life = Lifecycle(context, known)
        return await life.finish(ClaimResult(await life.attempt_of(job), paid=not job.reused), timeout=timeout)


async def resume(context: GenerationContext, attempt: Attempt, *, timeout: float) -> list[Generated]:
    """Return the results of an attempt that was accepted, whoever it was for. Never pays. Raises as ``generate``."""
    life = Lifecycle(context, attempt.fingerprint)
    return await life.finish(ClaimResult(life.bound(attempt), paid=False), timeout=timeout)


@contextmanager
def telling(context: GenerationContext) -> Generator[None, None, None]:
    """Tell those who listen how it ended, where it ended badly."""
    try:
        yield
    except UnknownOutcome as error:
        context.run.emit(LifecycleEvent("unknown", context.request, error=error))
        raise
    except GenerationTimeout:
        raise  # the job still runs: nothing has happened yet
    except TogetherError as error:
        context.run.emit(LifecycleEvent("failed", context.request, getattr(error, "job_id", None), error=error))
        raise
