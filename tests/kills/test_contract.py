"""What every generation type promises, whichever it is: the types are those of the registry, and each needs a sample here."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.serializers import JSONSerializer
from pydantic import TypeAdapter

from prefect_together._internal import event_loop as runtime
from prefect_together.engine.context import GenerationContext, RunInfo
from prefect_together.engine.lifecycle import generate, submit
from prefect_together.errors import InvalidRequest
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import (
    AnyResult,
    AnySpec,
    read_request,
    register,
    spec_named,
    spec_of,
    specs,
    unregister,
)
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GeneratedValue
from prefect_together.generations.spec import Blobs, GenerationSpec, Keeping, ResponseFormatError, Value
from prefect_together.http.pool import shared_client
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import job
from .running import Workshop
from .samples import CHANGES, MALFORMED, NO_OBJECT, SAMPLES, WRONG, sample_of

CASES = [
    pytest.param(spec.kind, form, id=f"{spec.kind}-{form}")
    for spec in specs()
    for form in SAMPLES.get(spec.kind, {"none": 0})
]


def request_of(kind: str, form: str, **changes: Any) -> Request:
    """Return the request of a sample, changed as told."""
    return spec_named(kind).request.model_validate({**sample_of(kind, form).fields, **changes})


def identity(request: Request, environment: str = "together") -> str:
    """Return a request's fingerprint."""
    return asyncio.run(fingerprint_of(request, environment=environment))


