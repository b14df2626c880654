"""Names of kept files: safe on any disk and in any bucket, and a person can still read them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_together._internal.text import slug
from prefect_together.engine.ingest import FileNaming
from prefect_together.generations.registry import register, spec_named, specs, unregister
from prefect_together.ui.links import media_type_served

SLUG = re.compile(r"[a-z0-9-]{1,40}")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param("A fox in the snow", "a-fox-in-the-snow", id="words"),
        pytest.param("  Hello,   World!  ", "hello-world", id="spaces-and-signs"),
        pytest.param("Füchse über Österreich", "fuchse-uber-osterreich", id="accents"),
        pytest.param("../../etc/passwd", "etc-passwd", id="traversal"),
        pytest.param("C:\\Windows\\nul", "c-windows-nul", id="windows"),
        pytest.param("狐", "untitled", id="no-ascii"),
        pytest.param("", "untitled", id="empty"),
        pytest.param("---", "untitled", id="dashes"),
        pytest.param("x" * 100, "x" * 40, id="long"),
        pytest.param("a" * 39 + " b", "a" * 39, id="cut-at-a-dash"),
        pytest.param("line\none\ttwo\0three", "line-one-two-three", id="control-characters"),
        pytest.param("ﬁne ½", "fine-12", id="ligatures"),
    ],
)
def test_a_slug_is_readable(title: str, expected: str) -> None:
    """Letters and digits stay, everything else becomes single dashes."""
    assert expected == slug(title)


@given(st.text(max_size=300))
def test_any_title_makes_a_safe_slug(title: str) -> None:
    """Whatever a prompt holds, its slug is 1 to 40 of a-z, 0-9 and dashes, without a dash at either end or two in a row."""
    made = slug(title)
    assert SLUG.fullmatch(made)
    assert made == made.strip("-")
    assert "--" not in made
    assert made == slug(made)


@given(st.text(max_size=60), st.sampled_from(["images", "videos"]), st.sampled_from(["jpg", "mp4"]))
def test_any_title_makes_a_safe_key(title: str, where: str, extension: str) -> None:
    """A key is the folder of its type, day and file: three parts, none of which leads anywhere else."""
    key = FileNaming(spec_named({"images": "image", "videos": "video"}[where]), title, "0123456789abcdef").key(extension)
    folder, day, name = PurePosixPath(key).parts
    assert where == folder
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    assert re.fullmatch(rf"[a-z0-9-]{{1,40}}-01234567-[0-9a-f]{{6}}\.{extension}", name)


def test_a_key_is_of_today() -> None:
    """By the clock of the world, not of the machine."""
    before = datetime.now(timezone.utc).date().isoformat()
    key = FileNaming(spec_named("image"), "a fox", "7f3a9c12" + "0" * 32).key("jpg")
    assert key.split("/")[1] in {before, datetime.now(timezone.utc).date().isoformat()}
    assert key.split("/")[2].startswith("a-fox-7f3a9c12-")


def test_no_two_keys_are_the_same() -> None:
    """Two processes that keep the same file write to two names."""
    name = FileNaming(spec_named("image"), "a fox", "f" * 40)
    assert 50 == len({name.key("jpg") for _ in range(50)})  # of 16 million


@pytest.mark.parametrize("folder", ["", "images", "ledger", "derived", "batches", "../up", "a/b", "Speech"])
def test_files_need_a_folder_of_their_own(folder: str) -> None:
    """A type of files without a folder, with that of another type, or with one of the library's own is no type."""
    spec = replace(spec_named("video"), kind="music", folder=folder)
    with pytest.raises(ValueError, match="'music' need a folder of their own"):
        register(spec)
    assert "music" not in {known.kind for known in specs()}


def test_a_folder_is_called_what_its_type_says() -> None:
    """No letter is put to the name of a type: files of music are in the folder that it names, and are served from it."""
    spec = replace(spec_named("video"), kind="music", folder="music")
    register(spec)
    try:
        key = FileNaming(spec, "a fox", "7f3a9c12" + "0" * 32).key("mp4")
        assert key.startswith("music/")
        assert "video/mp4" == media_type_served(key)
    finally:
        unregister("music")
    assert media_type_served(key) is None
