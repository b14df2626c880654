"""Objects by key: every promise is held by a folder and by S3 alike."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_together.batch.picture_files import pictures_in
from prefect_together.errors import InvalidRequest, LibraryError, MediaError
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.image import ImageRequest
from prefect_together.storage.opening import shared
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import Reader

from .conftest import Place

MB = 1024 * 1024


async def stream(*chunks: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    """Yield chunks, and fail then if told to."""
    for chunk in chunks:
        yield chunk
    if then:
        raise then


def left_behind(storage: Storage) -> list[str]:
    """Return the files in a folder, also those that no listing shows."""
    return [] if storage.folder is None else [str(path) for path in storage.folder.rglob("*") if path.is_file()]


async def test_what_is_written_is_read(storage: Storage) -> None:
    """Bytes come back as they were, and a second write replaces them."""
    await storage.write("a/b.bin", b"one")
    await storage.write("a/b.bin", b"two")
    assert b"two" == await storage.read("a/b.bin")
    assert 3 == await storage.size("a/b.bin")


async def test_an_empty_object_is_an_object(storage: Storage) -> None:
    """Nothing is something."""
    await storage.write("empty", b"")
    assert (b"", 0) == (await storage.read("empty"), await storage.size("empty"))


async def test_one_of_many_creates(storage: Storage) -> None:
    """Of 50 who race to create an object one wins, and its bytes stay: this is the only lock there is."""
    won = await asyncio.gather(*(storage.create("ledger/claim.json", f"racer {number}".encode()) for number in range(50)))
    assert 1 == sum(won)
    assert f"racer {won.index(True)}".encode() == await storage.read("ledger/claim.json")
    assert ["ledger/claim.json"] == await storage.names("ledger")


async def test_what_exists_is_not_created_again(storage: Storage) -> None:
    """Create never replaces, and what was deleted can be created again."""
    await storage.write("a", b"old")
    assert not await storage.create("a", b"new")
    assert b"old" == await storage.read("a")
    await storage.delete("a")
    assert await storage.create("a", b"new")


async def test_a_large_stream_is_written(storage: Storage) -> None:
    """12 MB in odd pieces arrive whole."""
    piece = os.urandom(700_001)
    await storage.write_stream("clips/large.mp4", stream(*[piece] * 18))
    assert piece * 18 == await storage.read("clips/large.mp4")
    assert ["clips/large.mp4"] == await storage.names("")


@pytest.mark.parametrize("chunks", [[], [b""], [b"x"], [b"", b"x", b""]], ids=["none", "empty", "small", "holes"])
async def test_a_small_stream_is_written(storage: Storage, chunks: list[bytes]) -> None:
    """A stream of any size is an object."""
    await storage.write_stream("small", stream(*chunks))
    assert b"".join(chunks) == await storage.read("small")


@pytest.mark.parametrize("size", [0, 1000, 6 * MB, 11 * MB], ids=["at-once", "small", "one-part", "two-parts"])
async def test_a_stream_that_raises_leaves_nothing(storage: Storage, size: int) -> None:
    """The error comes through as it is, and nobody ever sees half a file."""
    error = MediaError("The file was cut off.", retryable=True)
    with pytest.raises(MediaError) as caught:
        await storage.write_stream("clips/broken.mp4", stream(*[bytes(MB)] * (size // MB), bytes(size % MB), then=error))
    assert (error.what, error.retryable) == (caught.value.what, caught.value.retryable)
    assert [] == await storage.names("")
    assert await storage.size("clips/broken.mp4") is None
    assert [] == left_behind(storage)


async def test_a_stream_that_raises_spares_what_was_there(storage: Storage) -> None:
    """A failed replacement replaces nothing."""
    await storage.write("clip", b"old")
    with pytest.raises(KeyError):
        await storage.write_stream("clip", stream(bytes(6 * MB), then=KeyError("stop")))
    assert b"old" == await storage.read("clip")


async def test_names_are_sorted(storage: Storage) -> None:
    """A listing is in order and below its prefix alone."""
    for key in ("b/2", "a/10", "b/1", "a/9", "b/c/deep", "bb/1"):
        await storage.write(key, b"x")
    assert ["b/1", "b/2", "b/c/deep"] == await storage.names("b")
    assert ["a/10", "a/9"] == await storage.names("a")
    assert [] == await storage.names("nothing/here")


async def test_what_is_missing_is_told(storage: Storage) -> None:
    """Reading and opening say that there is nothing; asking for the size says None; deleting is done already."""
    with pytest.raises(FileNotFoundError):
        await storage.read("missing")
    with pytest.raises(FileNotFoundError):
        storage.open("missing")
    assert await storage.size("missing") is None
    await storage.delete("missing")


@pytest.mark.parametrize("key", ["../escaped", "a/../../escaped", "a/./b"])
async def test_no_key_leads_out_of_the_root(storage: Storage, key: str) -> None:
    """Keys with dots are refused before anything is written or read."""
    for attempt in (
        storage.create(key, b"x"),
        storage.write(key, b"x"),
        storage.read(key),
        storage.write_stream(key, stream(b"x")),
    ):
        with pytest.raises((ValueError, LibraryError)):
            await attempt
    assert [] == await storage.names("")
    assert storage.folder is None or not (storage.folder.parent / "escaped").exists()


async def test_an_open_object_seeks(storage: Storage) -> None:
    """Pillow and PyAV jump about in a file; it behaves as any file of Python does."""
    data = bytes(range(256)) * 8192  # 2 MB: more than one buffer
    await storage.write("clip", data)
    with storage.open("clip") as file:
        assert (True, True) == (file.readable(), file.seekable())
        assert data[:10] == file.read(10)
        assert len(data) == file.seek(0, io.SEEK_END)
        assert b"" == file.read(1)
        assert len(data) - 5 == file.seek(-5, io.SEEK_END)
        assert data[-5:] == file.read()
        assert 1_500_003 == file.seek(1_500_003)
        assert data[1_500_003:1_500_013] == file.read(10)
        assert 1_500_016 == file.seek(3, io.SEEK_CUR)
        assert 1_500_016 == file.tell()
        assert data[1_500_016:] == file.read()
        file.seek(0)
        assert data == file.read()
    assert file.closed


def test_what_is_left_of_an_object_is_one_request() -> None:
    """A clip that is read whole is asked for at once, and not in the 8 KiB pieces of Python's buffers."""
    data = bytes(range(256)) * 8192
    asked: list[tuple[int, int]] = []

    def read_range(start: int, length: int) -> bytes:
        asked.append((start, length))
        return data[start : start + length]

    with io.BufferedReader(Reader(read_range, len(data)), 1024) as file:
        assert data == file.read()
    assert [(0, len(data))] == asked


