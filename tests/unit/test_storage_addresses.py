"""Where a library is, and what an object in it is called: every address leads back, and no key leads out."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_together.errors import ConfigurationError
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.opening import locate
from prefect_together.storage.storage import Storage

from .conftest import Place

AWKWARD = ["plain.png", "a b/c d.png", "ü/狐.png", "100%.png", "50%20off.png", "a+b&c=d.png", "d/" * 20 + "deep.png"]


@pytest.mark.parametrize("key", AWKWARD)
async def test_an_address_leads_back(storage: Storage, key: str) -> None:
    """Whatever a key is made of, its address finds it again."""
    await storage.write(key, b"here")
    uri = storage.uri(key)
    assert key == storage.key(uri)
    found, where = locate(uri)
    assert b"here" == await found.read(where)
    with found.open(where) as file:
        assert b"here" == file.read()
    assert [key] == await storage.names("")


async def test_an_address_is_of_one_root(place: Place) -> None:
    """What is beside a root is not below it, and the innermost known root is taken."""
    storage, beside, inner = place.opened(), place.opened("2"), place.opened("/inner")
    assert storage.key(beside.uri("a")) is None
    assert "inner/a" == storage.key(inner.uri("a"))
    assert (inner, "a") == locate(inner.uri("a"))
    assert (beside, "a") == locate(beside.uri("a"))


async def test_a_file_of_nobody_is_found(tmp_path: Path) -> None:
    """The address of a file below no known root opens that file."""
    (tmp_path / "alone.png").write_bytes(b"here")
    found, key = locate((tmp_path / "alone.png").as_uri())
    assert b"here" == await found.read(key)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param("http://example.com/library", id="http"),
        pytest.param("ftp://example.com/library", id="ftp"),
        pytest.param("s3://", id="no-bucket"),
        pytest.param("s3:///prefix", id="no-bucket-but-a-prefix"),
        pytest.param("file://data/library", id="a-machine-for-a-folder"),
    ],
)
def test_a_bad_address_is_refused(url: str) -> None:
    """What can be no library is a mistake of the configuration, told in one line."""
    with pytest.raises(ConfigurationError) as caught:
        Storage(url)
    assert "\n" not in str(caught.value)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("s3:/bucket", "s3://bucket"),
        ("s3:bucket/films", "s3://bucket/films"),
        ("s3//bucket", "s3://bucket"),
        ("S3:\\bucket", "s3://bucket"),
        ("gcs://bucket/films", "gs://bucket/films"),
        ("az:/container", "az://container"),
        ("file:/library", "file:///library"),
        ("file://data/library", "file:///data/library"),
    ],
)
def test_an_address_that_looks_like_a_scheme_is_refused(url: str, meant: str) -> None:
    """A slash too few makes no folder called `s3:`: it is refused, with what was probably meant."""
    with pytest.raises(ConfigurationError, match="Did you mean") as caught:
        Storage(url)
    assert repr(meant) in str(caught.value)


@pytest.mark.parametrize("name", ["a:b", "2024-05: films", "C:/films", "s3", "files/s3:/x"])
def test_a_colon_may_stand_in_a_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only holds a colon is a folder like any other."""
    monkeypatch.chdir(tmp_path)
    assert tmp_path / name == local_folder(name)


async def test_reading_creates_nothing(tmp_path: Path) -> None:
    """A place that is opened, listed and asked for objects, and where a dead address leads, stays as it was."""
    storage = Storage(str(tmp_path / "no" / "library"))
    assert [] == await storage.names("")
    assert not await storage.holds("ledger")
    assert await storage.size("ledger/a") is None
    with pytest.raises(FileNotFoundError):
        await storage.read("a")
    with pytest.raises(FileNotFoundError):
        storage.open("a")
    gone, key = locate((tmp_path / "moved" / "a.png").as_uri())
    assert not await gone.exists(key)
    assert [] == await Storage(str(tmp_path)).names("")
    assert not (tmp_path / "no").exists()
    assert not (tmp_path / "moved").exists()


async def test_a_place_holds_what_is_below_a_prefix(storage: Storage) -> None:
    """One object is enough, however deep; folders alone are nothing."""
    assert not await storage.holds("ledger")
    await storage.write("ledger/aa/bb/0.json", b"{}")
    assert await storage.holds("ledger")
    assert not await storage.holds("derived")


def test_a_bad_option_is_refused() -> None:
    """A misspelt option is named."""
    with pytest.raises(ConfigurationError, match="acess_key_id") as caught:
        Storage("s3://bucket", {"acess_key_id": "k"})
    assert "\n" not in str(caught.value)


def test_a_file_is_no_library(tmp_path: Path) -> None:
    """A library is a folder."""
    (tmp_path / "file").touch()
    for inside in ("file", "file/library"):
        with pytest.raises(ConfigurationError, match="file is a file"):
            Storage(str(tmp_path / inside))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("/library", "/library", id="path"),
        pytest.param("/library/", "/library", id="slash"),
        pytest.param("/a/../library", "/library", id="dots"),
        pytest.param("file:///library", "/library", id="file"),
        pytest.param("file:///my%20library/%C3%BC", "/my library/ü", id="escaped"),
        pytest.param("s3://bucket/prefix", None, id="s3"),
        pytest.param("gs://bucket", None, id="gs"),
        pytest.param("az://container", None, id="az"),
    ],
)
def test_which_addresses_are_folders(url: str, expected: str | None) -> None:
    """A path or a `file://` URL is a folder, an object store is none."""
    assert (None if expected is None else Path(expected)) == local_folder(url)


def test_a_relative_path_and_a_home_are_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made absolute at once, so that a later change of directory moves nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert tmp_path / "library" == local_folder("library")
    assert tmp_path / "home" / "library" == local_folder("~/library")


@pytest.mark.parametrize("address", ["~nobody-of-that-name/x", "a\0b"])
def test_an_address_that_no_system_takes(address: str) -> None:
    """What Python itself raises for it is one sentence."""
    with pytest.raises(ConfigurationError, match=r"cannot be opened|is not a media library"):
        Storage(address)


def test_spaces_around_an_address(tmp_path: Path) -> None:
    """A space too many at the edge makes no folder of that name."""
    assert tmp_path / "x" == Storage(f" {tmp_path}/x ").folder
    assert "s3://bucket/x" == Storage(" s3://bucket/x ", {"region": "us-east-1"}).url
