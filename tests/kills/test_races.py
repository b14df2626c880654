"""Many processes, threads and machines ask at the same moment: each request is paid for once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from prefect_together.ledger import heartbeats
from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import DEAR, IMAGES, PICTURE, TINY, VIDEOS, job
from .running import Running, Workshop, at_once

pytestmark = pytest.mark.slow

SEEDED = [pytest.param({**PICTURE, "seed": 7}, id="picture"), pytest.param({**TINY, "seed": 7}, id="clip")]


def _at_once(workers: Workshop, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Start workers that begin at the same moment, and return the file that each came to."""
    gate = Path(jobs[0]["library"]).with_name("gate")
    return [worker.stored()[0] for worker in at_once(workers, jobs, gate)]


def _media(library: Path) -> list[Path]:
    return [path for path in library.rglob("*") if path.is_file() and "ledger" not in path.relative_to(library).parts]


@pytest.mark.parametrize("request_", SEEDED)
@pytest.mark.parametrize("processes", [2, 8])
def test_processes_that_ask_for_the_same_pay_once(
    processes: int, request_: dict[str, Any], together: Sandbox, workers: Workshop, library: Path
) -> None:
    """One charge, one file, and everybody gets it."""
    files = _at_once(workers, [job(together, library, request_)] * processes)
    assert 1 == len(together.charges())
    assert 1 == len({file["uri"] for file in files})
    assert processes - 1 == sum(file["reused"] for file in files)
    assert 1 == len(_media(library))


def test_processes_that_ask_for_different_things_do_not_wait_for_each_other(
    together: Sandbox, workers: Workshop, library: Path
) -> None:
    """As many charges as requests, and as many files."""
    files = _at_once(workers, [job(together, library, {**PICTURE, "seed": seed}) for seed in range(8)])
    assert 8 == len(together.charges())
    assert 8 == len({file["sha256"] for file in files})


