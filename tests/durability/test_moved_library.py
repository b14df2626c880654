"""A library that is renamed, mounted elsewhere or copied to a bucket is the same library: nothing is paid for again."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.types import SecretDict

from prefect_together import (
    BatchResult,
    GeneratedImage,
    ImageRequest,
    MediaLibrary,
    VideoRequest,
    contact_sheet,
    generate_batch,
    generate_image,
    generate_video,
    join_videos,
    last_frame,
    reconcile,
    write_gallery,
)
from prefect_together.cli import main
from prefect_together.errors import MediaError
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

MODEL = "black-forest-labs/FLUX.2-pro"


def picture(prompt: str = "a fox", **fields: Any) -> ImageRequest:
    """Ask for a small picture."""
    asked: dict[str, Any] = {"model": MODEL, "width": 256, "height": 256, "seed": 5, "prompt": prompt, **fields}
    return ImageRequest(**asked)


def clip(prompt: str, **fields: Any) -> VideoRequest:
    """Ask for a tiny clip."""
    asked: dict[str, Any] = {
        "model": "sandbox/tiny",
        "width": 64,
        "height": 48,
        "seconds": 1,
        "fps": 15,
        "seed": 6,
        **fields,
    }
    return VideoRequest(prompt=prompt, **asked)


class Made:
    """What was made in a library before it was moved."""

    def __init__(self, library: MediaLibrary) -> None:
        self.still = generate_image(picture(), library=library)
        self.clips = [generate_video(clip(text, frame_images=[self.still]), library=library) for text in ("one", "two")]
        self.frame = last_frame(self.clips[0], library=library)
        self.film = join_videos(self.clips, library=library)
        self.named = self.batch(library)

    @staticmethod
    def batch(library: MediaLibrary) -> BatchResult:
        """Run a named batch."""
        return generate_batch([picture("a teapot"), picture("a lamp")], name="catalogue", library=library)


@pytest.fixture
def s3(s3_endpoint: str) -> dict[str, Any]:
    """Say how to reach the S3 on this machine."""
    return {
        "endpoint": s3_endpoint,
        "region": "us-east-1",
        "access_key_id": "moved",
        "secret_access_key": "moved",
        "virtual_hosted_style_request": "false",
    }


def renamed(old: Path, _: pytest.FixtureRequest) -> MediaLibrary:
    """Move the folder to a name that is awkward in addresses."""
    new = old.parent / "new place ü" / "library"
    new.parent.mkdir()
    old.rename(new)
    return MediaLibrary(url=str(new))


def mounted(old: Path, _: pytest.FixtureRequest) -> MediaLibrary:
    """Reach the folder by another path, when the old one leads nowhere."""
    disk = old.parent / "disk"
    old.rename(disk)
    (old.parent / "mnt").symlink_to(disk, target_is_directory=True)
    return MediaLibrary(url=str(old.parent / "mnt"))


def copied(old: Path, request: pytest.FixtureRequest) -> MediaLibrary:
    """Copy the folder into a bucket, and remove it."""
    s3: dict[str, Any] = request.getfixturevalue("s3")
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=moved/20260101/us-east-1/s3/aws4_request"}
    signed["Content-Type"] = "application/octet-stream"

    def put(name: str, data: bytes | None) -> None:
        asked = urllib.request.Request(f"{s3['endpoint']}/{name}", data=data, method="PUT", headers=signed)
        with urllib.request.urlopen(asked, timeout=30):
            pass

    bucket = f"moved-{uuid4().hex[:12]}"
    put(bucket, None)
    for path in old.rglob("*"):
        if path.is_file():
            put(f"{bucket}/media/{path.relative_to(old).as_posix()}", path.read_bytes())
    shutil.rmtree(old)
    return MediaLibrary(url=f"s3://{bucket}/media", options=SecretDict(s3))


@pytest.fixture(params=[renamed, mounted, copied])
def moved(request: pytest.FixtureRequest, tmp_path: Path, together_sandbox: Sandbox, prefect_server: str) -> Iterator[Any]:
    """Yield what was made, and the library where it is now; nothing may be paid for in it."""
    old = tmp_path / "old library"
    made = Made(MediaLibrary(url=str(old)))
    library = request.param(old, request)
    paid = together_sandbox.count("/v")
    yield made, library
    assert not old.exists()
    assert paid == together_sandbox.count("/v")


def test_all_is_found_where_it_is_now(moved: tuple[Made, MediaLibrary]) -> None:
    """Tasks, batches and derived files are reused, and each reference leads to a file that is there."""
    made, library = moved
    root = library.storage().url
    still = generate_image(picture(), library=library)
    clips = [generate_video(clip(text, frame_images=[still]), library=library) for text in ("one", "two")]
    frame, film = last_frame(clips[0], library=library), join_videos(clips, library=library)
    files = [still, *clips, frame, film]
    assert all(file.uri.startswith(f"{root}/") and file.verify() for file in files)
    assert all(file.reused for file in (still, *clips))
    assert [made.still.sha256, *(one.sha256 for one in made.clips), made.frame.sha256, made.film.sha256] == [
        file.sha256 for file in files
    ]
    assert all(source.uri.startswith(f"{root}/") for file in (*clips, frame, film) for source in file.made_from())


def test_batches_and_their_tables(moved: tuple[Made, MediaLibrary], tmp_path: Path) -> None:
    """A named batch goes on from its manifest, its table leads to files that are there, and an old result reads its own."""
    made, library = moved
    root = library.storage().url
    again = made.batch(library)
    assert (2, 0) == (again.reused, again.kept)
    assert all(file.uri.startswith(f"{root}/") and file.verify() for file in again.media)
    rows = Path(again.write_table(tmp_path / "out.jsonl").removeprefix("file://")).read_text(encoding="utf-8").splitlines()
    assert all(json.loads(row)["uri"].startswith(f"{root}/") for row in rows)
    assert [file.sha256 for file in again.media] == [file.sha256 for file in made.named.media]
    assert all(file.verify() for file in made.named.media)


def test_references_of_before(moved: tuple[Made, MediaLibrary]) -> None:
    """A result that somebody still holds opens, and is an input of a sheet, of an edit that was paid for, and of a clip."""
    made, library = moved
    library.storage()  # where it may be is known once the library is opened
    assert made.still.read_bytes()
    assert made.film.verify()
    assert made.still.path().is_file()
    assert 2 == len(contact_sheet([made.still, made.clips[0]], library=library).sources)
    assert generate_video(clip("one", frame_images=[made.still]), library=library).reused


def test_commands_and_the_gallery(
    moved: tuple[Made, MediaLibrary], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page links by key, `trace` follows inputs by the address of now and of then, and `reconcile` misses nothing."""
    made, library = moved
    storage = library.storage()
    write_gallery(library=library)
    with storage.open("gallery.html") as file:
        page = file.read().decode()
    assert f'"href":"{storage.key(generate_image(picture(), library=library).uri)}"' in page
    assert "old%20library" not in page
    assert "0 undecided" in reconcile(library=library).text()
    if storage.folder is None:
        return
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(storage.folder))
    for address in (made.clips[0].uri, generate_video(clip("one", frame_images=[made.still]), library=library).uri):
        assert 0 == main(["trace", address])
        assert "made from:" in (shown := capsys.readouterr().out)
        assert "a fox" in shown
    assert 0 == main(["verify"])
    assert "7 whole, 0 missing, 0 changed." in capsys.readouterr().out


