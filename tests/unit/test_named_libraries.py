"""References name the block of their library, which is no part of what they are, and load it once."""

from __future__ import annotations

import asyncio
import pickle
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import MediaLibrary, VideoRequest
from prefect_together.blocks.library import storage_of
from prefect_together.errors import LibraryError
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import MediaReference
from prefect_together.storage import known, named
from prefect_together.storage.opening import locate
from prefect_together.storage.references import to_addresses, to_keys
from prefect_together.storage.storage import Storage

BLOCK = "together-media-library/films"


def reference(uri: str = "s3://films/images/2026-11-27/a-fox.png", **fields: Any) -> KeptFile:
    """Return a reference to a picture that is not here."""
    made_at = datetime(2026, 11, 27, tzinfo=timezone.utc)
    return KeptFile(uri=uri, sha256="ab" * 32, size=5, media_type="image/png", created_at=made_at, **fields)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Register who opens blocks, and return which it was asked for."""
    asked: list[str] = []

    def load(block: str) -> Storage:
        asked.append(block)
        if block != BLOCK:
            raise RuntimeError("Failed to reach API at http://127.0.0.1:1/api/.")
        return Storage("s3://films", {"region": "us-east-1", "endpoint": "http://127.0.0.1:1"}, block=block)

    monkeypatch.setattr(known, "_known", {})
    monkeypatch.setattr(known, "_loader", [load])
    monkeypatch.setattr(named, "_loaded", {})
    return asked


def test_a_block_is_loaded_once(loaded: list[str]) -> None:
    """However many references name it, and only where this process has not opened their library."""
    for number in range(5):
        storage, key = locate(f"s3://films/images/2026-11-27/{number}.png", block=BLOCK)
        assert (BLOCK, f"images/2026-11-27/{number}.png") == (storage.block, key)
    assert [BLOCK] == loaded


def test_no_block_is_loaded_for_what_is_there(loaded: list[str], tmp_path: Path) -> None:
    """A file of this machine's is opened as it is, and nobody is asked for its block."""
    (tmp_path / "fox.png").write_bytes(b"a fox")
    with reference((tmp_path / "fox.png").as_uri(), block=BLOCK).open() as file:
        assert b"a fox" == file.read()
    assert [] == loaded


def test_a_server_that_cannot_be_reached_is_asked_once_in_a_while(loaded: list[str], tmp_path: Path) -> None:
    """What Prefect's client raises becomes our sentence; a thousand references do not wait for it a thousand times."""
    lost = reference((tmp_path / "fox.png").as_uri(), block="together-media-library/lost")
    for _ in range(3):
        with pytest.raises(LibraryError, match=r"together-media-library/lost.*Failed to reach API.*PREFECT_API_URL"):
            lost.open()
    assert ["together-media-library/lost"] == loaded


def test_the_block_is_no_part_of_what_a_file_is() -> None:
    """References that differ in it alone are equal, have equal hashes, and make equal requests."""
    one, other = reference(), reference(block=BLOCK)
    assert one == other
    assert hash(one) == hash(other)
    assert one != reference("s3://films/images/2026-11-27/another.png", block=BLOCK)
    asked: dict[str, Any] = {"prompt": "it runs", "model": "sandbox/tiny", "seed": 7}
    requests = [VideoRequest(frame_images=[still], **asked) for still in (one, other)]
    assert requests[0] == requests[1]
    prints = [asyncio.run(fingerprint_of(request, environment="sandbox")) for request in requests]
    assert prints[0] == prints[1]


def test_an_input_keeps_its_block() -> None:
    """A request that goes to another process takes it along."""
    request = VideoRequest(prompt="it runs", model="sandbox/tiny", frame_images=[reference(block=BLOCK)])
    again = VideoRequest.model_validate_json(request.model_dump_json())
    assert [BLOCK] == [use.value.block for use in again.media_inputs() if isinstance(use.value, MediaReference)]


def test_what_was_pickled_without_it_is_read() -> None:
    """A result that an earlier release pickled has no block."""
    old = reference()
    vars(old).pop("block")
    found = pickle.loads(pickle.dumps(old))
    assert (None, old.uri) == (found.block, found.uri)


def test_a_library_holds_no_name_of_its_own_block() -> None:
    """Written by key, read with the block by which the library is open; those of other libraries stay as they are."""
    mine, theirs = Storage("s3://films", block=BLOCK), "together-media-library/theirs"
    files = [
        reference(block="together-media-library/former"),
        reference("s3://other/images/2026-11-27/it.png", block=theirs),
    ]
    written = to_keys([file.model_dump(mode="json", exclude_none=True) for file in files], mine)
    assert [None, theirs] == [file.get("block") for file in written]
    assert [BLOCK, theirs] == [file["block"] for file in to_addresses(written, mine)]
    assert "block" not in to_addresses(written, Storage("s3://films"))[0]


def test_a_block_takes_a_path(tmp_path: Path) -> None:
    """As `library=` does: what it holds is the text."""
    block = MediaLibrary.model_validate({"url": tmp_path / "kept"})
    assert str(tmp_path / "kept") == block.url
    assert tmp_path / "kept" == block.storage().folder


def test_a_block_holds_a_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is opened in other folders, in each of which a relative path would be another library, paid anew."""
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "films" / "new") == MediaLibrary(url="films/new").url
    for whole in ("/data/films", "~/films", "s3://films/new", "file:///data/films", "az://films"):
        assert whole == MediaLibrary(url=whole).url


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("All connection attempts failed"), RuntimeError("Timed out")], ids=repr
)
async def test_a_server_that_does_not_answer_is_said(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with what to do, for commands too; trying again can help."""

    async def gone(*_: object, **__: object) -> MediaLibrary:
        raise error

    monkeypatch.setattr(MediaLibrary, "aload", gone)
    with pytest.raises(
        LibraryError, match=r"'films' cannot be had: Prefect's server does not answer .* PREFECT_API_URL"
    ) as said:
        await storage_of("together-media-library/films")
    assert said.value.retryable
    assert said.value.paid is None
