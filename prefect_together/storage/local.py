"""Small objects in a folder of this machine, by plain system calls. Knows nothing of what they hold.

A ledger entry takes a tenth of the CPU that it takes through an object store's interface, and a batch writes three of them
for every picture.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from prefect_together.errors import ConfigurationError
from prefect_together.storage import create_only, drafts

LARGEST = 1024 * 1024
"""Bytes that are written or read at once on the event loop at most."""
_SLOW = 0.002  # seconds: a disk that keeps taking longer for an operation is left to threads
_FOR = 5.0  # seconds for which it is, until it is tried again
_PROOF = 6  # so many more slow operations than quick ones: a busy machine makes a quick disk look slow now and then

_T = TypeVar("_T")


class Folder:
    """A folder whose files appear whole or not at all.

    Operations run where they are called while the disk answers at once, which a local one does in microseconds. A network
    share or a busy disk, which would hold up everything else on the event loop, is left to threads.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._appear: create_only.Appear = create_only.link
        self._slow = 0
        self._threads_until = 0.0

    async def create(self, key: str, data: bytes) -> bool:
        """Write a new file; of all who try, on whatever machine, one wins. Return whether it was this one."""
        return await self._do(len(data), lambda: self._put(key, data, self._claim_name))

    async def write(self, key: str, data: bytes) -> None:
        """Write a file, replacing what was there."""
        await self._do(len(data), lambda: self._put(key, data, drafts.replace))

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a file of any size; it appears whole when the stream ends, and not at all when the stream raises."""
        await drafts.write_stream(f"{self._root}/{key}", chunks)

    async def read(self, key: str) -> bytes:
        """Return a file's bytes, or raise FileNotFoundError."""
        return await self._do(0, lambda: _read(f"{self._root}/{key}"))

    async def delete(self, key: str) -> None:
        """Remove a file, or raise FileNotFoundError."""
        await self._do(0, lambda: Path(self._root, key).unlink())

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove many files, also where some are not there, and the folders that are empty then."""

        def unlink() -> None:
            for key in keys:
                with suppress(FileNotFoundError):
                    os.unlink(f"{self._root}/{key}")
            for folder in {key.rpartition("/")[0] for key in keys}:
                with suppress(OSError):
                    os.rmdir(f"{self._root}/{folder}")

        await asyncio.to_thread(unlink)

    async def size(self, key: str) -> int | None:
        """Return a file's size in bytes, or None where there is none."""

        def look() -> int | None:
            try:
                return os.stat(f"{self._root}/{key}").st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

        return await self._do(0, look)

    async def read_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of many files; None of those that are not there."""

        def read() -> list[bytes | None]:
            found: list[bytes | None] = []
            for key in keys:
                try:
                    found.append(_read(f"{self._root}/{key}"))
                except FileNotFoundError:  # noqa: PERF203 - it is rare, and the others are read on
                    found.append(None)
            return found

        return await asyncio.to_thread(read)

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return some of a file's bytes, or raise FileNotFoundError."""

        def read() -> bytes:
            with open(f"{self._root}/{key}", "rb", buffering=0) as file:
                file.seek(start)
                return file.read(length)

        return await self._do(length, read)

    async def listing(self, prefix: str, begin: str, timed: str | None) -> list[tuple[str, float]]:
        """Return the keys of the files in a folder's folders; see ``Storage.listing``."""

        def look() -> list[tuple[str, float]]:
            found: list[tuple[str, float]] = []
            for folder in self._within(prefix, begin):
                with suppress(FileNotFoundError, NotADirectoryError):  # somebody may be deleting from it meanwhile
                    path = f"{self._root}/{prefix}/{folder}"
                    for name in os.listdir(path):
                        if "#" not in name:  # what is not there yet, see `_put`
                            with suppress(FileNotFoundError):
                                at = os.stat(f"{path}/{name}").st_mtime if timed and name.endswith(timed) else 0.0
                                found.append((f"{prefix}/{folder}/{name}", at))
            return found

        # A folder of thousands takes long enough to hold up the event loop.
        return await asyncio.to_thread(look)

    def _within(self, prefix: str, begin: str) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(f"{self._root}/{prefix}") as found:
            return [entry.name for entry in found if entry.name.startswith(begin) and entry.is_dir()]
        return []

    async def children(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files in a folder, sorted; of one that is not there, none."""

        def look() -> tuple[list[str], list[str]]:
            folders, files = list[str](), list[str]()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(f"{self._root}/{prefix}") as found:
                for entry in found:
                    if "#" not in entry.name:  # what is not there yet, see `_put`
                        (folders if entry.is_dir() else files).append(entry.name)
            return sorted(folders), sorted(files)

        return await self._do(0, look)

    async def _do(self, size: int, work: Callable[[], _T]) -> _T:
        began = time.monotonic()
        if size > LARGEST or began < self._threads_until:
            return await asyncio.to_thread(work)
        try:
            return work()
        finally:
            ended = time.monotonic()
            self._slow = max(0, self._slow + (1 if ended - began > _SLOW else -1))
            if self._slow >= _PROOF:
                self._slow, self._threads_until = 0, ended + _FOR

    def _claim_name(self, draft: str, path: str) -> bool:
        """Let a draft appear under a name that nobody has; return whether nobody had it."""
        appear = self._appear  # another thread may find another way meanwhile
        try:
            appear(draft, path)
        except FileExistsError:
            with suppress(OSError):
                os.unlink(draft)
            return False
        except OSError as error:
            if appear is not create_only.link or error.errno not in create_only.UNABLE:
                raise
            self._prove_rename()
            self._appear = create_only.rename
            return self._claim_name(draft, path)
        return True

    def _prove_rename(self) -> None:
        """See to it that renaming fails where a name is taken: some file systems know the flag and do not heed it.

        Raises:
            ConfigurationError: It does not, or cannot be done.
        """
        probes = [f"{self._root}/probe-{random.getrandbits(62)}#{number}" for number in range(2)]
        try:
            for probe in probes:
                os.close(os.open(probe, drafts.NEW, 0o666))
            create_only.rename(*probes)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in create_only.UNABLE:
                raise
        finally:
            for probe in probes:
                with suppress(OSError):
                    os.unlink(probe)
        raise ConfigurationError(
            f"The file system of {self._root} has neither hard links nor a rename that fails where a name is taken, so of "
            "two processes that ask for the same nobody could tell which one pays: choose a folder on another file system "
            "(a local disk, NFS), or a bucket."
        )

    def _put(self, key: str, data: bytes, appear: Callable[[str, str], bool]) -> bool:
        path = f"{self._root}/{key}"
        draft = drafts.name(path)
        file = drafts.open_new(draft)
        try:
            try:
                drafts.write(file, data)
            finally:
                os.close(file)
            return appear(draft, path)
        except BaseException:  # interrupted as well: what did not appear must not lie around
            with suppress(OSError):
                os.unlink(draft)
            raise


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # read whole at once, so a buffer would only cost
        return file.read()


def any_file(folder: Path) -> bool:
    """Tell whether there is any file in a folder, or in one below it."""
    return any(files for _, _, files in os.walk(folder))