def test_a_new_request_takes_an_old_reference(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """The bytes of a moved file go out with a request that was never made before."""
    old, new = tmp_path / "old", tmp_path / "new"
    still: GeneratedImage = generate_image(picture(), library=MediaLibrary(url=str(old)))
    old.rename(new)
    stale = still.model_copy(update={"source_url": None})
    edited = generate_image(
        ImageRequest(prompt="in winter", model="black-forest-labs/FLUX.1-kontext-pro", image_url=stale),
        library=MediaLibrary(url=str(new)),
    )
    assert edited.verify()
    assert edited.made_from()[0].sha256 == still.sha256


def test_verify_says_what_is_wrong(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing and changed files and entries that nobody can read are named, quickly or by their bytes, and the exit code is 1."""
    folder = tmp_path / "library"
    library = MediaLibrary(url=str(folder))
    files = [generate_image(picture(name), library=library) for name in ("gone", "cut", "swapped", "fine")]
    files[0].path().unlink()
    files[1].path().write_bytes(b"short")
    files[2].path().write_bytes(bytes(files[2].size))
    broken = next(folder.glob("ledger/*/*/*-stored.json"))
    assert 1 == main(["verify", "--library", str(folder), "--quick"])
    assert "2 whole, 1 missing, 1 changed." in capsys.readouterr().out
    assert 1 == main(["verify", "--library", str(folder)])
    shown = capsys.readouterr().out
    assert f"Missing: {files[0].uri}" in shown
    assert f"Changed: {files[1].uri}" in shown
    assert f"Changed: {files[2].uri}" in shown
    broken.write_text("{", encoding="utf-8")
    assert 1 == main(["verify", "--library", str(folder)])
    assert "1 unreadable" in capsys.readouterr().out


def test_what_is_gone_is_said(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """A file that is missing, or has another size than it had, is no result: the check is made wherever the library is now."""
    old, new = tmp_path / "old", tmp_path / "new"
    still = generate_image(picture(), library=MediaLibrary(url=str(old)))
    moved = new / still.path().relative_to(old)
    old.rename(new)
    whole = moved.read_bytes()
    moved.write_bytes(whole[:-1])
    with pytest.raises(MediaError, match="has changed since"):
        generate_image(picture(), library=MediaLibrary(url=str(new)))
    moved.unlink()
    with pytest.raises(MediaError, match="is not in the library any more"):
        generate_image(picture(), library=MediaLibrary(url=str(new)))


def test_another_file_at_the_old_place(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """What lies at the old address now is not taken for what was kept: not read, and not drawn or joined into anything."""
    old, new = tmp_path / "old", tmp_path / "new"
    still = generate_image(picture(), library=MediaLibrary(url=str(old)))
    other = generate_image(picture("an owl"), library=MediaLibrary(url=str(tmp_path / "other")))
    right, wrong = still.read_bytes(), other.read_bytes()
    key = still.path().relative_to(old)
    old.rename(new)
    (old / key).parent.mkdir(parents=True)
    (old / key).write_bytes(wrong)
    library = MediaLibrary(url=str(new))
    fresh = generate_image(picture(), library=library)
    assert right == still.read_bytes() == fresh.read_bytes()
    assert contact_sheet([still], library=library).read_bytes() == contact_sheet([fresh], library=library).read_bytes()
    alone = contact_sheet([fresh], library=MediaLibrary(url=str(tmp_path / "third")))
    assert alone.read_bytes() == contact_sheet([still], library=library).read_bytes()
    (new / key).write_bytes(wrong)
    with pytest.raises(MediaError, match="is not what was kept"):
        still.read_bytes()


def test_verify_goes_on_where_a_file_cannot_be_looked_at(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file that the disk does not show is named, and all others are looked at."""
    folder = tmp_path / "library"
    files = [generate_image(picture(name), library=folder) for name in ("fine", "odd")]
    odd = files[1].path()
    odd.unlink()
    odd.symlink_to(odd)
    assert 1 == main(["verify", "--library", str(folder)])
    shown = capsys.readouterr().out
    assert "1 whole, 0 missing, 0 changed, 1 unreadable." in shown


def test_a_named_batch_does_not_pass_over_a_file_that_was_cut_off(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """What the last run kept is looked at as everywhere: a file of another size is no result."""
    library = MediaLibrary(url=str(tmp_path / "library"))
    first = generate_batch([picture("a teapot"), picture("a lamp")], name="catalogue", library=library)
    path = first.media[0].path()
    path.write_bytes(path.read_bytes()[:-9])
    again = generate_batch([picture("a teapot"), picture("a lamp")], name="catalogue", library=library, fail_on="never")
    assert (1, 1) == (again.reused, again.failed)
    assert "has changed since" in str(again.problems[0].error)
