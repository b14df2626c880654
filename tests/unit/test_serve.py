"""`prefect-together serve`: the gallery, pictures and clips of a library over HTTP, in parts too, and nothing else of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from prefect_together._internal.event_loop import run
from prefect_together.cli.media_server import MediaServer
from prefect_together.generations.kept_file import KeptFile
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.storage.storage import Storage
from prefect_together.ui.links import link

from .conftest import Place

CLIP = "videos/2026-11-27/a fox #1-ü.mp4"
BYTES = bytes(range(200))
SECRETS = (
    "ledger/format.json", "batches/unnamed/2026-11-27/run.jsonl", "derived/join-1.json", "gallery/index.json",
    "images/2026-11-27/fox.png.json", "images/2026-11-27/fox.png#4711", "notes.txt", "fox.png",
)  # fmt: skip


async def _fill(storage: Storage) -> None:
    for key in (CLIP, *SECRETS):
        await storage.write(key, BYTES)
    await storage.write("ledger/format.json", b"{}")


class _Client:
    """Ask the application, without a port."""

    def __init__(self, storage: Storage, host: str = "127.0.0.1:8585") -> None:
        self._app, self._base = MediaServer(storage).app(), f"http://{host}"

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def asking() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=self._base) as client:
                return await client.get(path, headers=headers)

        return asyncio.run(asking())


@pytest.fixture
def storage(place: Place) -> Storage:
    """Return a library in a folder or a bucket with a clip and all that is nobody's business."""
    found = place.opened()
    run(_fill(found))
    return found


def _get(client: _Client, key: str, **headers: str) -> httpx.Response:
    """Ask for a file, and for what it leads to in a bucket."""
    path = key.replace("#", "%23")
    found = client.get(f"/{path}", headers=headers)
    if found.status_code == 307:
        return httpx.get(found.headers["location"], headers=headers, trust_env=False)
    return found


def test_a_clip_comes_whole_and_in_parts(storage: Storage) -> None:
    """A player gets the file, and the part of it to which somebody seeks; of a bucket, by a signed link."""
    client = _Client(storage)
    whole, part = _get(client, CLIP), _get(client, CLIP, Range="bytes=50-59")
    assert (200, BYTES) == (whole.status_code, whole.content)
    assert (206, BYTES[50:60], "bytes 50-59/200") == (part.status_code, part.content, part.headers["content-range"])
    if storage.folder:
        assert "video/mp4" == whole.headers["content-type"]
        assert 416 == _get(client, CLIP, Range="bytes=900-").status_code


@pytest.mark.parametrize(
    "key", [*SECRETS, "images/../ledger/format.png", "images/%2e%2e/fox.png", "images//fox.png", "images"]
)
def test_nothing_else_is_served(storage: Storage, key: str) -> None:
    """Neither ledger nor notes, tables, drafts, strange places: 404, and not a byte of them."""
    found = _get(_Client(storage), key)
    assert 404 == found.status_code
    assert BYTES not in found.content


def test_a_missing_file_names_the_library(storage: Storage) -> None:
    """Who follows a link into another library reads so."""
    found = _get(_Client(storage), "videos/2026-11-27/gone.mp4")
    assert 404 == found.status_code
    assert "Is it kept in another one?" in found.text


@pytest.mark.skipif(os.name != "posix", reason="symlinks")
def test_a_symlink_leads_nowhere_else(tmp_path: Path) -> None:
    """A file that is a link out of its folder is not served; a folder that is one is."""
    library, other = tmp_path / "library", tmp_path / "disk"
    for folder in (library / "images", other):
        folder.mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(BYTES)
    (library / "images" / "a.png").symlink_to(tmp_path / "secret.png")
    (library / "videos").symlink_to(other)
    (other / "b.mp4").write_bytes(BYTES)
    client = _Client(Storage(str(library)))
    assert [404, 200] == [client.get(path).status_code for path in ("/images/a.png", "/videos/b.mp4")]


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:1", 200), ("[::1]:1", 200), ("evil.example", 421), ("10.0.0.1", 421)]
)
def test_only_this_machine_is_answered(tmp_path: Path, host: str, status: int) -> None:
    """A page of the web whose name was made to lead here reads nothing."""
    storage = Storage(str(tmp_path))
    run(_fill(storage))
    assert status == _Client(storage).get("/gallery.html", headers={"host": host}).status_code


