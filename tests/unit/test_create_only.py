"""One of all who create an object wins, on file systems without hard links too; where nothing can tell, nothing is begun."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage import create_only
from prefect_together.storage.storage import Storage

_RACE = """
import asyncio, os, sys
from prefect_together.storage import create_only
from prefect_together.storage.storage import Storage
def refuse(*_, **__): raise OSError(1, "no links here")
os.link = refuse
async def main(storage, me):
    print(sum([await storage.create(f"ledger/{number}", me.encode() * 500) for number in range(300)]))
asyncio.run(main(Storage(sys.argv[1]), sys.argv[2]))
"""


def refusing(number: int) -> Callable[..., NoReturn]:
    """Return a system call that fails, such as on a file system without hard links."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture(params=["EPERM", "ENOTSUP", "ENOSYS", "EINVAL", "missing"])
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take hard links away, as exFAT, SMB, FUSE and Python on some systems do."""
    if request.param == "missing":
        monkeypatch.delattr(os, "link")
    else:
        monkeypatch.setattr(os, "link", refusing(getattr(errno, request.param)))


async def test_a_name_is_given_once(without_links: None, tmp_path: Path) -> None:
    """The first writer wins and its bytes stay; of the losers, and of the look at what the disk can do, nothing is left."""
    storage = Storage(str(tmp_path / "library"))
    won = await asyncio.gather(*(storage.create("ledger/a", str(number).encode()) for number in range(10)))
    assert 1 == sum(won)
    assert str(won.index(True)).encode() == await storage.read("ledger/a")
    assert ["ledger/a"] == [
        path.relative_to(tmp_path / "library").as_posix() for path in (tmp_path / "library").rglob("*") if path.is_file()
    ]


def test_processes_race(tmp_path: Path) -> None:
    """Of four processes that create the same 300 objects without hard links, each object has one winner, and is whole."""
    running = [
        subprocess.Popen([sys.executable, "-c", _RACE, str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in ("aa", "bb", "cc", "dd")
    ]
    assert 300 == sum(int(process.communicate(timeout=120)[0]) for process in running)
    for path in (tmp_path / "ledger").iterdir():
        data = path.read_text(encoding="utf-8")
        assert (1000, 1) == (len(data), len(set(data)))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
async def test_without_any_way(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where renaming cannot fail for a name that is taken either, the first write says what is missing."""
    monkeypatch.setattr(create_only, "rename", refusing(number))
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    storage = Storage(str(tmp_path))
    with pytest.raises(ConfigurationError, match="has neither hard links nor a rename that fails"):
        await storage.create("ledger/a", b"1")
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a small folder


async def test_a_flag_that_is_not_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that replaces in spite of being told not to is found out before anything depends on it."""
    monkeypatch.setattr(create_only, "rename", os.replace)
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    with pytest.raises(ConfigurationError, match="nobody could tell which one pays"):
        await Storage(str(tmp_path)).create("ledger/a", b"1")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        pytest.param(errno.EACCES, "permission", id="EACCES"),
        pytest.param(errno.EROFS, "read-only", id="EROFS"),
        pytest.param(errno.ENOSPC, "room", id="ENOSPC"),
        pytest.param(errno.EDQUOT, "quota", id="EDQUOT"),
    ],
)
async def test_the_advice_is_for_the_reason(
    number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is said: a permission, room, or a mount for writing; it is no reason to look for another way."""
    monkeypatch.setattr(os, "link", refusing(number))
    with pytest.raises(LibraryError, match=os.strerror(number)) as caught:
        await Storage(str(tmp_path)).create("ledger/a", b"1")
    assert advice in caught.value.advice
