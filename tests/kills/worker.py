"""A process that makes one generation and kills itself at a given point of it; a script that knows nothing of tests.

    python worker.py '{"kind": "image", "kill": "after-claim", ...}'    one job, in this process
    python worker.py --listen /tmp/socket                               a job per connection, each in a forked process

What it says, as JSON lines: ``{"at": point}`` just before it kills itself, and else ``{"outcome": ...}``. A forked process
spares the second that the imports take; it is a process of its own in every other way.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import av
import obstore
from errand import Job
from killing import arm
from pretending import pretend
from requested import request_of, with_first_frame
from through_tasks import make_in_a_flow, run_named

from prefect_together._internal import event_loop as runtime
from prefect_together.batch.batch_rows import Options
from prefect_together.batch.provider_runner import ProviderBatchRun
from prefect_together.batch.request_table import TableRow
from prefect_together.engine import lifecycle as generation
from prefect_together.engine import reconcile as reconciliation
from prefect_together.engine.context import GenerationContext, RunContext, RunInfo
from prefect_together.errors import TogetherError
from prefect_together.generations.policy import Policy
from prefect_together.generations.results import GeneratedMedia
from prefect_together.http.pool import shared_client
from prefect_together.ledger import packing
from prefect_together.ledger.ledger import Ledger
from prefect_together.ledger.scan import prefixes
from prefect_together.storage.opening import shared

LEVEL = (av, obstore)
"""What is imported here, so that it does not count as the memory of a generation."""


_out: Callable[[dict[str, Any]], None]


def say_to(file: Any) -> None:
    """Say everything to a file from now on."""
    global _out

    def out(line: dict[str, Any]) -> None:
        file.write(json.dumps(line) + "\n")
        file.flush()

    _out = out


# Making


def make(job: Job) -> list[GeneratedMedia]:
    """Make the requests of a job by the inner door that all tasks go through."""

    async def making() -> list[GeneratedMedia]:
        made: list[GeneratedMedia] = []
        for fields in job["requests"]:
            context = GenerationContext(
                request=with_first_frame(fields, made),
                client=shared_client(job["api_key"], job["base_url"], timeout=60.0, max_connections=64),
                storage=shared(job["library"], job.get("options")),
                run=RunInfo(logging.getLogger("worker"), flow_run=job.get("flow_run")),
                policy=Policy(),
                on_unknown=job.get("on_unknown", "auto"),  # type: ignore[arg-type]
            )
            made += [one for one in await generation.generate(context, timeout=120.0) if isinstance(one, GeneratedMedia)]
        return made

    return runtime.run(making())


def reconcile(job: Job) -> list[GeneratedMedia]:
    """Fetch what is left behind; where something is undecided, that is the outcome."""

    async def reconciling() -> list[GeneratedMedia]:
        client = shared_client(job["api_key"], job["base_url"], timeout=60.0, max_connections=64)
        storage = shared(job["library"], job.get("options"))
        report = await reconciliation.reconcile(storage, client, log=logging.getLogger("worker"), wait=60.0)
        if report.undecided:
            raise Undecided(report.text())
        return [file for file in report.kept if isinstance(file, GeneratedMedia)]

    return runtime.run(reconciling())


def pack(job: Job) -> list[GeneratedMedia]:
    """Pack once; or again and again, past the lease that keeps two from doing so at once."""
    until = job.get("pack", "once")

    async def packing_it() -> None:
        storage = shared(job["library"], job.get("options"))
        if until == "once":
            await packing.pack(storage)
        while until != "once" and not await asyncio.to_thread(os.path.exists, until):
            for prefix in await prefixes(storage):
                await packing.PrefixPacker(Ledger(storage), prefix, packing.Packing(), everything=True).pack()

    runtime.run(packing_it())
    return []


def make_together(job: Job) -> dict[str, Any]:
    """Make the requests of a job all at once, and return what came of each."""
    context = RunContext(
        client=shared_client(job["api_key"], job["base_url"], timeout=60.0, max_connections=64),
        storage=shared(job["library"], job.get("options")),
        run=RunInfo(logging.getLogger("worker")),
        policy=Policy(resubmit_per_process=Decimal(job.get("per_process", "1.00"))),
        on_unknown=job.get("on_unknown", "auto"),  # type: ignore[arg-type]
    )

    async def making() -> list[Any]:
        works = [generation.generate(context.of(request_of(fields)), timeout=120.0) for fields in job["requests"]]
        return await asyncio.gather(*works, return_exceptions=True)

    made = runtime.run(making())
    failed = [one for one in made if isinstance(one, BaseException)]
    outcomes = ["made" if isinstance(one, list) else type(one).__name__ for one in made]
    return {"outcomes": outcomes, "message": str(failed[0]) if failed else ""}


class Undecided(Exception):
    """Reconcile found what needs a decision."""


def make_in_threads(job: Job) -> list[GeneratedMedia]:
    """Make them in several threads at once; the second half of the threads has event loops of its own."""
    made: list[list[GeneratedMedia]] = []

    async def awaiting() -> None:
        made.append(await asyncio.to_thread(make, job))

    count = job.get("threads", 1)
    threads = [
        threading.Thread(target=(lambda: made.append(make(job))) if n < count / 2 else (lambda: asyncio.run(awaiting())))
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [file for files in made for file in files]


def run_batch(job: Job) -> dict[str, Any]:
    """Make the requests of a job by way of Together's batches, as ``generate_batch`` does, and return what came of the rows."""
    context = RunContext(
        client=shared_client(job["api_key"], job["base_url"], timeout=60.0, max_connections=64),
        storage=shared(job["library"], job.get("options")),
        run=RunInfo(logging.getLogger("worker"), flow_run=job.get("flow_run")),
        policy=Policy(),
        on_unknown=job.get("on_unknown", "auto"),  # type: ignore[arg-type]
    )

    async def running() -> dict[str, Any]:
        batch = ProviderBatchRun(context, Options(timeout=120.0))
        await batch.run(TableRow(number, request_of(fields)) for number, fields in enumerate(job["requests"], 1))
        lines = [json.loads(line) for line in batch.lines_of(1)]
        return {"counts": batch.totals.counts, "errors": [line["error"] for line in lines if "error" in line]}

    return runtime.run(running())


