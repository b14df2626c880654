"""How a whole file appears under a name that nobody has: of all who try, on whatever machine, one wins.

A hard link does it wherever there are hard links. exFAT, FAT, many SMB shares and FUSE mounts have none; there it is the
rename that fails where the name is taken, which Linux, macOS and Windows each have under another name.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache

UNABLE = frozenset({errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK})
"""What a file system answers to what it cannot do, whoever asks; a missing permission is EACCES, or EROFS."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCL = 4  # sys/stdio.h of macOS

Appear = Callable[[str, str], None]
"""Gives a file a new name; raises FileExistsError where it is taken, and then the file is where it was."""


def link(draft: str, path: str) -> None:
    """Let a draft appear as a second name, and take its first one away."""
    make_link = getattr(os, "link", None)  # some systems have none
    if make_link is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    make_link(draft, path)
    with suppress(OSError):
        os.unlink(draft)  # noqa: PTH108 - quick


def rename(draft: str, path: str) -> None:
    """Let a draft change its name, unless the new one is taken."""
    if sys.platform == "win32":
        os.rename(draft, path)  # noqa: PTH104 - fails there where the name is taken
        return
    if _rename_exclusively()(os.fsencode(draft), os.fsencode(path)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), draft, None, path)


@cache
def _rename_exclusively() -> Callable[[bytes, bytes], int]:
    libc = ctypes.CDLL(None, use_errno=True)
    if exclusive := getattr(libc, "renameat2", None):
        return lambda draft, path: exclusive(_AT_FDCWD, draft, _AT_FDCWD, path, _RENAME_NOREPLACE)
    if exclusive := getattr(libc, "renamex_np", None):
        return lambda draft, path: exclusive(draft, path, _RENAME_EXCL)
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
