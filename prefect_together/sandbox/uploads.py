"""Uploaded files as the sandbox remembers them, and uploads that are not complete yet; answers nothing."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

TYPES = ("csv", "jsonl", "parquet")
PURPOSES = ("fine-tune", "calibration", "eval", "batch-api")


def file_id() -> str:
    """Return a new id of an uploaded file."""
    return f"file-{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file at the Files API; it belongs to the account that sent it, or whose batch wrote it."""

    id: str
    account: str
    filename: str
    purpose: str
    file_type: str
    """One of `TYPES`."""
    size: int
    """Bytes."""
    lines: int
    """Lines that are not empty; 0 for Parquet."""
    sha256: str
    content: str
    """The name under which the store keeps the bytes."""
    created: float
    """Unix seconds."""

    def view(self) -> dict[str, Any]:
        """Return the file as the API answers it; `FileType` is written so there."""
        return {
            "id": self.id, "object": "file", "created_at": int(self.created), "filename": self.filename,
            "bytes": self.size, "purpose": self.purpose, "FileType": self.file_type, "Processed": True,
            "LineCount": self.lines, "processing_status": "COMPLETED",
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What is said of a file before its bytes come."""

    account: str
    filename: str
    purpose: str
    file_type: str
    checksum: str | None
    """SHA-256 of the bytes, hexadecimal, if it was stated."""


@dataclass
class Incoming:
    """An upload whose bytes are sent to the file host, whole or in parts; gone with the process, unlike what is complete."""

    announced: Announced
    id: str = field(default_factory=file_id)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """What stands in the address to which the bytes are sent: who knows it needs no key."""
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    """The bytes by their part's number; 1 for a file that is sent whole."""
    created: float = field(default_factory=time.time)
    """Unix seconds."""

    def view(self) -> dict[str, Any]:
        """Return the file as the API answers it while it is not complete."""
        said = self.announced
        size = sum(map(len, self.parts.values()))
        return {
            "id": self.id, "object": "file", "created_at": int(self.created), "filename": said.filename, "bytes": size,
            "purpose": said.purpose, "FileType": said.file_type, "Processed": False, "LineCount": 0,
            "processing_status": "PENDING",
        }  # fmt: skip

    def content(self) -> bytes:
        """Return what has come, in the order of the parts."""
        return b"".join(self.parts[number] for number in sorted(self.parts))


def complete(announced: Announced, content: bytes, *, name: str, id: str) -> Upload:
    """Return the file that is remembered.

    Args:
        announced: What was said of it.
        content: Its bytes.
        name: Under which name the store keeps them.
        id: The file's id.
    """
    lines = 0 if announced.file_type == "parquet" else sum(1 for line in content.split(b"\n") if line.strip())
    return Upload(
        id=id, account=announced.account, filename=announced.filename, purpose=announced.purpose,
        file_type=announced.file_type, size=len(content), lines=lines, sha256=hashlib.sha256(content).hexdigest(),
        content=name, created=time.time(),
    )  # fmt: skip