def work(job: Job) -> None:
    """Do a job and say what came of it."""
    pretend(job)
    if kill := job.get("kill"):
        arm(kill, signal.Signals[job.get("by", "SIGKILL")], _out)
    how = partial(make_in_a_flow, say=_out) if "flow" in job else make_in_threads if "threads" in job else make
    how = reconcile if job.get("reconcile") else pack if job.get("pack") else how
    level = _memory("VmRSS") if job.get("memory") else 0
    if "named" in job:  # Prefect takes seconds, in which who is ready first would do all of the work
        importlib.import_module("prefect_together.tasks.batch")
    if gate := job.get("gate"):
        _out({"ready": True})
        while not os.path.exists(gate):  # noqa: PTH110 - as quick as can be
            time.sleep(0.001)
    try:
        if "named" in job:
            _out({"outcome": "ran", **run_named(job)})
            return
        if job.get("batch"):
            _out({"outcome": "ran", **run_batch(job)})
            return
        if job.get("all_at_once"):
            _out({"outcome": "ran", **make_together(job)})
            return
        made = how(job)
    except TogetherError as error:
        said = {"message": str(error), "paid": error.paid, "retryable": error.retryable}
        _out({"outcome": type(error).__name__, **said})
    except Exception as error:  # whatever else happens is for the test to judge
        _out({"outcome": type(error).__name__.replace("Undecided", "undecided"), "message": str(error)})
    else:
        files = [{"sha256": file.sha256, "reused": file.reused, "uri": file.uri, "size": file.size} for file in made]
        _out({"outcome": "stored", "files": files, "grown": _memory("VmHWM") - level if level else 0})


def _memory(name: str) -> int:
    """Return what /proc says of this process's memory in bytes; asking for the level starts the peak anew."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = next(line for line in status.splitlines() if line.startswith(name))
    if name == "VmRSS":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return int(found.split()[1]) * 1024


# Being started


def listen(path: str) -> None:
    """Take a job per connection and do each in a process of its own, under a guardian that tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guardians are nobody's to wait for
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _guard(connection)
        connection.close()


def _guard(connection: socket.socket) -> None:
    with connection.makefile("rw", encoding="utf-8") as file:
        job: Job = json.loads(file.readline())
        pid = os.fork()
        say_to(file)
        if pid == 0:
            work(job)
            runtime.shutdown()
        else:
            _out({"pid": pid})
            _, status = os.waitpid(pid, 0)
            _out({"code": os.waitstatus_to_exitcode(status)})
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--listen":
        listen(sys.argv[2])
    else:
        say_to(sys.stdout)
        work(json.loads(sys.argv[1]))
