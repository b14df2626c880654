"""`prefect-together` on the command line: what is wrong is one sentence, and what only looks changes nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from prefect_together.cli.main import main
from prefect_together.errors import TRACEBACKS, InvalidRequest


def _main(words: list[str]) -> int:
    """Return the exit code, whichever way the command ends."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(str(ended.code))


READERS = [["ledger"], ["gallery"], ["reconcile"], ["trace", "a.png"], ["replay", "a.png"]]


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
@pytest.mark.parametrize("place", ["no/such", "s3:/bucket", "empty"])
def test_a_library_that_is_not_there_is_said(
    command: list[str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command says that there is no library, in one sentence, and leaves the disk as it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert (2 if place == "s3:/bucket" else 1) == _main([*command, "--library", place])
    said = capsys.readouterr()
    assert "" == said.out
    assert 1 == len(said.err.splitlines())
    assert "media library" in said.err
    assert place in said.err
    assert [tmp_path / "empty"] == list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("galery", "there is no command 'galery': did you mean gallery?"),
        ("--verison", "there is no option --verison: did you mean --version?"),
        ("ledger --libary x", "there is no option --libary: did you mean --library?"),
        ("ledger --lim 3", "there is no option --lim: did you mean --limit?"),
        ("gallery --titel=x", "there is no option --titel: did you mean --title?"),
        ("ledger --state done", "argument --state: 'done' is none of stored, adopted"),
        ("ledger --state stord", "did you mean stored?"),
        ("ledger --limit -3", "argument --limit: -3 is less than 1"),
        ("ledger --limit 0", "argument --limit: 0 is less than 1"),
        ("ledger --limit few", "argument --limit: 'few' is no whole number"),
        ("reconcile --wait -1", "argument --wait: -1 is less than 0"),
        ("reconcile --wait nan", "argument --wait: 'nan' is no number"),
        ("reconcile --forget a --resubmit b", "argument --resubmit: not allowed with argument --forget"),
        ("sandbox --port 70000", "argument --port: 70000 is more than 65535"),
        ("sandbox --render-seconds -1", "argument --render-seconds: -1 is less than 0"),
        ("sandbox --host 0.0.0.0", "argument --host: '0.0.0.0' is no address of this machine alone"),
        ("replay a.png b.png", "'b.png' is more than it takes"),
        ("trace", "the following arguments are required: file"),
        ("", "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line that names what is wrong and what was probably meant, and nothing is done."""
    assert 2 == _main(words.split())
    shown = capsys.readouterr()
    assert "" == shown.out
    assert said in shown.err
    assert 1 == len(shown.err.splitlines())


def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Who starts the sandbox twice reads so, without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert 2 == _main(["sandbox", "--port", str(port)])
    said = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use. Is it running already?" in said
    assert 1 == len(said.splitlines())


def test_a_traceback_is_shown_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--traceback` lets an error out as it is."""
    monkeypatch.setenv(TRACEBACKS, "")
    with pytest.raises(InvalidRequest, match="no media library"):
        main(["ledger", "--traceback", "--library", str(tmp_path / "none")])
