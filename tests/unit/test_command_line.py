"""`prefect-together` on the command line: what is wrong is one sentence, and what only looks changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_together.cli.main import main

READERS = [["ledger"], ["gallery"], ["reconcile"], ["trace", "a.png"], ["replay", "a.png"]]


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
@pytest.mark.parametrize("place", ["no/such", "s3:/bucket", "empty"])
def test_a_library_that_is_not_there_is_said(
    command: list[str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command says that there is no library, in one sentence, and leaves the disk as it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert 1 == main([*command, "--library", place])
    said = capsys.readouterr()
    assert "" == said.out
    assert 1 == len(said.err.splitlines())
    assert "media library" in said.err
    assert place in said.err
    assert [tmp_path / "empty"] == list(tmp_path.rglob("*"))
