"""Recordings and films as they are sent to be heard: how long they are, what of them goes out, where long ones are cut."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from prefect_together._internal.upload import Upload
from prefect_together.errors import ConfigurationError, InvalidRequest, TogetherError
from prefect_together.generations.formats import Format, is_moving, measured, sniff
from prefect_together.generations.input_files import PLANNED, called, checked, open_input, open_named
from prefect_together.generations.input_forms import Recording
from prefect_together.generations.request import InputUse, MediaInput, MediaReference, Request, is_remote
from prefect_together.generations.sound_tracks import NoSound, copied, encoded, quiet_places, track_of
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.opening import open_moved

LARGEST = 80_000_000
"""Bytes of a recording that Together takes from here (together-other-types.md 6.3); larger ones are made smaller."""
LONGEST = 4 * 3600.0
"""Seconds of a recording that Together takes (together-other-types.md 6.3); longer ones are cut."""
_EXACT = 3600.0  # seconds up to which what is made smaller loses nothing but what models do not hear
_ROOM = 60.0  # seconds by which a piece is shorter, so that a quiet place is found
_FORM = 10_000  # bytes of a form beside its file
_TAKEN = ("audio/wav", "audio/mpeg", "audio/mp4", "audio/flac", "audio/ogg", "audio/aac")


def upload_of(request: Request, use: InputUse) -> tuple[Upload, str]:
    """Return the file that is sent for an input, open, and the SHA-256 of the one that was given, in hex.

    A recording goes as it is, where Together takes it so; of a film its sound goes; what is too large is made smaller.

    Raises:
        InvalidRequest: It is missing, cut off, no recording, or without sound.
        ConfigurationError: It has to be changed, and the extra ``media`` is not installed.
        TogetherError: As ``open_input``.
    """
    form = use.form if isinstance(use.form, Recording) else Recording()
    file, sha256 = open_input(request, use)
    file = _at_hand(file)
    try:
        upload = _upload(file, checked(request, use, file), form)
    except NoSound as error:
        file.close()
        raise InvalidRequest(f"{type(request).__name__}: {called(use)} cannot be heard: {error}.") from None
    except BaseException:  # interrupted as well: nobody else has the file to close it
        file.close()
        raise
    if upload.file is not file:
        file.close()
    return upload, sha256


def _upload(file: BinaryIO, found: Format, form: Recording) -> Upload:
    size = file.seek(0, 2)
    if form.named():
        return _smaller(file, form)
    if found.media_type in _TAKEN:
        return _whole(file, found) if size <= LARGEST - _FORM else _smaller(file, form)
    track = track_of(file)
    if found.extension == "webm" and not track.has_pictures and size <= LARGEST - _FORM:
        return _whole(file, Format("audio/webm", "webm"))
    if out := copied(file, track):
        sound, extension, media_type = out
        if sound.seek(0, 2) <= LARGEST - _FORM:
            return Upload(f"recording.{extension}", media_type, sound)
        sound.close()
    return _smaller(file, form)


def _at_hand(file: BinaryIO) -> BinaryIO:
    """Return a file on this machine: one in a bucket is fetched, for it is read in little pieces from here on."""
    if hasattr(file, "name"):
        return file
    here = cast("BinaryIO", TemporaryFile())  # noqa: SIM115 - whoever sends it closes it
    try:
        with file:
            shutil.copyfileobj(file, here, 1024 * 1024)
        here.seek(0)
    except BaseException:  # interrupted as well: half a copy is nobody's
        here.close()
        raise
    return here


def _whole(file: BinaryIO, found: Format) -> Upload:
    return Upload(f"recording.{found.extension}", found.media_type, file)


def _smaller(file: BinaryIO, form: Recording) -> Upload:
    seconds = track_of(file).seconds or LONGEST
    seconds = (form.end or seconds) - (form.start or 0.0)
    if seconds <= _EXACT:
        made = encoded(file, "flac", form.start, form.end)
        if made.seek(0, 2) <= LARGEST - _FORM:
            return Upload("recording.flac", "audio/flac", made)
        made.close()
    return Upload("recording.ogg", "audio/ogg", encoded(file, "libopus", form.start, form.end))


def seconds_of(value: MediaInput) -> float | None:
    """Return how long a recording or film is, by its header; None where it is not at hand, or does not say.

    Raises:
        InvalidRequest: It has no sound.
    """
    if isinstance(value, MediaReference):
        return None if value.uri.startswith(PLANNED) else _measured(value.uri, value.sha256, value.block)
    if is_remote(str(value)):
        return None
    path = local_folder(str(value)) if "://" in str(value) else Path(str(value)).expanduser()
    try:
        stamp = path.stat() if path else None
    except (OSError, ValueError, RuntimeError):
        stamp = None  # of a library that was moved, or what is wrong with it is said where it is read
    if stamp is None:
        return _measured.__wrapped__(str(value), "")  # where it is may be known later, so it is not remembered
    return _measured(str(value), f"{stamp.st_size} {stamp.st_mtime_ns}")


@lru_cache(maxsize=4096)
def _measured(name: str, content: str, block: str | None = None) -> float | None:
    """Return the seconds of a file; ``content`` is its SHA-256 where it is kept, else what tells that it is as it was."""
    try:
        kept = "://" in name and len(content) == 64
        with open_moved(name, content, block=block)[0] if kept else open_named(name) as file:
            found = sniff(file.read(64))
            file.seek(0)
            if found is None or found.family not in {"audio", "video"}:
                return None
            if not is_moving(found.media_type):
                return measured(found, file).seconds or _track_seconds(file)
            return _track_seconds(file) or measured(found, file).seconds
    except NoSound as error:
        raise InvalidRequest(f"{name} cannot be heard: {error}.") from None
    except (OSError, ValueError, RuntimeError, TogetherError):
        return None


def _track_seconds(file: BinaryIO) -> float | None:
    try:
        seconds = track_of(file).seconds
    except ConfigurationError:
        return None
    return seconds and round(seconds, 3)


def stretches(request: Request, use: InputUse) -> Sequence[Recording]:
    """Return the pieces in which a recording is heard that is longer than Together takes; none where it is not.

    Raises:
        InvalidRequest: It is missing, no recording, or without sound.
        TogetherError: As ``open_input``.
    """
    form = use.form if isinstance(use.form, Recording) else Recording()
    seconds = seconds_of(use.value)
    if seconds is None:
        return ()
    start, end = form.start or 0.0, min(form.end or seconds, seconds)
    if end - start <= LONGEST:
        return ()
    count = math.ceil((end - start) / (LONGEST - _ROOM))
    wanted = [start + (end - start) * place / count for place in range(1, count)]
    places = [form.start, *_quiet(request, use, tuple(wanted)), form.end]
    return [Recording(begin, stop) for begin, stop in pairwise(places)]


def _quiet(request: Request, use: InputUse, wanted: tuple[float, ...]) -> Sequence[float]:
    file, sha256 = open_input(request, use)
    with file:
        if known := _cuts.get((sha256, wanted)):
            return known
        return _cuts.setdefault((sha256, wanted), quiet_places(file, wanted))


_cuts: dict[tuple[str, tuple[float, ...]], Sequence[float]] = {}
