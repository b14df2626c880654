"""The page of a library: what an earlier call has read and drawn is not read and drawn again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_page import write_page

LIBRARY = Path(__file__).parents[1] / "data" / "library-0.1" / "library"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Give a library with pictures, clips and a film that nobody has written a page of."""
    copied = tmp_path / "library"
    shutil.copytree(LIBRARY, copied, ignore=shutil.ignore_patterns("gallery"))
    for path in copied.rglob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace("/@LIBRARY@", str(copied)), encoding="utf-8")
    return copied


async def test_only_what_is_new_is_read(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call reads no entry of the ledger and makes no small picture again."""
    pytest.importorskip("PIL", reason="small pictures need Pillow")
    storage, read = Storage(str(library)), list[str]()
    real = storage.read

    async def reading(key: str) -> bytes:
        read.append(key)
        return await real(key)

    def smalls() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (library / "gallery" / "small").iterdir()}

    monkeypatch.setattr(storage, "read", reading)
    await write_page(storage)
    assert any(key.startswith("ledger/") for key in read)
    drawn = smalls()
    assert drawn
    read.clear()
    await write_page(storage)
    assert ["gallery/index.json"] == read
    assert drawn == smalls()


async def test_a_library_has_one_title(tmp_path: Path) -> None:
    """What it is called stays until somebody calls it something else, whoever writes the page in between."""
    storage = Storage(str(tmp_path))

    async def titled(title: str | None = None) -> str:
        await write_page(storage, title=title)
        return (await storage.read("gallery.html")).decode().partition('"title":"')[2].partition('"')[0]

    assert "Gallery" == await titled()
    assert "Films of November" == await titled("Films of November")
    assert "Films of November" == await titled()
    assert "Winter" == await titled("Winter")