async def test_an_error_is_one_line(place: Place) -> None:
    """What a store raises over many lines becomes one that names the library and what was tried; it may pass."""
    storage = place.opened()
    if storage.folder is not None:
        storage.folder.mkdir()
        (storage.folder / "a").write_bytes(b"a file where a folder should be")
        key = "a/b"
    else:
        options = {**place.options, "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}}
        storage, key = Storage("s3://no-such-bucket-here/x", options), "a/b"
    with pytest.raises(LibraryError) as caught:
        await storage.write(key, b"x")
    message = str(caught.value)
    assert "\n" not in message
    assert "Debug source" not in message
    assert storage.url in message
    assert f"write {key}" in message
    assert caught.value.retryable


async def test_an_unreachable_store_is_an_error_of_the_library() -> None:
    """Nobody listens at the address: one line says so, for each thing that can be tried."""
    options = {
        "endpoint": "http://127.0.0.1:9",
        "access_key_id": "k",
        "secret_access_key": "s",
        "region": "us-east-1",
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    }
    storage = Storage("s3://unreachable/x", options)
    for attempt in (
        storage.create("a", b"x"),
        storage.read("a"),
        storage.size("a"),
        storage.names("a"),
        storage.delete("a"),
    ):
        with pytest.raises(LibraryError) as caught:
            await attempt
        assert "\n" not in str(caught.value)
    with pytest.raises(LibraryError):
        storage.open("a")


def test_everybody_shares_one_storage(tmp_path: Path) -> None:
    """The same address with the same options is opened once per process."""
    one = shared(str(tmp_path))
    assert one is shared(str(tmp_path), {})
    assert one is not shared(str(tmp_path / "other"))


STREAM_200_MB = """
import asyncio, os, resource, sys
from prefect_together.storage.storage import Storage

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def chunks(count):
    for _ in range(count):
        yield os.urandom(256 * 1024)

async def main():
    storage = Storage(sys.argv[1])
    await storage.write_stream("warm", chunks(4))
    before = peak()
    await storage.write_stream("large", chunks(800))
    print(peak() - before, await storage.size("large"), flush=True)
    os._exit(0)  # an interpreter that ends right after a write is sometimes aborted by obstore's threads

asyncio.run(main())
"""


def test_a_stream_is_never_held_in_memory(tmp_path: Path) -> None:
    """Writing 200 MB takes less than 60 MB of memory."""
    done: Any = subprocess.run(
        [sys.executable, "-c", STREAM_200_MB, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    grown, size = (int(number) for number in done.stdout.split())
    assert 200 * MB == size
    assert grown < 60, f"grew by {grown} MB"


def test_pictures_are_found_by_their_endings(place: Place) -> None:
    """In a folder or bucket and below it, in order of name, without what is hidden; nothing is opened."""
    storage = place.opened()
    for key in ("b.PNG", "a/c.jpg", "notes.txt", ".d.jpg", ".e/f.jpg", "jpg"):
        storage.put_file(key, io.BytesIO(b"x"))
    found = [
        storage.key(one if "://" in one else Path(one).as_uri()) for one in pictures_in(place.url, options=place.options)
    ]
    assert ["a/c.jpg", "b.PNG"] == found


def test_an_object_in_a_bucket_is_an_input(bucket: Place, tmp_path: Path) -> None:
    """It is known by its bytes, as the same file on a disk is; one that is not there is one sentence."""
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "JPEG")
    bucket.opened().put_file("fox.jpg", io.BytesIO(data.getvalue()))
    (tmp_path / "fox.jpg").write_bytes(data.getvalue())

    def known(value: str) -> str:
        asked = ImageRequest(prompt="at night", model="m", image_url=value)
        return asyncio.run(fingerprint_of(asked, environment="together"))

    assert known(str(tmp_path / "fox.jpg")) == known(f"{bucket.url}/fox.jpg")
    with pytest.raises(InvalidRequest, match=r"there is no file 's3://.*hen.jpg'"):
        known(f"{bucket.url}/hen.jpg")
