"""The commands that only read: without Prefect, without a trace on the disk, and in JSON for programs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_together import catalog, sandbox
from prefect_together._internal.event_loop import run
from prefect_together.cli.libraries import library_above
from prefect_together.cli.library_commands import ShownState
from prefect_together.cli.main import main
from prefect_together.engine.bill import last_billed_month
from prefect_together.ledger.ledger import Attempt, Ledger, State
from prefect_together.ledger.queries import in_words
from prefect_together.storage.storage import Storage

pytestmark = pytest.mark.slow

FLUX, WHISPER = "black-forest-labs/FLUX.2-pro", "openai/whisper-large-v3"
KEY = "ab" * 20
PICTURE = f"images/2026-11-27/fox-{KEY[:8]}-000000.png"


async def _fill(storage: Storage) -> None:
    """Write a ledger: a picture whose cost was reported, one by list price, one of unknown outcome, one of no known price."""
    asked = {"kind": "image", "model": FLUX, "title": "a fox", "realm": "together", "estimated_cost": "0.03"}
    request = {"model": FLUX, "prompt": "a fox"}
    await storage.write(PICTURE, b"x")
    media = {
        "kind": "image", "uri": storage.uri(PICTURE), "sha256": "0" * 64, "size": 1, "media_type": "image/png",
        "width": 8, "height": 8, "created_at": "2026-11-27T10:00:00+00:00", "model": FLUX, "prompt": "a fox",
    }  # fmt: skip
    ledger = Ledger(storage)
    entries: list[tuple[Attempt, str, dict[str, Any], dict[str, Any]]] = [
        (Attempt(KEY, "any", 1), "stored", asked, {"media": [{**media, "cost": "0.04"}]}),
        (Attempt("1" * 40, "any", 1), "stored", asked, {"media": [media]}),
        (Attempt("2" * 40, "any", 1), "unknown", {**asked, "flow_run": "run-1"}, {"why": "cut off"}),
        (Attempt("3" * 40, "any", 1), "unknown", {**asked, "model": WHISPER, "estimated_cost": None}, {}),
        (Attempt("4" * 40, "any", 1), "refused", asked, {}),
        (Attempt("5" * 40, "any", 1), "stored", {**asked, "realm": "loopback"}, {"media": [media]}),
    ]
    for attempt, event, claim, entry in entries:
        await ledger.record(attempt, "claimed", {**claim, "request": request})
        await ledger.record(attempt, event, entry)  # type: ignore[arg-type]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a library with a ledger of six."""
    folder = tmp_path / "library"
    run(_fill(Storage(str(folder))))
    return folder


READERS = (
    "ledger", "ledger --json", "spending --by model", f"trace {KEY}", f"replay {KEY}", "verify --quick", "gallery", "bill",
    "catalog", f"catalog {FLUX}", "catalog --check",
)  # fmt: skip
CODE = """
import sys
from prefect_together.cli import main
for words in sys.argv[1:]:
    print(words, main(words.split()), "prefect" in sys.modules, file=sys.stderr)
"""


def test_what_only_reads_imports_no_prefect(library: Path) -> None:
    """Whether the library is named or is that of the environment: Prefect takes seconds to import, and is not needed."""
    words = [*READERS, *(f"{one} --library {library}" for one in READERS if "catalog" not in one)]
    with sandbox.serve() as together:
        variables = {
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(library),
            "TOGETHER_BASE_URL": together.url,
            "TOGETHER_API_KEY": together.api_key,
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE, *words],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert [f"{one} 0 False" for one in words] == done.stderr.splitlines()


LOADED = """
import sys
from prefect_together.cli import main
from prefect_together.generations.registry import _specs
HEAVY = {"prefect", "httpx", "aiohttp", "PIL", "av", "numpy", "pandas", "pyarrow", "sqlalchemy", "prefect_together.tasks"}
for words in sys.argv[1:]:
    assert main(words.split()) == 0
    print(words, *sorted(HEAVY & set(sys.modules)), *sorted(_specs), file=sys.stderr)
"""


def test_what_only_reads_imports_what_it_shows(library: Path) -> None:
    """Nearly all the time of a reading command is imports: no network, no media, and of the generation types those that it shows."""
    place = f"--library {library}"
    commands = {
        f"ledger {place}": "",
        f"spending {place}": "",
        "catalog": "",
        f"trace {KEY} {place}": " image",
        f"replay {KEY} {place}": " image",
        f"gallery {place}": " chat completion embedding image rerank speech transcription translation video",
    }
    command = [sys.executable, "-c", LOADED, *commands]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [f"{words}{loaded}" for words, loaded in commands.items()] == done.stderr.splitlines()


