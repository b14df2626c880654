"""Who writes a gallery is killed before any of its writes: the page that is there names only what is there, and the next is whole."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_page import write_page
from tests.forking import run
from tests.unit.test_gallery_pages import few, fill, shown

__all__ = ["few"]

OLD, ALL = 18, 40
"""How many tiles the gallery has before, and after."""
KILLED = """
import asyncio, itertools, os, signal, sys

import prefect_together._internal.sorted_lines as sorted_lines
from prefect_together.storage.storage import Storage
from prefect_together.ui import gallery_pages, gallery_tiles
from prefect_together.ui.gallery_page import write_page

gallery_tiles.FEW, gallery_pages._TILES, gallery_pages._AT_ONCE, sorted_lines._HELD = 6, 4, 2, 3000
count = itertools.count(1)

def before(method):
    async def called(self, *given, **more):
        if next(count) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return await method(self, *given, **more)
    return called

Storage.write, Storage.remove = before(Storage.write), before(Storage.remove)
asyncio.run(write_page(Storage(sys.argv[1])))
"""


async def test_killed_before_any_write(tmp_path: Path) -> None:
    """Each time: what a browser shows is the gallery of before or the new one, and writing it again makes it whole."""
    before, after = ([f"question {number}" for number in reversed(range(count))] for count in (OLD, ALL))
    origin = Storage(str(tmp_path / "origin"))
    await fill(origin, range(OLD))
    await write_page(origin)
    await fill(origin, range(OLD, ALL))
    seen = list[bool]()
    while True:
        folder = tmp_path / f"killed-{len(seen)}"
        shutil.copytree(tmp_path / "origin", folder)
        done = run(["-c", KILLED, str(folder), str(len(seen) + 1)])
        storage = Storage(str(folder))
        found = await shown(storage)
        assert found in (before, after)
        if not done.returncode:
            break
        assert -signal.SIGKILL == done.returncode, done.stderr
        seen.append(found == after)
        await write_page(storage)
        assert after == await shown(storage)
    assert found == after
    assert {True, False} == set(seen)
    assert len(seen) > 8