def context_of(request: Request, together: Sandbox, library: Path) -> GenerationContext:
    """Return what a request is made with in this process."""
    client = shared_client(together.api_key, together.url, timeout=60.0, max_connections=64)
    return GenerationContext(
        request=request, client=client, storage=Storage(str(library)), run=RunInfo(logging.getLogger("contract"))
    )


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_spec_is_whole(kind: str, form: str) -> None:
    """Its request, result and job are of one kind, and what it says of its results is what they have."""
    spec = spec_named(kind)
    assert spec is spec_of(request_of(kind, form))
    assert (kind, kind) == (spec.request.kind, spec.result.kind)
    assert spec.row or set(spec.columns) <= set(spec.result.model_fields)
    assert issubclass(spec.result, KeptFile) == bool(spec.keeping.media_types)
    assert issubclass(spec.result, KeptFile) != issubclass(spec.result, GeneratedValue)
    assert spec.request is spec.result.model_fields["request"].annotation
    assert spec.path.startswith("/v")
    assert [f"1 {spec.noun}", f"2 {spec.plural}"] == [spec.count(1), spec.count(2)]
    if spec.job is not None:
        assert "{id}" in spec.job.path
        assert spec.request is spec.job.job.model_fields["request"].annotation
        assert isinstance(spec.job.pace(request_of(kind, form)), str)


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_requests_come_back_as_they_were(kind: str, form: str) -> None:
    """As JSON, and as the ledger has them: equal, and the same request."""
    request = request_of(kind, form)
    for written in (request.model_dump_json(), request.model_dump_json(exclude_unset=True)):
        read = read_request(kind, json.loads(written))
        assert request == read
        assert type(request) is type(read)
        assert identity(request) == identity(read)


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_fingerprints_stay_what_they_are(kind: str, form: str) -> None:
    """Equal requests are one, a changed one is another, a sandbox's is another, and none changes between releases."""
    known, sample = identity(request_of(kind, form)), sample_of(kind, form)
    assert sample.fingerprint == known
    assert known == identity(request_of(kind, form))
    changed = [identity(request_of(kind, form, **dict(change))) for change in (*CHANGES, *sample.changes)]
    others = {known, identity(request_of(kind, form), "loopback"), *changed}
    assert len(others) == len(changed) + 2


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_malformed_answers_are_refused(kind: str, form: str) -> None:
    """Whatever is no good answer raises ResponseFormatError, which after a paid POST means that the outcome is unknown."""
    spec, sample = spec_named(kind), sample_of(kind, form)
    spec.parse(sample.answer)
    assert [] == [answer for answer in (*MALFORMED, *sample.malformed) if not _refused(spec.parse, answer)]
    if spec.job:
        assert [] == [answer for answer in NO_OBJECT if not _refused(spec.job.parse, answer)]


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_malformed_requests_are_refused_before_the_claim(kind: str, form: str, together: Sandbox, library: Path) -> None:
    """A wrong field never becomes a request; one that cannot be sent is neither claimed nor sent."""
    sample = sample_of(kind, form)
    for wrong in (*WRONG, *sample.wrong):
        with pytest.raises(InvalidRequest, match=spec_named(kind).request.__name__):
            spec_named(kind).request(**{**sample.fields, **wrong})
    if sample.unsendable:
        context = context_of(request_of(kind, form, **dict(sample.unsendable)), together, library)
        with pytest.raises(InvalidRequest, match=r"gone\.png"):
            runtime.run(generate(context))
    assert [] == together.requests()
    assert [] == runtime.run(Storage(str(library)).names("ledger"))


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_results_come_back_as_they_were(kind: str, form: str, together: Sandbox, library: Path) -> None:
    """Through the ledger, through Prefect's results, and as the field of a model: equal, of the same class, paid for once."""
    spec, request = spec_named(kind), request_of(kind, form)
    made = runtime.run(generate(context_of(request, together, library), timeout=60.0))
    assert request.count == len(made)
    for result in made:
        assert type(result) is spec.result
        assert (kind, spec.noun, request) == (result.kind, result.noun, result.request)
        assert not result.reused
        assert isinstance(json.dumps(result.span_attributes()), str)
    again = runtime.run(generate(context_of(request, together, library), timeout=60.0))
    assert again == [result.model_copy(update={"reused": True}) for result in made]
    prefect, field_ = JSONSerializer[list[Generated]](), TypeAdapter[list[Generated]](list[AnyResult])
    for back in (again, prefect.loads(prefect.dumps(made)), field_.validate_json(field_.dump_json(made))):
        assert [spec.result] * len(made) == [type(one) for one in back]
        assert made == [one.model_copy(update={"reused": False}) for one in back]
    assert 1 == len(together.charges())


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_jobs_come_back_as_they_were(kind: str, form: str, together: Sandbox, library: Path) -> None:
    """A job goes through Prefect's results; a type that has none says so before anything is sent."""
    spec, context = spec_named(kind), context_of(request_of(kind, form), together, library)
    if spec.job is None:
        with pytest.raises(InvalidRequest, match="makes no job"):
            runtime.run(submit(context))
        assert [] == together.requests()
        return
    submitted, prefect = runtime.run(submit(context)), JSONSerializer[Any]()
    back = prefect.loads(prefect.dumps(submitted))
    assert submitted == back
    assert spec.job.job is type(submitted) is type(back)
    assert runtime.run(submit(context)).reused
    assert 1 == len(together.charges())


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_killed_after_the_claim_nothing_is_charged_until_somebody_decides(
    kind: str, form: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Nobody can know whether it was sent: it is not sent again, then once when somebody says so, and never after that."""
    told = _job(kind, form, together, library)
    _killed("after-claim", told, workers)
    assert 0 == len(together.charges())
    assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert "undecided" == workers.start({**told, "reconcile": True}).ends()["outcome"]
    assert 0 == len(together.charges())
    for rule in ("resubmit", "fail"):
        assert "stored" == workers.start({**told, "on_unknown": rule}).ends()["outcome"]
    assert 1 == len(together.charges())


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_killed_after_the_answer_it_is_charged_once(
    kind: str, form: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """What it answered is lost and nobody can know: it is not sent again, however often it is asked for."""
    told = _job(kind, form, together, library)
    _killed("after-answer", told, workers)
    for _ in range(2):
        assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert "undecided" == workers.start({**told, "reconcile": True}).ends()["outcome"]
    assert 1 == len(together.charges())


@pytest.mark.parametrize("restart", ["again", "reconcile"])
@pytest.mark.parametrize(("kind", "form"), CASES)
def test_killed_after_it_was_accepted_it_is_charged_once_and_kept(
    kind: str, form: str, restart: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """What was accepted is on record, or kept where it came inside the answer: the next run has it, and pays nothing."""
    told = _job(kind, form, together, library)
    inside = isinstance(spec_named(kind).parse(sample_of(kind, form).answer), (Blobs, Value))
    _killed("after-record" if inside else "after-accepted", told, workers)
    for again in (restart, "again"):
        assert "stored" == workers.start({**told, "reconcile": again == "reconcile"}).ends()["outcome"]
    assert 1 == len(together.charges())


def test_a_type_without_a_sample_fails() -> None:
    """Whoever registers a type is told what to add, and where."""

    class Music(Request):
        """A request of a type that nobody has written a sample for."""

        kind = "music"

    class GeneratedMusic(GeneratedValue):
        """Its result."""

        kind = "music"

    def never(*_: object) -> Any:
        raise AssertionError

    spec: AnySpec = GenerationSpec(
        kind="music", request=Music, result=GeneratedMusic, path="/v1/music", parse=never, build=never,
        keeping=Keeping(), columns={}, noun="tune", plural="tunes",
    )  # fmt: skip
    register(spec)
    try:
        with pytest.raises(pytest.fail.Exception, match=r"'music' has no sample: add one to SAMPLES in samples\.py"):
            request_of("music", "none")
    finally:
        unregister("music")


def _job(kind: str, form: str, together: Sandbox, library: Path) -> dict[str, Any]:
    return job(together, library, {"kind": kind, **sample_of(kind, form).fields}, on_unknown="fail")


def _refused(parse: Callable[[Any], object], answer: Any) -> bool:
    """Tell whether an answer is refused as it should be; whatever else is raised fails the test."""
    try:
        parse(answer)
    except ResponseFormatError:
        return True
    return False


def _killed(point: str, told: dict[str, Any], workers: Workshop) -> None:
    said = workers.start({**told, "kill": point}).ends()
    assert (point, -signal.SIGKILL) == (said.get("at"), said["code"]), said
    assert "outcome" not in said
