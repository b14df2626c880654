"""What stores and disks raise, as one error that says what to do."""

from __future__ import annotations

import errno
import re
import time
from typing import NoReturn

from obstore.exceptions import BaseError

from prefect_together.errors import LibraryError
from prefect_together.storage.busy import is_busy, status_of

_NO_NAMES = frozenset({"", ".", ".."})
_ADVICE = {
    errno.ENOSPC: "Make room there.",
    errno.EDQUOT: "Make room there: the quota is used up.",
    errno.EROFS: "It is mounted read-only: mount it for writing, or choose another library.",
    errno.EACCES: "Give this user the permission to read and write there.",
    errno.EPERM: "Look at what its file system allows, and at the permissions there.",
    errno.ENAMETOOLONG: "Choose a shorter name or path.",
    errno.EISDIR: "There is a folder of that name: choose another name.",
    errno.ENOTDIR: "What should be a folder on the way is a file: choose another place.",
    errno.EEXIST: "What should be a folder on the way is a file: choose another place.",
    errno.EMFILE: "Allow this process more open files (ulimit -n), or lower the concurrency.",
}
_STATUS_ADVICE = {
    401: "Look at its credentials.",
    403: "Look at its credentials, and at what they allow: reading, writing, listing and deleting.",
    404: "Create it, or correct its address.",
}
_BUSY_ADVICE = "Wait until it takes requests again, or have fewer under way at once (concurrency=), and run it again."
_ANSWER = re.compile(r"status code: (\d{3}[^:\n]*)(.*?)(?:\n\nDebug source|$)", re.DOTALL)
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<\n]+)|\"message\": *\"([^\"]+)\"")


class library_errors:  # noqa: N801 - a context manager, as a class for its speed
    """Refuse keys that lead out of the root, and turn what a store or a disk raises into a LibraryError.

    Args:
        doing: What is done, as a verb.
        key: To which object.
        url: Of which library.
        may_be_missing: Whether FileNotFoundError is handed on.
    """

    def __init__(self, doing: str, key: str, url: str, *, may_be_missing: bool = False) -> None:
        self._doing, self._key, self._url, self._may_be_missing = doing, key, url, may_be_missing

    def __enter__(self) -> None:
        self._began = time.monotonic()
        try:
            check_key(self._key)
        except _BadKey as error:
            self._raise(error)

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if not isinstance(error, (BaseError, OSError)) or (self._may_be_missing and isinstance(error, FileNotFoundError)):
            return
        self._raise(error)

    def _raise(self, error: BaseException) -> NoReturn:
        tried = f" for {time.monotonic() - self._began:.0f} s" if is_busy(error) else ""
        raise LibraryError(
            f"The media library {self._url} could not {self._doing} {self._key}{tried}: {brief(error)}.",
            advice=advice(error),
            retryable=True,
        ) from error


def advice(error: BaseException) -> str:
    """Return what to do about an error: of a disk by its number, of a store by the status that it answered with."""
    if is_busy(error):
        return _BUSY_ADVICE
    if status := _STATUS_ADVICE.get(status_of(error) or 0):
        return status
    number = error.errno if isinstance(error, OSError) else None
    return _ADVICE.get(number or 0, "Check that it exists, has room and may be written to.")


class _BadKey(ValueError):
    """A key that would leave the root."""


def check_key(key: str) -> None:
    """Refuse keys that lead out of the root; obstore does so too, but Python's own paths do not."""
    if not _NO_NAMES.isdisjoint(key.split("/")):
        raise _BadKey(f"{key!r} is no key")


def brief(error: BaseException) -> str:
    """Return what an error says in one line: what the store answered, or obstore's first line without its debug source."""
    said = str(error).strip()
    if (answer := _ANSWER.search(said)) and isinstance(error, BaseError):
        code, message = _CODE.search(answer[2]), _MESSAGE.search(answer[2])
        words = [code[1]] if code else []
        words += [next(filter(None, message.groups())).strip().rstrip(".")] if message else []
        why = f" ({': '.join(words)})" if words else ""
        return f"its store answered {answer[1].strip()}{why}"
    return said.split("\n", 1)[0].rstrip(".")