def test_the_page_is_always_new(storage: Storage) -> None:
    """The page is written when it is looked at, and may show what a bucket sends."""
    client = _Client(storage)
    assert "/gallery.html" == client.get("/").headers["location"]
    page = client.get("/gallery.html")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.text.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert (storage.folder is None) == ("http://127.0.0.1:" in policy), policy


def test_pages_of_a_large_gallery_are_served(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that the page names come from here, as the page allows none from a bucket; what was read is nobody's business."""
    monkeypatch.setattr("prefect_together.ui.gallery_tiles.FEW", 2)
    ledger = Ledger(storage)
    for number in range(4):
        run(
            ledger.record(
                Attempt(f"{number:040x}", "any", 1), "claimed", {"kind": "chat", "model": "m", "title": f"question {number}"}
            )
        )
    client = _Client(storage)
    policy = client.get("/gallery.html").text.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert "script-src 'unsafe-inline' file: 'self'" in policy
    keys = sorted(key for key, _ in run(storage.listing("gallery/pages")))
    assert 2 == len(keys)
    for key in keys:
        found = client.get(f"/{key}")
        assert (200, "text/javascript") == (found.status_code, found.headers["content-type"].partition(";")[0])
    assert "question 3" in client.get(f"/{keys[0]}").text
    for key in (*run(storage.names("gallery/tiles")), "gallery/pages/000/000009-gone.js", "gallery/other.js"):
        assert 404 == client.get(f"/{key}").status_code, key


def test_a_page_that_takes_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large library, the page that is there is shown while it is written anew; where there is none, that is waited for."""
    written = threading.Event()

    async def slow(storage: Storage) -> str:
        await asyncio.to_thread(written.wait, 60)
        await storage.write("gallery.html", b"new")
        return ""

    monkeypatch.setattr("prefect_together.cli.media_server.write_page", slow)
    monkeypatch.setattr("prefect_together.cli.media_server._PATIENCE", 0.05)
    storage = Storage(str(tmp_path))
    run(_fill(storage))

    async def asking() -> list[str]:
        transport = httpx.ASGITransport(MediaServer(storage).app())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            first = asyncio.create_task(client.get("/gallery.html"))
            await asyncio.sleep(0.3)
            assert not first.done()
            await storage.write("gallery.html", b"old")
            second = await client.get("/gallery.html")
            written.set()
            return [second.text, (await first).text]

    assert ["old", "new"] == asyncio.run(asking())


def _clip(uri: str) -> KeptFile:
    return KeptFile(uri=uri, sha256="0" * 64, size=200, media_type="video/mp4", created_at="2026-11-27T10:00:00Z")  # type: ignore[arg-type]


def test_links_are_where_the_setting_says(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting there is no link; with it, one that the server answers; none for what it would not serve."""
    clip = _clip(storage.uri(CLIP))
    assert link(clip) is None
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_MEDIA_URL", "http://127.0.0.1:8585/")
    assert link(_clip(storage.uri("notes.txt"))) is None
    found = link(clip)
    assert "[Play ↗](http://127.0.0.1:8585/videos/2026-11-27/a%20fox%20%231-%C3%BC.mp4)" == found
    path = str(found).removeprefix("[Play ↗](http://127.0.0.1:8585").removesuffix(")")
    assert _Client(storage).get(path).status_code in {200, 307}


@contextmanager
def _command(*arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "prefect_together.cli", "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_the_command_serves_until_it_is_ended(tmp_path: Path) -> None:
    """It says where it answers and which setting makes cards link there; a second one on the port says that it is taken."""
    storage = Storage(str(tmp_path / "library"))
    run(_fill(storage))
    with _command("--library", storage.url, "--port", "0") as process:
        assert process.stdout
        page, setting = process.stdout.readline().strip(), process.stdout.readline().strip()
        base = page.removesuffix("/gallery.html")
        assert f"export PREFECT_INTEGRATIONS_TOGETHER_MEDIA_URL={base}" == setting
        assert 200 == httpx.get(page, trust_env=False, timeout=30).status_code
        with _command("--library", storage.url, "--port", base.rpartition(":")[2]) as second:
            assert "Is it running already?" in second.communicate(timeout=60)[1]
            assert 2 == second.returncode
        process.terminate()
        assert "" == process.communicate(timeout=60)[1]