def _lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert 0 == main(list(words))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_spending_keeps_kinds_of_knowledge_apart(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reported, estimated, uncertain and unknown are no one sum; what was refused is free, and a sandbox takes no money."""
    monkeypatch.delenv("TOGETHER_BASE_URL", raising=False)
    place = ("--library", str(library))
    found = {line.pop("model"): line for line in _lines(capsys, "spending", "--by", "model", "--json", *place)}
    costs = {"reported": "0.04", "estimated": "0.03", "uncertain": "0.03"}
    assert {"requests": 3, **costs, "unknown": 0} == found[FLUX]
    assert {"requests": 1, "reported": "0", "estimated": "0", "uncertain": "0", "unknown": 1} == found[WHISPER]
    by_run = {
        line["flow_run"]: line["requests"] for line in _lines(capsys, "spending", "--by", "flow-run", "--json", *place)
    }
    assert {"outside of flows": 3, "run-1": 1} == by_run
    assert [] == _lines(capsys, "spending", "--month", "2001-01", "--json", *place)
    assert 4 == _lines(capsys, "spending", "--by", "month", "--json", *place)[0]["requests"]
    assert 0 == main(["spending", "--by", "kind", *place])
    out = capsys.readouterr().out
    assert ["image", "4", "$0.04", "$0.03", "$0.03", "1"] == out.splitlines()[1].split()
    assert "In no sum: 1 request sent elsewhere" in out
    assert 0 == main(["spending", "--by", "model", "--json", *place])
    assert "In no sum: 1 request sent elsewhere, such as to a sandbox.\n" == capsys.readouterr().err
    assert last_billed_month()[:4] in _lines(capsys, "spending", "--json", *place)[0]["day"]


def test_a_story_is_told_to_programs(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace --json` has the request, the result, and what it was made from."""
    (told,) = _lines(capsys, "trace", KEY, "--json", "--library", str(library))
    assert ("ledger", "a fox", []) == (told["known_from"], told["request"]["prompt"], told["made_from"])
    assert "0.04" == told["result"]["cost"]


def test_the_ledger_tells_a_sandboxs_money(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked of a sandbox says so, on the screen and to programs: it was never paid."""
    assert 0 == main(["ledger", "--library", str(library)])
    marked = [line for line in capsys.readouterr().out.splitlines() if "(sandbox)" in line]
    assert 1 == len(marked)
    found = {
        line["key"].partition("/")[0]: line["sandbox"]
        for line in _lines(capsys, "ledger", "--json", "--library", str(library))
    }
    assert {name: name.startswith("5") for name in found} == found


def test_a_file_is_known_by_the_library_that_it_lies_in(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its path or its address, whatever the default library is; a folder that is no library is none."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "another"))
    monkeypatch.chdir(library)
    for file in (PICTURE, str(library / PICTURE), (library / PICTURE).as_uri()):
        assert 0 == main(["trace", file])
        assert "known from:  ledger" in capsys.readouterr().out
        assert 0 == main(["replay", file])
        assert "a fox" in capsys.readouterr().out
    assert library_above(str(library / PICTURE)) == str(library)
    assert [None] * 4 == [
        library_above(name) for name in ("a.png", str(library / "fox.png"), "s3://bucket/images/2026-11-27/fox.png", KEY)
    ]
    (tmp_path / "images" / "2026-11-27").mkdir(parents=True)
    assert library_above(str(tmp_path / PICTURE)) is None


def test_states_are_those_of_the_ledger() -> None:
    """`--state` takes every state that an attempt can be in, in the words that users read, and no other."""
    from typing import get_args

    assert {in_words(state) for state in get_args(State)} == set(get_args(ShownState))


def test_the_catalogue_says_what_a_model_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """In a line of the list, in full for one model, and for programs; what is not offered is not listed."""
    assert 0 == main(["catalog", "--kind", "video"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " minimax/hailuo-02 " in line]
    assert "1366x768, 1920x1080; 6, 10 s; reference_images" in line
    assert 0 == main(["catalog", "minimax/hailuo-02"])
    out = capsys.readouterr().out
    assert re.search(r"no negative_prompt: +use saying in the prompt what you want", out)
    assert re.search(r"price: +\$0.56 per video", out)
    kinds = {line["kind"] for line in _lines(capsys, "catalog", "--json")}
    assert {model.kind for model in catalog.models() if model.listed} == kinds
    (flux,) = _lines(capsys, "catalog", FLUX.lower(), "--json")
    assert ("0.03", False) == (flux["price"]["usd"], flux["takes"]["steps"])


def test_a_part_of_an_id_lists_all_that_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its capitals, for programs too, and of one kind where that is asked for."""
    assert 0 == main(["catalog", "flux.2"])
    shown = capsys.readouterr().out
    assert FLUX in shown
    assert "hailuo" not in shown
    ids = [line["id"] for line in _lines(capsys, "catalog", "FLUX", "--json")]
    assert len(ids) > 1
    assert all("flux" in name.lower() for name in ids)
    assert 1 == main(["catalog", "flux", "--kind", "chat"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [("hexgrad/Kokoro-82", "hexgrad/Kokoro-82M"), ("minimax/hailuo-2", "minimax/hailuo-02"), ("FLUX.2-proo", FLUX)],
)
def test_a_model_that_there_is_not(written: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is spelled alike is named."""
    assert 1 == main(["catalog", written])
    assert f"There is no model {written!r} in the catalogue: did you mean {meant}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_a_terminal_has_colours(variables: dict[str, str], coloured: bool, library: Path) -> None:
    """States have colours on a terminal, unless NO_COLOR or the terminal itself says otherwise; a pipe has none."""
    ours, theirs = pty.openpty()
    hidden = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-m", "prefect_together.cli", "ledger", "--limit", "1", "--library", str(library)]
    done = subprocess.run(
        command, env={**environment, "TERM": "xterm", **variables}, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
        timeout=120, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert (0, b"") == (done.returncode, done.stderr)
    assert ("\x1b[3" in shown) == coloured
    piped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "\x1b" not in piped.stdout + piped.stderr
