"""State: a sandbox that is killed and started again knows its jobs, charges and files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from prefect_together import sandbox

from .asking import IMAGES, VIDEOS, difference, frames, image_body, picture, pictures, video_body

KEY = {"Authorization": "Bearer k"}


@contextlib.contextmanager
def own_process(state: Path) -> Generator[tuple[str, subprocess.Popen[str]], None, None]:
    """Run a sandbox in a process of its own; yield its address and the process."""
    code = f"from prefect_together import sandbox; sandbox.run(port=0, render_seconds=0, state={str(state)!r})"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address, key = process.stdout.readline(), process.stdout.readline()
            assert address.startswith("export TOGETHER_BASE_URL=http://127.0.0.1:"), address
            assert "export TOGETHER_API_KEY=sandbox-key\n" == key
            yield address.strip().partition("=")[2], process
        finally:
            process.kill()


def test_a_killed_sandbox_comes_back_with_everything(tmp_path: Path) -> None:
    """Jobs, charges and files survive `kill -9`; links are those of the new ports, old contents behind them."""
    with own_process(tmp_path) as (url, process), httpx.Client(base_url=url, headers=KEY, follow_redirects=True) as client:
        still = client.post(IMAGES, json=image_body(width=320, height=176)).json()["data"][0]["url"]
        before = client.get(still).content
        media = {"frame_images": [{"input_image": still}]}
        job = client.post(VIDEOS, json=video_body(height=176, media=media)).json()
        old = client.get(f"{VIDEOS}/{job['id']}").json()["outputs"]["video_url"]
        charges = client.get("/sandbox/charges").json()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with sandbox.serve(render_seconds=0, state=tmp_path) as again:
        new = httpx.get(f"{again.url}{VIDEOS}/{job['id']}", headers=KEY).json()["outputs"]["video_url"]
        assert new.startswith(again.files_url)
        assert httpx.URL(old).path == httpx.URL(new).path
        assert charges == httpx.get(f"{again.url}/sandbox/charges").json()
        assert before == httpx.get(f"{again.files_url}{httpx.URL(still).path}", follow_redirects=True).content
        shown = frames(httpx.get(new, follow_redirects=True).content)
        assert difference(picture(before), shown[0]) < 6


def test_an_unfinished_job_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A job's time is counted from its creation, not from the restart."""
    with sandbox.serve(render_seconds=0.5, state=tmp_path) as first:
        job = httpx.post(f"{first.url}{VIDEOS}", json=video_body(), headers=KEY).json()
    with sandbox.serve(render_seconds=60, state=tmp_path) as second:
        status = ""
        while status != "completed":
            status = httpx.get(f"{second.url}{VIDEOS}/{job['id']}", headers=KEY).json()["status"]
            assert status in ("queued", "in_progress", "completed")


def test_a_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    """A power failure in the middle of a write does not keep the sandbox from starting."""
    with sandbox.serve(state=tmp_path) as first:
        httpx.post(f"{first.url}{IMAGES}", json=image_body(), headers=KEY)
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"entry": "char')
    for count in (1, 2):
        with sandbox.serve(state=tmp_path) as again:
            assert count == len(again.charges())
            httpx.post(f"{again.url}{IMAGES}", json=image_body(), headers=KEY)


def test_a_reset_empties_the_folder_too(tmp_path: Path) -> None:
    """After a reset a restart finds nothing."""
    with (
        sandbox.serve(state=tmp_path, render_seconds=0) as first,
        httpx.Client(base_url=first.url, headers=KEY) as client,
    ):
        drawn = pictures(client)
        assert drawn
        first.reset()
        assert ([], [], []) == (first.charges(), first.jobs(), first.requests())
    with sandbox.serve(state=tmp_path) as again:
        assert [] == again.charges()


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State is only kept where it was asked for."""
    monkeypatch.chdir(tmp_path)
    with sandbox.serve() as first:
        httpx.post(f"{first.url}{IMAGES}", json=image_body(), headers=KEY)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="signals work differently on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with status 0 and without a traceback."""
    with own_process(tmp_path) as (_, process):
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
        assert (0, "") == (process.returncode, err)
