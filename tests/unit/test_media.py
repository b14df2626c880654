"""What comes back: references that open, verify and describe the kept file, wherever it is kept."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import obstore
import pytest

from prefect_together.errors import MediaError
from prefect_together.generations.image import GeneratedImage, ImageRequest
from prefect_together.generations.request import MediaReference
from prefect_together.generations.results import GeneratedMedia
from prefect_together.generations.video import VideoJob, VideoRequest
from prefect_together.storage.storage import Storage

from .making import FLUX, WHEN, full_image, full_video, generated_image, generated_video, picture, video

PICTURE = picture()
KEY = "images/2026-11-22/a-fox.png"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep local copies of remote files in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prefect-together"


@pytest.fixture
async def kept(storage: Storage) -> GeneratedImage:
    """Keep a picture and give its reference."""
    await storage.write(KEY, PICTURE)
    return generated_image(uri=storage.uri(KEY), sha256=hashlib.sha256(PICTURE).hexdigest(), size=len(PICTURE))


async def test_a_kept_file_can_be_had(kept: GeneratedImage) -> None:
    """Opened, read whole, verified, or as a local file: the same bytes."""
    with kept.open() as file:
        assert PICTURE[:8] == file.read(8)
    assert PICTURE == kept.read_bytes()
    assert PICTURE == kept.path().read_bytes()
    assert ".png" == kept.path().suffix
    assert kept.verify() is True


async def test_a_reference_works_after_json(kept: GeneratedImage) -> None:
    """What comes out of a Prefect result opens the same file."""
    assert PICTURE == GeneratedImage.model_validate_json(kept.model_dump_json()).read_bytes()


def test_a_file_in_a_folder_is_given_as_it_is(storage: Storage, kept: GeneratedImage, cache: Path) -> None:
    """Nothing is copied where the library is a folder; elsewhere the copy is ours alone."""
    path = kept.path()
    if storage.folder is not None:
        assert storage.folder / KEY == path
        assert not cache.exists()
    else:
        assert cache / f"{kept.sha256}.png" == path
        assert 0o700 == cache.stat().st_mode & 0o777


async def test_a_remote_file_is_fetched_once(
    storage: Storage, kept: GeneratedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second `path()` asks nobody."""
    first = kept.path()

    def refuse(*_: Any) -> Any:
        raise AssertionError("fetched again")

    if storage.folder is None:
        monkeypatch.setattr(obstore, "open_reader", refuse)
    assert first == kept.path()
    assert [first] == sorted(first.parent.iterdir())


async def test_a_damaged_copy_is_fetched_again(storage: Storage, kept: GeneratedImage) -> None:
    """A copy that was cut off is not handed out."""
    if storage.folder is None:
        kept.path().write_bytes(PICTURE[:10])
        assert PICTURE == kept.path().read_bytes()


