"""What comes back: small references to kept files that can open, verify and describe themselves. They never hold bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from prefect_together.errors import MediaError, Paid, TogetherError
from prefect_together.generations import ImageRequest, MediaReference, VideoRequest
from prefect_together.storage.storage import locate
from prefect_together.storage.streams import checksum

_CHUNK = 1024 * 1024


class KeptFile(MediaReference):
    """A file in the library that can be opened and verified; its bytes are never in here."""

    width: int | None = None
    """Pixels, read from the file."""
    height: int | None = None
    """Pixels, read from the file."""

    def open(self) -> BinaryIO:
        """Open the file for reading, wherever it is kept.

        Raises:
            MediaError: It is not there any more.
        """
        storage, key = locate(self.uri)
        try:
            return storage.open(key)
        except FileNotFoundError:
            raise self._gone() from None

    def read_bytes(self) -> bytes:
        """Return the whole file; for large videos ``open()`` or ``path()`` is kinder to memory."""
        with self.open() as file:
            return file.read()

    def path(self) -> Path:
        """Return a local file: the kept one where the library is a folder, else a verified copy in a local cache.

        Raises:
            MediaError: It is not there any more, or what was fetched is not what was kept.
        """
        storage, key = locate(self.uri)
        if storage.folder is not None:
            path = storage.folder / key
            if not path.is_file():
                raise self._gone()
            return path
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cached = caches / "prefect-together" / f"{self.sha256}{Path(key).suffix}"
        if not (cached.is_file() and cached.stat().st_size == self.size):
            cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cached.parent) as room:
                fetched = Path(room, cached.name)
                with self.open() as file, fetched.open("wb") as copy:
                    shutil.copyfileobj(file, copy, _CHUNK)
                with fetched.open("rb") as file:
                    self._compare(file)
                fetched.replace(cached)
        return cached

    def verify(self) -> bool:
        """Read the stored bytes and return True where they are what was kept.

        Raises:
            MediaError: The file is gone, or its bytes have changed.
        """
        with self.open() as file:
            self._compare(file)
        return True

    def _compare(self, file: BinaryIO) -> None:
        sha256, size = checksum(file)
        if (sha256, size) != (self.sha256, self.size):
            raise MediaError(
                f"{self.uri} is not what was kept: {size} bytes with SHA-256 {sha256[:12]}…, "
                f"expected {self.size} bytes with {self.sha256[:12]}….",
                paid="yes",
                advice='Restore it from a backup, or ask with reuse="never" for a new one.',
            )

    def _gone(self) -> MediaError:
        return MediaError(
            f"{self.uri} is not in the library any more.",
            paid="yes",
            advice='Restore it from a backup, or ask with reuse="never" for a new one.',
        )


class GeneratedMedia(KeptFile):
    """A kept file together with what made it and what it cost. Money is USD; None means not known, never free."""

    model: str
    """Together's model id."""
    seed: int | None = None
    """The seed that was asked for, if one was."""
    cost: Decimal | None = None
    """USD that Together reported for it, or None: image answers carry no cost, video answers not always."""
    estimated_cost: Decimal | None = None
    """USD by the catalogue's list price, or None where no price is known."""
    job_id: str | None = None
    """Together's id of the job (videos)."""
    fingerprint: str
    """What was asked, as a hash: the name of its folder in the ledger."""
    reused: bool = False
    """Whether it was paid for before this call, so that this call sent and paid nothing."""

    def __str__(self) -> str:
        measures = [f"{self.width}x{self.height}"] if self.width else []
        measures += [f"{self.seconds:g} s"] if isinstance(self, GeneratedVideo) and self.seconds else []
        return f"{self.uri} ({', '.join([self.media_type, *measures, f'{self.size} bytes', self.price()])})"

    def price(self) -> str:
        """Return what it cost, in words that keep reported, estimated and unknown apart."""
        if self.cost is not None:
            return f"${self.cost.normalize():f}"
        return "cost unknown" if self.estimated_cost is None else f"about ${self.estimated_cost.normalize():f}"

    @property
    def request_kind(self) -> str:
        """The generation type that made it: ``image`` or ``video``."""
        return "video" if isinstance(self, GeneratedVideo) else "image"


class GeneratedImage(GeneratedMedia):
    """A picture that was made, kept, and can be opened; may be given to any request that takes a picture."""

    request: ImageRequest
    """What was asked."""
    index: int = 0
    """Its place among the pictures of one request, from 0."""


class GeneratedVideo(GeneratedMedia):
    """A clip that was made, kept, and can be opened; may be given to any request that takes a clip."""

    request: VideoRequest
    """What was asked."""
    seconds: float | None = None
    """Length of the clip in seconds, read from the file."""
    fps: float | None = None
    """Frames per second, read from the file where PyAV is installed."""


Operation = Literal["last_frame", "join", "contact_sheet"]
"""How a file was made of others."""


class DerivedMedia(KeptFile):
    """A file that was made on this machine from kept ones: a clip's last frame, a film, a contact sheet. It cost nothing."""

    operation: Operation
    """How it was made."""
    sources: tuple[MediaReference, ...]
    """What it was made from, in order."""
    seconds: float | None = None
    """Length in seconds, of a film."""
    fps: float | None = None
    """Frames per second, of a film."""
    reencoded: bool = False
    """Whether pictures had to be encoded anew, because the clips differ in size, rate or codec."""

    def __str__(self) -> str:
        return f"{self.uri} ({self.media_type}, {self.title()}, {self.size} bytes)"

    def title(self) -> str:
        """Return what a person would call it."""
        if self.operation == "last_frame":
            return "last frame of a clip"
        if self.operation == "join":
            return f"film of {len(self.sources)} clip{'s' if len(self.sources) > 1 else ''}"
        return f"contact sheet of {len(self.sources)}"


MEDIA: dict[str, type[GeneratedMedia]] = {"image": GeneratedImage, "video": GeneratedVideo}
"""What each kind of request makes."""


class VideoJob(BaseModel):
    """A clip that Together has accepted and is rendering. It is paid for: ``wait_for_video`` fetches it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    """Together's id of the job."""
    request: VideoRequest
    """What was asked."""
    submitted_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
    """When it was accepted (UTC, this machine's clock)."""
    fingerprint: str = ""
    """What was asked, as a hash: the name of its folder in the ledger."""
    attempt: str = "job/1"
    """Which attempt of the ledger it is, as ``scope/number``."""
    reused: bool = False
    """Whether it was accepted before this call, so that this call sent and paid nothing."""


class GenerationTimeout(TogetherError, TimeoutError):
    """The job was still running when the time was up. Nothing is lost: a later run goes on waiting without paying.

    Args:
        what: What happened, as one sentence.
        paid: ``"yes"``: the job was accepted.
        advice: What to do next.
        retryable: False: waiting longer is a decision, not a retry.
        job: The job, to be passed to ``wait_for_video``.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid = "yes",
        advice: str = "",
        retryable: bool = False,
        job: VideoJob | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.job = job
