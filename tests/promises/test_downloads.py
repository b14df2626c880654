"""Files that were paid for: fetched whole or not at all, fetched again without paying, from nowhere they should not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_together import MediaLibrary, generate_image, generate_images, generate_video
from prefect_together.errors import MediaError, UnknownOutcome
from prefect_together.generations.image import SPEC
from prefect_together.generations.request import Request
from prefect_together.http import downloads
from prefect_together.sandbox import Sandbox

from .asking import FILE, clip, picture

KINDS = [pytest.param(picture(seed=1), id="picture"), pytest.param(clip(seed=1), id="clip")]


def _make(request: Request, **options: object) -> object:
    run = generate_image if request.kind == "image" else generate_video
    return run(request, **options)  # type: ignore[arg-type, call-overload]


def _files(library: Path) -> list[Path]:
    return [path for path in library.rglob("*") if path.is_file() and "ledger" not in path.relative_to(library).parts]


@pytest.mark.parametrize("request_", KINDS)
@pytest.mark.parametrize("fault", ["truncated", "truncated_silently", "wrong_kind", "500", "redirect"])
def test_a_download_that_fails_once_is_fetched_again(
    fault: str, request_: Request, together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Cut off, cut off silently, an HTML page, an error: fetched again, one file, one charge."""
    if fault == "redirect":
        together_sandbox.fault(FILE, "redirect", location=together_sandbox.files_url + "/nowhere")
        together_sandbox.fault(FILE, "500")
    else:
        together_sandbox.fault(FILE, fault)
    made = _make(request_)
    assert made.verify()  # type: ignore[attr-defined]
    assert 1 == len(together_sandbox.charges())
    assert 1 == len(_files(tmp_path / "library"))


@pytest.mark.parametrize("request_", KINDS)
@pytest.mark.parametrize("fault", ["truncated", "truncated_silently", "wrong_kind", "expired"])
def test_a_download_that_always_fails_leaves_no_file_and_is_not_paid_again(
    fault: str, request_: Request, together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """MediaError, no file left behind; the next run downloads without paying."""
    together_sandbox.fault(FILE, fault, times=4)
    with pytest.raises(MediaError) as caught:
        _make(request_)
    assert "yes" == caught.value.paid
    assert [] == _files(tmp_path / "library")
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    assert _make(request_).verify()  # type: ignore[attr-defined]
    assert 1 == len(together_sandbox.charges())


def test_one_bad_picture_of_several_keeps_none(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Pictures of one request are kept together or not at all; the next run fetches them all."""
    together_sandbox.fault(FILE, "expired", times=1)
    with pytest.raises(MediaError):
        generate_images(picture(n=3, seed=1))
    assert [] == _files(tmp_path / "library")
    assert 3 == len(generate_images(picture(n=3, seed=1)))
    assert 1 == together_sandbox.count("/v1/images/generations")


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("http://169.254.169.254/latest/meta-data/", id="metadata-service"),
        pytest.param("http://10.0.0.1/a.png", id="private"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("loop", id="loop"),
    ],
)
def test_a_redirect_to_where_no_file_can_be_is_not_followed(location: str, together_sandbox: Sandbox) -> None:
    """Inner networks, other schemes and loops in a server's answer are refused."""
    together_sandbox.fault(FILE, "redirect", location=location)
    with pytest.raises(MediaError):
        generate_image(picture(seed=1))


def test_the_size_cap_holds(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file above the cap is not fetched, and nothing of it is left."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_MAX_DOWNLOAD_BYTES", "1000")
    with pytest.raises(MediaError, match="MAX_DOWNLOAD_BYTES"):
        generate_video(clip(seed=1))
    assert [] == _files(tmp_path / "library")
    monkeypatch.delenv("PREFECT_INTEGRATIONS_TOGETHER_MAX_DOWNLOAD_BYTES")
    assert generate_video(clip(seed=1)).verify()
    assert 1 == len(together_sandbox.charges())


@pytest.mark.parametrize("request_", [picture(seed=1), clip(seed=1)], ids=["picture", "clip"])
def test_a_file_that_only_drips_is_fetched_again(
    request_: Request, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A byte now and then is no download: it counts as cut off, and the next one brings the file; one charge."""
    monkeypatch.setattr(downloads, "_WINDOW", 0.4)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_MIN_DOWNLOAD_RATE", "1e6")
    together_sandbox.fault(FILE, "slow", seconds=60)
    made = _make(request_)
    assert made.verify()  # type: ignore[attr-defined]
    assert (1, 1) == (len(together_sandbox.charges()), len(_files(tmp_path / "library")))


def test_a_file_that_always_drips_says_what_to_do(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error about the file, names the setting, and a rate of 0 waits for any."""
    monkeypatch.setattr(downloads, "_WINDOW", 0.2)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_MIN_DOWNLOAD_RATE", "1e6")
    together_sandbox.fault(FILE, "slow", seconds=60, times=4)
    with pytest.raises(MediaError, match="less than 1,000,000 bytes a second, and counts as cut off") as caught:
        generate_image(picture(seed=1))
    assert ("yes", True) == (caught.value.paid, caught.value.retryable)
    assert "MIN_DOWNLOAD_RATE" in str(caught.value)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_MIN_DOWNLOAD_RATE", "0")
    together_sandbox.fault(FILE, "slow", seconds=1)
    assert generate_image(picture(seed=1)).verify()
    assert 1 == len(together_sandbox.charges())


def test_base64_answers_are_kept_as_well(together_sandbox: Sandbox) -> None:
    """`response_format="base64"` fetches nothing, and is the same picture as by URL."""
    made = generate_image(picture(seed=1, response_format="base64"))
    assert made.verify()
    assert made.source_url is None
    assert made.sha256 == generate_image(picture(seed=1)).sha256
    assert 1 == len(together_sandbox.charges())


def test_a_kept_file_that_is_gone_is_not_paid_again(together_sandbox: Sandbox) -> None:
    """A file that somebody deleted is an error that says so; only reuse="never" makes a new one."""
    made = generate_image(picture(seed=1))
    made.path().unlink()
    with pytest.raises(MediaError, match="not in the library any more"):
        generate_image(picture(seed=1))
    assert 1 == len(together_sandbox.charges())
    assert generate_image(picture(seed=1), reuse="never").verify()


def test_a_library_of_ones_own(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """The `library` argument decides where files and ledger are."""
    made = generate_image(picture(seed=1), library=MediaLibrary(url=str(tmp_path / "my pictures")))
    assert made.path().is_relative_to(tmp_path / "my pictures")
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(("fields", "charges"), [({}, 2), ({"model": "sandbox/new"}, 1)], ids=["cheap", "unpriced"])
def test_what_expired_before_it_was_fetched_is_lost(
    fields: dict[str, str], charges: int, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links that died before anybody fetched them are a paid loss: cheap is sent again with a warning, else a person decides."""
    short_lived = replace(SPEC, keeping=replace(SPEC.keeping, links_live=timedelta(0)))
    monkeypatch.setattr("prefect_together.generations.registry._specs", {"image": short_lived})
    together_sandbox.fault(FILE, "expired", times=1)
    with pytest.raises(MediaError):
        generate_image(picture(seed=1, **fields))
    if charges == 1:
        with pytest.raises(UnknownOutcome, match="its file has expired"):
            generate_image(picture(seed=1, **fields))
    else:
        assert generate_image(picture(seed=1, **fields)).verify()
    assert charges == len(together_sandbox.charges())