@pytest.mark.parametrize(
    "bytes_", [PICTURE[:-1] + b"\0", PICTURE[:-1], PICTURE + b"\0", b""], ids=["changed", "cut-off", "longer", "empty"]
)
async def test_tampering_is_noticed(
    storage: Storage, kept: GeneratedImage, bytes_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not what was kept is an error that says so, and what was paid."""
    monkeypatch.setattr("prefect_together.storage.known._known", {storage.url: storage})  # see test_deletion_is_noticed
    await storage.write(KEY, bytes_)
    with pytest.raises(MediaError, match="not what was kept") as caught:
        kept.verify()
    assert ("yes", False) == (caught.value.paid, caught.value.retryable)
    assert kept.uri in caught.value.what
    assert caught.value.advice
    if storage.folder is None:
        with pytest.raises(MediaError, match="not what was kept"):
            kept.path()


async def test_deletion_is_noticed(storage: Storage, kept: GeneratedImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to have the file says that it is gone, and what to do."""
    monkeypatch.setattr(
        "prefect_together.storage.known._known", {storage.url: storage}
    )  # libraries of other tests, with the same file
    await storage.delete(KEY)
    for way in (kept.open, kept.read_bytes, kept.path, kept.verify):
        with pytest.raises(MediaError, match="not in the library any more") as caught:
            way()
        assert ("yes", False) == (caught.value.paid, caught.value.retryable)
        assert kept.uri in caught.value.what
        assert "backup" in caught.value.advice


@pytest.mark.parametrize(
    "media",
    [
        pytest.param(generated_image(), id="image"),
        pytest.param(
            generated_image(
                request=full_image(),
                cost=Decimal("0.0300"),
                estimated_cost=Decimal("0.10"),
                width=48,
                height=32,
                seed=7,
                index=2,
                reused=True,
                source_url="https://api.together.ai/shrt/abc",
            ),
            id="full-image",
        ),
        pytest.param(generated_video(), id="video"),
        pytest.param(
            generated_video(
                request=full_video(), cost=Decimal("0.28"), seconds=5.875, fps=23.976, job_id="job-1", width=64, height=48
            ),
            id="full-video",
        ),
    ],
)
def test_json_keeps_a_reference(media: GeneratedMedia) -> None:
    """All of it, and money to the last digit."""
    again = type(media).model_validate_json(media.model_dump_json())
    assert media == again
    assert (str(media.cost), str(media.estimated_cost)) == (str(again.cost), str(again.estimated_cost))


def test_json_keeps_a_job() -> None:
    """A job that was submitted in one task is waited for in another."""
    job = VideoJob(id="job-1", request=full_video(), submitted_at=WHEN, fingerprint="f" * 40, attempt="any/3", reused=True)
    assert job == VideoJob.model_validate_json(job.model_dump_json())


@pytest.mark.parametrize(
    ("cost", "estimated", "said"),
    [
        pytest.param("0.28", "0.30", "$0.28", id="reported"),
        pytest.param("0.2800", None, "$0.28", id="reported-with-zeros"),
        pytest.param("0", "0.30", "$0.00", id="reported-as-free"),
        pytest.param("100", None, "$100.00", id="hundred"),
        pytest.param("1E+2", None, "$100.00", id="exponent"),
        pytest.param("0.000250", None, "$0.0003", id="tiny"),
        pytest.param(None, "0.10", "about $0.10", id="estimated"),
        pytest.param(None, "1E-7", "about less than $0.0001", id="estimated-tiny"),
        pytest.param(None, None, "cost unknown", id="unknown"),
    ],
)
def test_a_price_says_how_it_is_known(cost: str | None, estimated: str | None, said: str) -> None:
    """Reported, estimated and unknown are never mixed up, and unknown is never free."""
    amounts = {
        "cost": None if cost is None else Decimal(cost),
        "estimated_cost": None if estimated is None else Decimal(estimated),
    }
    assert said == generated_image(**amounts).price()


def test_a_reference_describes_itself() -> None:
    """One line: where it is, what it is, how large, how long, what it cost."""
    assert "file:///library/images/x.png (image/png, 5 bytes, cost unknown)" == str(generated_image())
    shown = str(generated_video(width=1366, height=768, seconds=6.0, cost=Decimal("0.28")))
    parts = ["file:///library/images/x.png", "video/mp4", "1366x768", "6 s", "5 bytes", "$0.28"]
    assert sorted(map(shown.index, parts)) == [shown.index(part) for part in parts]
    assert "\n" not in shown


def test_a_reference_can_be_given_to_a_request() -> None:
    """A picture becomes a keyframe, a clip becomes a source; what made them is not dragged along."""
    asked = video(frame_images=generated_image(), source_video=generated_video(), prompt=None)
    assert isinstance(asked, VideoRequest)
    assert MediaReference is type(asked.keyframes[0].input_image)
    assert MediaReference is type(asked.source_video)
    edited = ImageRequest(prompt="brighter", model=FLUX, image_url=generated_image())
    assert isinstance(edited.image_url, MediaReference)
    assert generated_image().sha256 == edited.image_url.sha256
