"""What a recording says that was sent in or stands at an address; each is listened to once.

Nothing leaves this machine: a public address is stood in for by words that its name gives.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import IO

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.inputs import TooLarge, read_input
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.sound import standins
from prefect_together.sandbox.sound.listening import Heard, TooLong, UnsupportedSound, listen
from prefect_together.sandbox.store import Store

KEPT = 256
LARGEST_UPLOAD = 80 * 1024 * 1024
"""Bytes. Whether Together counts 80 MB so or as 80,000,000 is not known."""
TAKEN = ".wav, .mp3, .m4a, .webm, .flac, .ogg, .opus, .aac"


class Recordings:
    """Hears recordings and remembers what was heard; safe to use from any thread."""

    def __init__(self, store: Store, render: Callable[[Recipe], bytes]) -> None:
        self._store = store
        self._render = render
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Heard] = OrderedDict()

    def at_address(self, address: str) -> Heard:
        """Return what the recording at an address says; raise Refusal for what is none."""
        try:
            found = read_input(address, self._store)
        except ValueError as error:
            code = "file_too_large" if isinstance(error, TooLarge) else "invalid_params"
            raise _refused(code, f"The file could not be read: {error}", param="file") from error
        if isinstance(found, str) and found.startswith("away:"):
            return standins.far_away(address)
        if isinstance(found, str):
            found = self._render(self._store.files[found.removeprefix("file:")])
        return self.in_file(io.BytesIO(found))

    def in_file(self, file: IO[bytes]) -> Heard:
        """Return what a recording says; raise Refusal for a file that is none, empty, too long, or a video."""
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(1024 * 1024):
            digest.update(piece)
        name = digest.hexdigest()
        with self._lock:
            kept = self._kept.get(name)
        heard = kept or self._listen(file, name)
        with self._lock:
            self._kept[name] = heard
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return heard

    def _listen(self, file: IO[bytes], name: str) -> Heard:
        file.seek(0)
        if not file.read(1):
            raise _refused("invalid_params", "The audio file is empty.", param="file")
        file.seek(0)
        try:
            heard = listen(file)
        except UnsupportedSound as error:
            message = f"{error}. Supported formats: {TAKEN}."
            raise _refused("unsupported_format", message, param="file") from error
        except TooLong as error:
            raise _refused("audio_too_long", "The audio is longer than the maximum of 4 hours.", param="file") from error
        return heard if heard.words else Heard(heard.seconds, tuple(standins.people(heard, name)), ())


def too_large() -> error_messages.Refusal:
    """413 for a file beyond 80 MB; the code is Together's, the words are ours."""
    message = "The uploaded file is larger than the maximum of 80 MB. Send a URL for larger files."
    return error_messages.Refusal(413, message, param="file", code="request_too_large")


def _refused(code: str, message: str, *, param: str | None = None) -> error_messages.Refusal:
    return error_messages.Refusal(400, message, param=param, code=code)


def invalid(name: str, expected: str) -> error_messages.Refusal:
    """400 for a field that is not as it must be; the code is Together's, the words are ours."""
    return _refused("invalid_params", f"Invalid value for '{name}'. Expected {expected}.", param=name)
