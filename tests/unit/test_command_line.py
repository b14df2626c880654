"""`prefect-together` on the command line: what is wrong is one sentence, and what only looks changes nothing."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from prefect_together.cli.main import main
from prefect_together.cli.wording import on_the_command_line
from prefect_together.errors import TRACEBACKS, InvalidRequest


def _main(words: list[str]) -> int:
    """Return the exit code, whichever way the command ends."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(str(ended.code))


READERS = [
    ["ledger"],
    ["spending"],
    ["gallery"],
    ["reconcile"],
    ["bill"],
    ["trace", "a.png"],
    ["replay", "a.png"],
    ["verify"],
]


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
        ("init --hlp", "there is no option --hlp: did you mean --help?"),
        ("ledger --state done", "--state: 'done' is none of kept, adopted"),
        ("ledger --state ketp", "did you mean kept?"),
        ("ledger --limit -3", "--limit: '-3' is not taken: must be >= 1"),
        ("ledger --limit 0", "--limit: '0' is not taken: must be >= 1"),
        ("ledger --limit few", "--limit: 'few' is not a whole number"),
        ("ledger --limit", "--limit needs a value"),
        ("ledger --limit 1 --limit 2", "--limit is given more than once"),
        ("spending --by weekday", "--by: 'weekday' is none of day, month, model, kind, flow-run"),
        ("spending --by modle", "did you mean model?"),
        ("catalog --kind vidoe", "did you mean video?"),
        ("reconcile --wait -1", "--wait: '-1' is not taken: 0 is the least"),
        ("reconcile --wait nan", "--wait: 'nan' is not taken: give a number"),
        ("bill --month 2026-13", "--month: '2026-13' is not taken: give a month such as 2026-11"),
        ("bill --month 2026-1", "--month: '2026-1' is not taken: give a month such as 2026-11"),
        ("bill --month november", "--month: 'november' is not taken: give a month such as 2026-11"),
        ("bill --granularity week", "--granularity: 'week' is none of day, hour"),
        ("bill --granularity hours", "did you mean hour?"),
        ("reconcile --forget a --resubmit b", "mutually exclusive arguments: {--forget, --resubmit}"),
        ("sandbox --port 70000", "--port: '70000' is not taken: must be <= 65535"),
        ("sandbox --render-seconds -1", "--render-seconds: '-1' is not taken: 0 is the least"),
        ("sandbox --host 0.0.0.0", "--host: '0.0.0.0' is not taken: give an address of this machine alone"),
        ("replay a.png b.png", "'b.png' is more than it takes"),
        ("trace", "FILE is missing"),
        ("trace --traceback", "FILE is missing"),
        ("", "a command is missing (see `prefect-together --help`)"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line that names what is wrong and what was probably meant, and nothing is done."""
    monkeypatch.setenv(TRACEBACKS, "")
    assert 2 == _main(words.split())
    shown = capsys.readouterr()
    assert "" == shown.out
    assert said in shown.err
    assert 1 == len(shown.err.splitlines())


@pytest.mark.parametrize("words", ["gallery --file=x", "ledger --gate 3", "spending --by wide", "catalog --kind smile"])
def test_another_word_is_not_suggested(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what is spelled nearly alike is: a suggestion that nobody can mean is worse than none."""
    assert 2 == _main(words.split())
    said = capsys.readouterr().err
    assert "did you mean" not in said
    assert "--help" in said


@pytest.mark.parametrize("words", [["--help"], ["ledger", "--help"]], ids=len)
def test_help_says_what_the_exit_codes_mean(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each code is named, of the commands together and of each."""
    assert 0 == _main(words)
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{code} " in said.partition("Exit codes: ")[2] for code in (0, 1, 2, 130))


def test_every_command_has_a_line_in_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """The page of the commands names those that there are, and no others."""
    assert 0 == _main(["--help"])
    listed = set(re.findall(r"^│ ([a-z]+)  ", capsys.readouterr().out, re.MULTILINE))
    page = (Path(__file__).parents[2] / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert listed == set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE))
    assert {"init", "ledger", "spending"} <= listed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Completions can be installed for each shell, and know commands, options and values."""
    monkeypatch.setenv("HOME", str(tmp_path))  # the shell's own start-up file names them
    assert 0 == _main(["--install-completion", "--shell", shell, "--output", str(tmp_path / "completion")])
    written = (tmp_path / "completion").read_text(encoding="utf-8")
    assert all(word in written for word in ("reconcile", "granularity", "hour"))


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


def test_a_missing_key_is_told_as_what_can_be_done_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that needs a key speaks of the environment, not of an argument of Python's."""
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "a.json").write_text("{}", encoding="utf-8")
    assert 1 == _main(["reconcile", "--library", str(tmp_path)])
    said = capsys.readouterr().err
    assert "set the TOGETHER_API_KEY environment variable, or try the sandbox" in said
    assert "credentials" not in said


PYTHON = re.compile(r"\b[a-z_]+=|\w\(\w")
"""An argument or a call of Python's."""


def test_no_advice_speaks_of_python() -> None:
    """Sentences that advise a program are advice for somebody at a command line where a command says them."""
    key = "a" * 40 + "/any/0001"
    said = {
        f'Lost. Look at your usage at Together, then run it again with on_unknown="resubmit" to send it again. Ledger key: {key}.': (
            f"`prefect-together reconcile --resubmit {key}`"
        ),
        "Job 1 still runs. Run it again, or wait_for_video(error.job), to go on waiting.": "Run it again to go on waiting.",
        'Gone. Restore it, or ask with reuse="never" for a new one.': "Restore it from a backup.",
        "x has two columns for prompt, 'a' and 'b': say which one is meant, columns={'prompt': 'b'}.": "remove one of them",
        "x has no column for prompt: it has promt. Name one in columns=, or give a template or a constant.": "this name in the table.",
        "The table x begins with the mark of UTF-16, and encoding= says 'utf-8': leave it out.": "save it as UTF-8",
    }
    for text, expected in said.items():
        assert PYTHON.search(text)
        assert expected in on_the_command_line(text)
        assert not PYTHON.search(on_the_command_line(text))


def test_a_bug_is_no_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A ValueError that nobody raised for people is shown with its origin."""

    def broken(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("prefect_together.cli.library_commands.opened", broken)
    with pytest.raises(ValueError, match="a bug"):
        main(["ledger", "--library", str(tmp_path)])
