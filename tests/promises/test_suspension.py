"""Where a run cannot be suspended, that is one sentence before anything is paid; sweeps ask each open job once."""

from __future__ import annotations

import asyncio
import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.states import Running

from prefect_together import VideoRequest, generate_video, submit_video, sweep
from prefect_together._internal.event_loop import Signal
from prefect_together.engine.known_jobs import PATH
from prefect_together.engine.waits import read_wait
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.generations.results import GenerationTimeout
from prefect_together.ledger.ledger import Attempt, Event, Ledger
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage
from prefect_together.tasks import _suspension
from prefect_together.ui import artifacts

CLIP = VideoRequest(prompt="a fox", model="sandbox/tiny", width=64, height=48, seconds=1, fps=15, seed=1)


@flow
def by_itself() -> Any:
    """Run without a deployment."""
    return generate_video(CLIP, wait="suspend")


def test_outside_of_a_flow_it_is_refused(together_sandbox: Sandbox) -> None:
    """The sentence says what to do, and nothing is sent."""
    with pytest.raises(
        ConfigurationError, match=r'outside of flow runs there is none: deploy the flow.* leave out wait="suspend"'
    ):
        generate_video.fn(CLIP, wait="suspend")
    assert [] == together_sandbox.charges()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_a_deployment_it_is_refused(together_sandbox: Sandbox, prefect_server: object) -> None:
    """So it is in the run of a flow that was called."""
    assert prefect_server
    with pytest.raises(ConfigurationError, match="this run has no deployment"):
        by_itself()
    assert [] == together_sandbox.charges()


def test_what_makes_no_sense_is_refused(together_sandbox: Sandbox) -> None:
    """A way to wait that nobody knows is refused before anything is sent."""
    with pytest.raises(InvalidRequest, match="wait is 'sleep': allowed is 'poll', 'suspend'"):
        generate_video.fn(CLIP, wait="sleep")  # type: ignore[arg-type]
    assert [] == together_sandbox.charges()


def test_a_sweep_keeps_what_is_done(
    together_sandbox: Sandbox, prefect_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job that nobody waits for is asked for once in a sweep; one that is over is kept, for nothing."""
    assert prefect_server
    monkeypatch.setattr("prefect_together.ledger.leases.HANDED_OUT", 0.0)
    together_sandbox.fault("GET /v2/videos", "queued_forever", times=2)
    for number in range(2):
        submit_video.fn(CLIP.model_copy(update={"seed": number}))
    first = sweep.fn(restarts=0)
    assert (0, 2, 2) == (first.kept, first.open, together_sandbox.count("/v2/videos/", "GET"))
    found = sweep.fn(restarts=0)
    while found.open:
        found = sweep.fn(restarts=0)
    assert 2 == len(together_sandbox.charges())
    assert 0 == sweep.fn(restarts=0).open


def test_a_copy_that_is_broken_is_made_anew(
    together_sandbox: Sandbox, prefect_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a sweep knew of open jobs is no record: broken, it is read again from the ledger."""
    assert prefect_server
    from prefect_together._internal.event_loop import run
    from prefect_together.blocks.library import storage_of

    together_sandbox.fault("GET /v2/videos", "queued_forever")
    submit_video.fn(CLIP)
    assert 1 == sweep.fn(restarts=0).open

    async def broken() -> Storage:
        storage = await storage_of(None)
        assert await storage.exists(PATH)
        await storage.write(PATH, b"[1]\n{")
        return storage

    run(broken())
    assert 1 == sweep.fn(restarts=0).open


ENTRIES: dict[str, dict[Event, dict[str, Any]]] = {
    "a type that this process does not know": {
        "claimed": {"kind": "hologram", "model": "m", "request": {}},
        "accepted": {"job_id": "job-1", "accepted_at": "2026-11-01T00:00:00+00:00"},
    },
    "no claim any more": {"accepted": {"job_id": "job-2", "accepted_at": "2026-11-01T00:00:00+00:00"}},
    "no time": {"claimed": {"kind": "video", "model": "m", "request": {}}, "accepted": {"job_id": "job-3"}},
}
"""Entries of jobs that a sweep can make nothing of, by what is wrong with them."""


@pytest.mark.parametrize("wrong", ENTRIES)
def test_one_job_that_cannot_be_read_hides_no_other(
    wrong: str, together_sandbox: Sandbox, prefect_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of somebody's own type, or one that has lost an entry, stays open, and so does nothing else because of it."""
    assert prefect_server
    monkeypatch.setattr("prefect_together.ledger.leases.HANDED_OUT", 0.0)
    from prefect_together._internal.event_loop import run
    from prefect_together.blocks.library import storage_of

    async def write() -> Storage:
        storage = await storage_of(None)
        for event, entry in ENTRIES[wrong].items():
            await Ledger(storage).record(Attempt("00" + "f" * 38, "any", 1), event, entry)
        await storage.write("waits/broken.json", b'{"run": ')
        return storage

    storage = run(write())
    submit_video.fn(CLIP)
    found = sweep.fn(restarts=0)
    for _ in range(100):
        found = found if found.open == 1 else sweep.fn(restarts=0)
    assert (1, 1) == (found.open, len(together_sandbox.charges()))
    assert run(storage.exists("waits/broken.json"))


async def test_processes_of_one_run_wait_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process of a run that is suspended notes what it waits for, beside the others' and under one pause."""
    run, paused = FlowRun(flow_id=uuid.uuid4(), state=Running()), list[str]()

    async def nothing(*_: object, **__: object) -> None:
        """Show nothing, and ask for no sweep."""

    async def suspend(_: uuid.UUID, *, key: str, seconds: int) -> Any:
        paused.append(key)
        return Running(message=f"{seconds}")

    monkeypatch.setattr(_suspension, "suspend", suspend)
    monkeypatch.setattr(artifacts, "publish", nothing)
    monkeypatch.setattr(_suspension, "CALM", 0.0)
    monkeypatch.setattr(_suspension._Suspension, "_look_for_a_sweep", nothing)  # pyright: ignore[reportPrivateUsage]
    for job in ("a/any/0001", "b/any/0001"):
        late = GenerationTimeout("It still runs.", waits_for=(job,))
        process = _suspension._Suspension(run, Storage(str(tmp_path)), logging.getLogger("test"))  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(Signal):
            await asyncio.wait_for(process.suspended(late, 60.0), 30)
    wait = await read_wait(Storage(str(tmp_path)), str(run.id))
    assert wait is not None
    assert [wait.pause] == sorted(set(paused))
    assert {"a/any/0001", "b/any/0001"} == set(wait.open) == set(wait.since)