def test_processes_of_one_run_pay_once_without_a_seed(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Equal requests of one run are one, also where its tasks run in several processes."""
    files = _at_once(workers, [job(together, library, PICTURE, flow_run="one-run")] * 4)
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("request_", SEEDED)
def test_threads_and_event_loops_of_one_process_pay_once(
    request_: dict[str, Any], together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Eight threads, half of them with event loops of their own: one charge."""
    files = workers.start(job(together, library, request_, threads=8)).stored()
    assert [1, 8] == [len({file["uri"] for file in files}), len(files)]
    assert 1 == len(together.charges())


@pytest.mark.parametrize("machine", [None, "elsewhere"], ids=["same-machine", "another-machine"])
def test_a_claim_of_a_living_process_is_waited_for(
    machine: str | None, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """A POST of three seconds is waited for, longer than a lease lives, and its picture is taken."""
    together.fault(IMAGES, "accept_then_delay", seconds=3)
    told = job(together, library, {**PICTURE, "seed": 7}, overdue=1.6)
    first = workers.start(told)
    until("it is charged", together.charges)
    files = workers.start({**told, "machine": machine}).stored() + first.stored()
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize(("request_", "charges", "outcome"), [(PICTURE, 2, "stored"), (DEAR, 1, "UnknownOutcome")])
def test_a_dead_process_on_another_machine_is_found_out(
    request_: dict[str, Any], charges: int, outcome: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Where nobody can look a process up, its lease tells, and nobody waits for longer than that."""
    together.fault(IMAGES if request_ is PICTURE else VIDEOS, "accept_then_delay", seconds=30)
    told = job(together, library, {**request_, "seed": 7}, overdue=1.6)
    first = workers.start({**told, "machine": "elsewhere"})
    until("it is charged", together.charges)
    first.kill()
    began = time.monotonic()
    assert outcome == workers.start(told).ends()["outcome"]
    assert 1.6 < time.monotonic() - began < heartbeats.PATIENCE
    assert charges == len(together.charges())


@pytest.mark.parametrize(("request_", "charges", "outcome"), [(PICTURE, 2, "stored"), (DEAR, 1, "UnknownOutcome")])
def test_those_who_wait_see_at_once_that_the_sender_is_dead(
    request_: dict[str, Any], charges: int, outcome: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Six processes wait for a seventh, which is killed: one of them sends it again if that is cheap, else none does."""
    together.fault(IMAGES if request_ is PICTURE else VIDEOS, "accept_then_delay", seconds=30)
    told = job(together, library, {**request_, "seed": 7})
    first = workers.start(told)
    until("it is charged", together.charges)
    waiting = [workers.start(told) for _ in range(6)]
    time.sleep(1.0)
    first.kill()
    began = time.monotonic()
    ends = [worker.ends() for worker in waiting]
    assert time.monotonic() - began < heartbeats.PATIENCE
    assert {outcome} == {said["outcome"] for said in ends}
    assert 1 >= len({file["uri"] for said in ends for file in said.get("files", [])})
    assert charges == len(together.charges())


def test_a_new_run_makes_a_picture_and_a_clip_of_its_own(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Without a seed, a new run is a new picture and therefore another clip, whatever the killed one left."""
    told = job(together, library, PICTURE, TINY)
    assert "polling" == workers.start({**told, "flow_run": "killed", "kill": "polling"}).ends()["at"]
    assert [False, False] == [file["reused"] for file in workers.start({**told, "flow_run": "another"}).stored()]
    assert 4 == len(together.charges())


@pytest.mark.parametrize("seed", [7, None], ids=["seeded", "unseeded"])
def test_a_job_of_another_account_stays_with_it(
    seed: int | None, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """A job is known to the account alone that made it: a new run of another one pays its own, or says what is the matter."""
    told = job(together, library, {**TINY, "seed": seed})
    assert "polling" == workers.start({**told, "flow_run": "killed", "kill": "polling"}).ends()["at"]
    said = workers.start({**told, "flow_run": "another", "api_key": "another-key", "grace": 1.0}).ends()
    if seed is None:
        assert ("stored", 2) == (said["outcome"], len(together.charges()))
    else:
        assert ("yes", 1) == (said["paid"], len(together.charges()))
        assert "account" in said["message"]
    assert [True] == [file["reused"] for file in workers.start({**told, "flow_run": "killed"}).stored()]


def test_one_of_several_runs_takes_over_what_a_dead_one_left(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Four runs find one orphaned job: one takes it, three pay for their own, and all have clips of their own."""
    _left_behind(together, workers, library)
    files = _at_once(workers, [job(together, library, TINY, flow_run=f"run-{n}") for n in range(4)])
    assert 4 == len({file["sha256"] for file in files})
    assert 4 == len(together.charges())


def test_two_processes_of_one_run_take_it_over_together(together: Sandbox, workers: Workshop, library: Path) -> None:
    """While one is taking it over, the other waits for that instead of paying."""
    _left_behind(together, workers, library)
    told = job(together, library, TINY, flow_run="one-run")
    first = _stopped(workers, {**told, "kill": "adopting"})
    second = workers.start(told)
    time.sleep(1.0)
    os.kill(first.pid, signal.SIGCONT)
    files = first.stored() + second.stored()
    assert 1 == len({file["sha256"] for file in files})
    assert 1 == len(together.charges())


def test_two_processes_that_finish_the_same_keep_one_file(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Both may fetch it; one of the files counts, and the other is gone."""
    told = job(together, library, {**TINY, "seed": 7})
    workers.start({**told, "kill": "polling"}).ends()
    files = _at_once(workers, [told] * 2)
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(_media(library))
    assert 1 == len(together.charges())


@pytest.mark.parametrize(
    ("point", "seconds", "overdue"),
    [
        pytest.param("before-claim", 2.5, 1.6, id="before-claim"),
        pytest.param("after-claim", 0.5, 8.0, id="after-claim"),
        pytest.param("after-answer", 0.5, 8.0, id="after-answer"),
        pytest.param("after-accepted", 2.5, 1.6, id="after-accepted"),
        pytest.param("polling", 2.5, 1.6, id="polling"),
        pytest.param("after-file", 2.5, 1.6, id="after-file"),
    ],
)
def test_a_process_that_is_stopped_and_woken_pays_once(
    point: str, seconds: float, overdue: float, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """From the claim to the record of the answer for less than a lease lives, and else for as long as it likes."""
    told = job(together, library, {**TINY, "seed": 7}, overdue=overdue)
    first = _stopped(workers, {**told, "kill": point})
    second = workers.start(told)
    time.sleep(seconds)
    os.kill(first.pid, signal.SIGCONT)
    files = first.stored() + second.stored()
    assert 1 == len({file["sha256"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("point", ["after-claim", "after-answer"])
def test_a_patient_process_is_waited_for_by_an_impatient_one(
    point: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Each says how long it is to be waited for: a pod that stands still for longer than others would pays once."""
    told = job(together, library, {**DEAR, "seed": 7}, overdue=0.8)
    first = _stopped(workers, {**told, "kill": point, "machine": "elsewhere", "overdue": 30.0})
    second = workers.start(told)
    time.sleep(2.5)
    os.kill(first.pid, signal.SIGCONT)
    files = first.stored() + second.stored()
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("point", ["after-claim", "after-answer"])
def test_the_answer_of_a_process_that_was_taken_for_dead_counts(
    point: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Stopped for longer than a lease lives: others risk no second charge, and what it brings home is everybody's."""
    told = job(together, library, {**DEAR, "seed": 7}, overdue=1.6)
    first = _stopped(workers, {**told, "kill": point})
    assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    os.kill(first.pid, signal.SIGCONT)
    files = first.stored() + workers.start(told).stored()
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("skew", [3600.0, -3600.0], ids=["ahead", "behind"])
@pytest.mark.parametrize("machine", [None, "elsewhere"], ids=["same-machine", "another-machine"])
def test_a_living_process_with_another_clock_is_waited_for(
    machine: str | None, skew: float, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """An hour's difference, between machines or because one machine slept for an hour, makes nobody dead."""
    together.fault(IMAGES, "accept_then_delay", seconds=3)
    told = job(together, library, {**PICTURE, "seed": 7}, overdue=1.6)
    first = workers.start({**told, "machine": machine, "skew": skew})
    until("it is charged", together.charges)
    files = workers.start(told).stored() + first.stored()
    assert 1 == len({file["uri"] for file in files})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("skew", [3600.0, -3600.0], ids=["ahead", "behind"])
@pytest.mark.parametrize("machine", [None, "elsewhere"], ids=["same-machine", "another-machine"])
def test_a_dead_process_with_another_clock_is_found_out(
    machine: str | None, skew: float, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """An hour's difference does not keep it alive either; and its job is found."""
    told = job(together, library, {**TINY, "seed": 7}, overdue=1.6)
    said = workers.start({**told, "machine": machine, "skew": skew, "kill": "polling"}).ends()
    assert "polling" == said["at"]
    workers.start(told).stored()
    together.fault(VIDEOS, "accept_then_delay", seconds=30)
    told = job(together, library, {**DEAR, "seed": 7}, overdue=1.6)
    first = workers.start({**told, "machine": machine, "skew": skew})
    until("it is charged", lambda: len(together.charges()) == 2)
    first.kill()
    assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert 2 == len(together.charges())


def _left_behind(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Let a run be killed while its job renders."""
    assert "polling" == workers.start(job(together, library, TINY, flow_run="killed", kill="polling")).ends()["at"]


def _stopped(workers: Workshop, told: dict[str, Any]) -> Running:
    """Start a worker that stops itself at a point."""
    worker = workers.start({**told, "by": "SIGSTOP"})
    assert told["kill"] == worker.says("at")
    return worker
