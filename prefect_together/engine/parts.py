"""Requests for more than one POST takes: made of parts, each paid for and kept by itself, and put together for free."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from prefect_together.engine.context import GenerationContext
from prefect_together.engine.derivation import Derivation
from prefect_together.errors import TogetherError
from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.parts import JoinedFile, costs_of
from prefect_together.generations.results import Generated

_T = TypeVar("_T")


async def parts_of(context: GenerationContext) -> list[GenerationContext]:
    """Return the contexts of a request's parts, in order; none where it is sent as it is.

    Raises:
        InvalidRequest: A file that it names cannot be read.
    """
    parts = context.spec.parts
    if parts is None:
        return []
    if parts.reads:
        found = await asyncio.to_thread(parts.split, context.request, context.policy)
    else:
        found = parts.split(context.request, context.policy)
    if len(found) < 2:
        return []
    # What the catalogue warns of is the same for all, and said once.
    quiet = replace(context, policy=replace(context.policy, preflight="off"))
    return [context.of(found[0]), *(quiet.of(part) for part in found[1:])]


async def all_of(works: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Return what came of all works, when all are over: each may pay, and what one paid is kept whatever another does.

    Raises:
        BaseException: What the first of them raised, which says so of the others where it is ours.
    """
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    failed = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
    if failed is None:
        return made
    if made and isinstance(failed, TogetherError):
        failed.what = f"{failed.what} {len(made):,} of its {len(outcomes):,} parts are kept, and are not paid for again."
        # "Nothing" is what was paid for the part that failed.
        failed.paid = None if failed.paid == "nothing" else failed.paid
    raise failed


async def whole(context: GenerationContext, results: Sequence[Generated]) -> Generated:
    """Return the result of a request, made of those of its parts; what it is made into is made once.

    Raises:
        TogetherError: Their files cannot be read or put together.
    """
    parts, asked = context.spec.parts, context.request
    if parts is None:
        raise TypeError(f"a {context.spec.kind} has no parts")
    file = await _file(context, parts.file, results) if parts.file else None
    fingerprint = await fingerprint_of(asked, environment=context.client.environment)
    made = parts.join(asked, fingerprint, results, file)
    now = {**costs_of(results), "reused": all(result.reused for result in results), "scope": context.scope()}
    return made.model_copy(update=now)


async def _file(context: GenerationContext, how: JoinedFile[Any, Any], results: Sequence[Generated]) -> DerivedMedia:
    sources = [result for result in results if isinstance(result, KeptFile)]
    make = partial(how.write, context.request, results)
    asked = context.request
    work = Derivation(how.operation, sources, how.media_type(asked), how.asked(asked))
    return await work.known(context.storage) or await work.made(make, context.storage, context.run.log)
