"""Small objects in a folder: whole or not at all, by whoever comes first, and never in the way of the event loop for long."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from prefect_together.storage import drafts, local
from prefect_together.storage.local import LARGEST, Folder
from prefect_together.storage.storage import Storage


def files(folder: Path) -> list[Path]:
    """Return the files in a folder, also those that no listing shows."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_of_many_threads_one_creates(tmp_path: Path) -> None:
    """Fifty threads race for each of twenty names in folders that nobody has made: one wins each, and its bytes stay."""

    def race(racer: int) -> list[bool]:
        async def run() -> list[bool]:
            folder = Folder(tmp_path)
            return [await folder.create(f"deep/{name}/claim", b"%d" % racer) for name in range(20)]

        return asyncio.run(run())

    with ThreadPoolExecutor(50) as pool:
        won = list(pool.map(race, range(50)))
    for name in range(20):
        winners = [racer for racer in range(50) if won[racer][name]]
        assert 1 == len(winners)
        assert b"%d" % winners[0] == (tmp_path / f"deep/{name}/claim").read_bytes()
    assert 20 == len(files(tmp_path))


@pytest.mark.parametrize("appear", ["create", "write"])
async def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appear: str) -> None:
    """A disk that takes half of the bytes and then no more: an error, and no trace."""
    real = os.write

    def fill(file: int, data: bytes) -> int:
        if len(data) <= 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data[:50])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(OSError, match="No space"):
        await getattr(Folder(tmp_path), appear)("a/b", bytes(100))
    monkeypatch.undo()
    assert [] == files(tmp_path)


async def test_a_disk_that_takes_little_at_a_time_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may take fewer bytes than it was given."""
    real = os.write

    def little(file: int, data: bytes) -> int:
        return real(file, data[:7])

    monkeypatch.setattr(os, "write", little)
    data = os.urandom(1000)
    await Folder(tmp_path).write("a", data)
    assert data == (tmp_path / "a").read_bytes()


async def test_a_slow_disk_does_not_hold_up_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten milliseconds for an operation: after a few the loop leaves them to threads, and many run at once."""
    now, threads, two = [1000.0], set[int](), threading.Barrier(2, timeout=60)
    real = os.open

    def slowly(*arguments: object) -> int:
        threads.add(threading.get_ident())
        now[0] += 0.01
        if threading.current_thread() is not threading.main_thread():
            two.wait()  # for another operation that has begun as well
        return real(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(os, "open", slowly)
    monkeypatch.setattr(local, "time", SimpleNamespace(monotonic=lambda: now[0]))
    folder = Folder(tmp_path)
    for number in range(6):
        await folder.write(f"{number}", b"x")
    threads.clear()
    await asyncio.gather(*(folder.write(f"more-{number}", b"x") for number in range(20)))
    assert threading.get_ident() not in threads
    assert len(threads) > 1


async def test_a_quick_disk_needs_no_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small objects are written where they are asked for, large ones never."""
    threads = list[int]()
    real = os.open

    def noted(*arguments: object) -> int:
        threads.append(threading.get_ident())
        return real(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(os, "open", noted)
    folder = Folder(tmp_path)
    await folder.create("small", b"x")
    await folder.write("large", bytes(LARGEST + 1))
    assert threading.get_ident() == threads[0]
    assert threading.get_ident() != threads[1]
    assert LARGEST + 1 == await folder.size("large")


async def test_what_a_kill_left_half_written_is_nothing(tmp_path: Path) -> None:
    """A draft that nobody finished is in no listing and in nobody's way."""
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "claim.json#4611686018427387904").write_bytes(b"{")
    storage = Storage(str(tmp_path))
    assert [] == await storage.names("ledger")
    assert await storage.create("ledger/claim.json", b"{}")
    assert ["ledger/claim.json"] == await storage.names("ledger")


async def test_a_stream_that_is_cut_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while a piece is being written: the piece is written to its end, and then the file is closed and removed."""
    written, writing, cut_off = list[int](), threading.Event(), threading.Event()

    def slowly(file: int, data: bytes) -> None:
        writing.set()
        cut_off.wait(10)
        written.append(os.write(file, data))

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024 * 1024)

    monkeypatch.setattr(drafts, "write", slowly)
    task = asyncio.create_task(Folder(tmp_path).write_stream("clips/a.mp4", chunks()))
    await asyncio.to_thread(writing.wait)
    task.cancel()
    await asyncio.sleep(0)
    cut_off.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [1024 * 1024] == written
    assert [] == files(tmp_path)
