"""`reconcile`: what was paid for and never kept is fetched, what nobody knows is listed, and nothing is paid unasked."""

from __future__ import annotations

import importlib.util
import json
import logging
from pathlib import Path
from types import ModuleType

import pytest
from prefect import flow

from prefect_together import (
    GenerationTimeout,
    TogetherCredentials,
    areconcile,
    generate_image,
    generate_video,
    reconcile,
    submit_video,
)
from prefect_together._internal.event_loop import run
from prefect_together.cli import main
from prefect_together.engine.reconcile import forget
from prefect_together.errors import InvalidRequest, MediaError, UnknownOutcome
from prefect_together.generations.kept_file import KeptFile
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import FILE, POLL, VIDEOS, clip, dear_clip, picture

FLOW = Path(__file__).parents[2] / "flows" / "reconcile.py"


def _flow_file() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reconcile_flow", FLOW)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _leave_behind(together: Sandbox) -> None:
    """Leave a clip that outlasted its waiter, a picture that could not be fetched, and a clip of unknown outcome."""
    together.fault(POLL, "queued_forever")
    with pytest.raises(GenerationTimeout):
        generate_video(clip(seed=1), timeout=0.5)
    together.fault(FILE, "expired", times=9)
    with pytest.raises(MediaError):
        generate_image(picture(seed=2))
    together.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=3))
    together._switchboard.clear()  # pyright: ignore[reportPrivateUsage]


def test_what_was_left_behind_is_kept_and_the_rest_is_listed(together_sandbox: Sandbox) -> None:
    """The clip and the picture are fetched, the unknown one is listed with what to do, and no POST is sent."""
    _leave_behind(together_sandbox)
    posts = together_sandbox.count("/v")
    report = reconcile(wait=30)
    assert posts == together_sandbox.count("/v")
    assert {"sandbox/tiny", "black-forest-labs/FLUX.2-pro"} == {file.model for file in report.kept}
    assert all(isinstance(file, KeptFile) and file.verify() for file in report.kept)
    assert ["pixverse/pixverse-v5"] == [entry.model for entry in report.undecided]
    assert "$0.3" in report.text()
    assert f"--forget {report.undecided[0].key}" in report.text()
    assert generate_video(clip(seed=1)).reused
    assert posts == together_sandbox.count("/v")
    assert [] == reconcile().kept


async def test_the_async_twin_does_the_same(together_sandbox: Sandbox) -> None:
    """`areconcile` reports what `reconcile` reports."""
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=3))
    assert 1 == len((await areconcile()).undecided)


def test_a_running_job_is_reported_and_left_running(together_sandbox: Sandbox) -> None:
    """Without `wait`, a job that still renders is listed; it is kept by a later call."""
    together_sandbox.fault(POLL, "queued_forever")
    with pytest.raises(GenerationTimeout):
        generate_video(clip(seed=1), timeout=0.5)
    assert 1 == len(reconcile().running)
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    assert 1 == len(reconcile(wait=10).kept)
    assert 1 == len(together_sandbox.charges())


def test_a_job_that_is_waited_for_is_left_to_its_waiter(together_sandbox: Sandbox) -> None:
    """A job that was submitted by a living process, and not waited for yet, is that process's business."""
    submit_video(clip(seed=1))
    assert 1 == len(reconcile().running)


def test_a_job_that_failed_meanwhile_is_reported(together_sandbox: Sandbox) -> None:
    """A job that failed after its waiter gave up is recorded as failed, with the reason."""
    together_sandbox.fault(POLL, "queued_forever")
    with pytest.raises(GenerationTimeout):
        generate_video(clip(seed=1), timeout=0.5)
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    together_sandbox.fault(POLL, "failed")
    report = reconcile()
    assert 1 == len(report.failed)
    assert "failed" in report.failed[0].why


def test_forget_lets_the_request_be_sent_again(
    together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `--forget` the same request is sent again, once, without on_unknown."""
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome) as caught:
        generate_video(dear_clip(seed=3))
    key = str(caught.value.key)
    assert 0 == main(["reconcile", "--library", str(tmp_path / "library"), "--forget", key])
    assert "may be sent again" in capsys.readouterr().out
    assert generate_video(dear_clip(seed=3)).verify()
    assert 2 == len(together_sandbox.charges())
    with pytest.raises(InvalidRequest, match="only what is unknown or lost"):
        run(forget(Storage(str(tmp_path / "library")), key))


def test_resubmit_sends_it_again_and_keeps_it(
    together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--resubmit` pays once more and keeps the clip, where the request finds it from then on."""
    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome) as caught:
        generate_video(dear_clip(seed=3))
    library = str(tmp_path / "library")
    assert 0 == main(["reconcile", "--library", library, "--resubmit", str(caught.value.key)[:12]])
    assert "Kept:" in capsys.readouterr().out
    assert generate_video(dear_clip(seed=3)).reused
    assert 2 == len(together_sandbox.charges())


def test_the_ledger_can_be_read(together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger` shows every attempt with its state and money, as a table and as JSON; unknown money is null, not 0."""

    @flow
    def work() -> None:
        generate_image(picture(seed=2))
        generate_video(clip(seed=1))

    work()
    library = str(tmp_path / "library")
    assert 0 == main(["ledger", "--library", library])
    table = capsys.readouterr().out
    assert "about $0.03" in table
    assert "2 attempts." in table
    assert 0 == main(["ledger", "--library", library, "--json", "--state", "kept"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"image", "video"} == {row["kind"] for row in rows}
    assert {"kept"} == {row["state"] for row in rows}
    assert "stored" not in table
    video = next(row for row in rows if row["kind"] == "video")
    assert (None, None) == (video["cost"], video["estimated_cost"])
    assert together_sandbox.jobs()[0]["id"] == video["job_id"]
    assert all(row["flow_run"] for row in rows)


def test_the_flow_of_the_repository_runs_as_a_command(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`flows/reconcile.py` keeps what was left behind and prints the report."""
    _leave_behind(together_sandbox)
    from prefect_together.cli.flow_command import run_as_command

    module = _flow_file()
    assert 0 == run_as_command(module.reconcile_library, module.Reconciliation.text, ["--wait", "30"])
    printed = capsys.readouterr().out
    assert "2 kept, 0 running, 0 failed, 1 undecided." in printed


def test_what_belongs_to_the_sandbox_is_not_asked_of_together(
    together_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Attempts of another environment are counted and left alone: a sandbox's job id means nothing to Together."""
    from prefect_together.engine.reconcile import reconcile as work
    from prefect_together.http.client import TogetherClient

    together_sandbox.fault(VIDEOS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        generate_video(dear_clip(seed=3))

    async def elsewhere() -> int:
        client = TogetherClient("key", "https://api.together.ai")
        try:
            return (await work(Storage(str(tmp_path / "library")), client, log=logging.getLogger())).elsewhere
        finally:
            await client.aclose()

    assert 1 == run(elsewhere())


def test_another_accounts_job_says_so(together_sandbox: Sandbox) -> None:
    """A job is only known to the account that made it: with another key it is reported, and stays accepted."""
    from pydantic import SecretStr

    together_sandbox.fault(POLL, "queued_forever")
    with pytest.raises(GenerationTimeout):
        generate_video(clip(seed=1), timeout=0.5)
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    report = reconcile(credentials=TogetherCredentials(api_key=SecretStr("another-key")))
    assert (0, 1) == (len(report.kept), len(report.running) + len(report.failed))
    assert 1 == len(reconcile(wait=10).kept)
