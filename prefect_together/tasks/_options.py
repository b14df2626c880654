"""What every task is made with: names that a person can scan, small JSON results, and retries that cannot pay twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypedDict, cast

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.runtime import task_run

from prefect_together._internal.event_loop import interrupt
from prefect_together._internal.prefect_compat import error_of, filter_run_logs, tag_run
from prefect_together._internal.text import clipped
from prefect_together._internal.tracebacks import RUN_LOGS, shorten_last_words
from prefect_together.errors import TogetherError
from prefect_together.generations.request import Request
from prefect_together.generations.results import GenerationJob

_TITLE = 40
_NO_LIMIT = re.compile(r"[/%&><]")
"""What the name of a concurrency limit must not hold, and so no tag."""

filter_run_logs(RUN_LOGS)
shorten_last_words(interrupt)


class Options(TypedDict):
    """The options that every task here is made with."""

    task_run_name: Callable[..., str]
    """The model and the first words of the prompt; tags the run with its model on the way, see ``run_name``."""
    persist_result: bool
    """True: references are small, and a finished task run shows its result."""
    result_serializer: str
    """JSON: readable, and free of code."""
    cache_policy: CachePolicy
    """One record for each task run, never shared with another: what may be reused is decided by the ledger alone."""
    retry_condition_fn: Callable[[Task[Any, Any], TaskRun, State[Any]], bool]
    """Retries, where the user sets some, happen only for errors that say they are safe to try again."""
    tags: list[str]
    """``together`` and the kind."""


def options(kind: str) -> Options:
    """Return the options of the tasks of one kind."""
    return {
        "task_run_name": run_name,
        "persist_result": True,
        "result_serializer": "json",
        "cache_policy": CacheKeyFnPolicy(cache_key_fn=_result_key),
        "retry_condition_fn": is_retryable,
        "tags": ["together", kind],
    }


def run_name(parameters: dict[str, Any]) -> str:
    """Return a run's name, such as ``FLUX.2-pro: a fox in the snow``, and tag the run with its model.

    Never raises: a run without a name never starts. Prefect has no hook for tags that depend on what is asked for; it asks
    for the name once the parameters are there.
    """
    try:
        given = dict(parameters)  # with the results in place of futures; those of `prefect.runtime` have the futures
        task = str(task_run.task_name or "together")
        RUN_LOGS.tasks.add(task)
    except Exception:  # a name is decoration, whatever Prefect's context has to say
        return "together"
    if "requests" in given:
        return f"batch: {given.get('name') or _count(given['requests'])}"
    subject = given.get("request") or given.get("job")
    request = subject.request if isinstance(subject, GenerationJob) else subject
    if not isinstance(request, Request):
        return task
    model = request.model.rpartition("/")[2]
    _tag(_NO_LIMIT.sub("-", model))
    title, dot, made_of = (" ".join(request.label().split())).rpartition(" · ")
    return f"{model}: {clipped(title, _TITLE)}{dot}{clipped(made_of, _TITLE)}"


def _tag(tag: str) -> None:
    context = TaskRunContext.get()
    if context is not None:
        tag_run(context, tag)


def _count(requests: Any) -> str:
    if isinstance(requests, (list, tuple)):
        return f"{len(cast('list[Any]', requests)):,} requests"
    return clipped(repr(requests), _TITLE)


def is_retryable(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001 - Prefect's signature
    """Tell whether trying again is safe: only where the error itself says so."""
    error = error_of(state)
    return isinstance(error, TogetherError) and error.retryable


def _result_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:  # noqa: ARG001 - Prefect's signature
    return f"prefect-together-{context.task_run.id}"
