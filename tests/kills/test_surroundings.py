"""What a library stands on gives way: no room, no permission. Nothing is paid for in vain, and nothing paid is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import DEAR, FILE, PICTURE, TINY, VIDEOS, job
from .running import Workshop

pytestmark = pytest.mark.slow

Remount = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Remount]]:
    """Yield a small disk, and what gives it other options, such as ``size=64m`` or ``ro``."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield folder, remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_during_the_download(disk: tuple[Path, Remount], together: Sandbox, workers: Workshop) -> None:
    """An error that says so and no half file; when there is room again, the clip is fetched and not paid for."""
    folder, remount = disk
    together.fault(FILE, "huge", bytes=8_000_000)
    told = job(together, folder, {**DEAR, "seed": 7}, patience=1.0)
    said = workers.start(told).ends()
    assert ("LibraryError", True) == (said["outcome"], said["retryable"])
    assert "room" in said["message"]
    assert [] == _media(folder)
    remount("size=64m")
    files = workers.start(told).stored()
    assert 1 == len(_media(folder))
    assert Path(files[0]["uri"].removeprefix("file://")).stat().st_size == files[0]["size"]
    assert 1 == len(together.charges())


def test_a_disk_that_is_full_from_the_start(disk: tuple[Path, Remount], together: Sandbox, workers: Workshop) -> None:
    """Where no claim can be written, nothing is sent."""
    folder, _ = disk
    _fill(folder)
    said = workers.start(job(together, folder, {**PICTURE, "seed": 7}, patience=1.0)).ends()
    assert ("LibraryError", "nothing") == (said["outcome"], said["paid"])
    assert 0 == len(together.requests())


def test_a_disk_that_is_full_when_the_answer_comes(disk: tuple[Path, Remount], together: Sandbox, workers: Workshop) -> None:
    """What was paid for is recorded as soon as there is room: the job is not forgotten."""
    folder, remount = disk
    together.fault(VIDEOS, "accept_then_delay", seconds=1)
    worker = workers.start(job(together, folder, {**DEAR, "seed": 7}, patience=30.0))
    until("it is charged", together.charges)
    _fill(folder)
    until("it asks for room", lambda: len([r for r in together.requests() if r.status == 200]) == 1)
    remount("size=64m")
    assert 1 == len(worker.stored())
    assert 1 == len(together.charges())


def test_a_disk_that_stays_full_says_which_job_was_paid_for(
    disk: tuple[Path, Remount], together: Sandbox, workers: Workshop
) -> None:
    """The error names the job that could not be recorded, and nothing is paid again."""
    folder, remount = disk
    together.fault(VIDEOS, "accept_then_delay", seconds=1)
    told = job(together, folder, {**DEAR, "seed": 7}, patience=1.0)
    worker = workers.start(told)
    until("it is charged", together.charges)
    _fill(folder)
    said = worker.ends()
    assert ("LibraryError", "yes", False) == (said["outcome"], said["paid"], said["retryable"])
    assert together.jobs()[0]["id"] in said["message"]
    remount("size=64m")
    assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert 1 == len(together.charges())


@pytest.mark.parametrize("request_", [PICTURE, TINY], ids=["picture", "clip"])
def test_a_library_that_cannot_be_written(
    request_: dict[str, object], disk: tuple[Path, Remount], together: Sandbox, workers: Workshop
) -> None:
    """Nothing is sent; what is kept there already is still found."""
    folder, remount = disk
    workers.start(job(together, folder, {**request_, "seed": 1})).stored()
    sent = len(together.requests())
    remount("ro")
    said = workers.start(job(together, folder, {**request_, "seed": 2})).ends()
    assert ("LibraryError", "nothing") == (said["outcome"], said["paid"])
    assert "could not write" in said["message"]
    assert "read-only" in said["message"]
    assert [True] == [file["reused"] for file in workers.start(job(together, folder, {**request_, "seed": 1})).stored()]
    assert sent == len(together.requests())


@pytest.mark.parametrize("point", ["downloading", "after-file"])
def test_what_a_killed_process_leaves_is_no_half_file(
    point: str, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Whatever has the name of a clip is a whole clip."""
    told = job(together, library, {**DEAR, "seed": 7})
    assert point == workers.start({**told, "kill": point}).ends()["at"]
    file = workers.start(told).stored()[0]
    assert {file["size"]} == {path.stat().st_size for path in _media(library) if path.suffix == ".mp4"}


def _fill(folder: Path) -> None:
    """Leave no room, neither for bytes nor for new files."""
    try:
        with (folder / "filler").open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
    except OSError:
        return


def _media(folder: Path) -> list[Path]:
    return [
        path for path in folder.rglob("*")
        if path.is_file() and path.name != "filler" and "ledger" not in path.relative_to(folder).parts
    ]  # fmt: skip
