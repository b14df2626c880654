"""The table flow: a table in, pictures and tables out; killed at any row and started again, every row is made once."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from prefect_together import BatchFailed, BatchResult, Plan, requests_from_table
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.sandbox import Sandbox
from prefect_together.storage.object_store import open_store

from .. import forking
from ..forking import Process
from ..waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AWKWARD = (
    "{}",
    ' a sign with the words "Fly an airplane" {} on a wall. ',
    '"{}" in neon',
    "it’s a “café” in São Luís, number {}",
    "three o'clock\\{} on a boat's clock; a tie, and a | b",
    "a very long sentence about picture {}" + ", and so on" * 32,
    "a fox 🦊 und ein Füchslein {} 狐",
)
"""Prompts as people have them in tables: quotes within, spaces around, letters of all kinds, one word or four hundred letters."""
POST = "/v1/images/generations"

WORKER = """
import json, sys
from prefect import flow
from prefect_together import SpendLimit, generate_batch, requests_from_table

@flow
def run(path, on_unknown):
    constants = {"model": "black-forest-labs/FLUX.2-pro", "width": 64, "height": 64}
    table, limit = requests_from_table(path, constants=constants), SpendLimit(name="just enough", usd="1.80")
    return generate_batch(table, name="killed", concurrency=4, on_unknown=on_unknown, limit=limit)

result = run(sys.argv[1], sys.argv[2])
print(json.dumps(result.counts))
"""


def _flow() -> Any:
    spec = importlib.util.spec_from_file_location("prompt_table", ROOT / "flows" / "prompt_table.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _table(folder: Path, rows: int) -> Path:
    path = folder / "prompts.csv"
    lines = ["prompt,animal", *(f"picture {row} of a fox,fox {row}" for row in range(rows))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_plan_of_clips_goes_on_where_a_picture_is_gone(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """A picture that was kept and is gone, and one that cannot be made: both rows say so, the others are planned."""
    module, table = _flow(), tmp_path / "a.csv"
    options: dict[str, Any] = {"width": 64, "height": 64, "out": str(tmp_path / "out")}
    table.write_text("prompt,image_url\na fox,\na hen,\n", encoding="utf-8")
    (result,) = module.prompt_table(str(table), **options)
    result.media[0].path().unlink()
    table.write_text("prompt,image_url\na fox,\na hen,\na cat,no-such.png\na dog,\n", encoding="utf-8")
    found = module.prompt_table(str(table), plan=True, clip_model="sandbox/tiny", **options)
    assert (1 + 2, 1, 2 + 1) == (found.send, found.reused, found.refused), found.text()
    assert ["Row 1: ", "Row 3: ", "Row 1: "] == [problem[:7] for problem in found.problems]
    assert ["not in the library any more", "no file 'no-such.png'", "not in the library any more"] == [
        next(said for said in ("not in the library any more", "no file 'no-such.png'") if said in problem)
        for problem in found.problems
    ]
    assert 2 == len(together_sandbox.charges())


def test_a_table_in_tables_out(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """Pictures and clips of six rows, one of them bad; the plan says so before, and both tables have all columns."""
    module, table = _flow(), _table(tmp_path, 5)
    table.write_text(table.read_text(encoding="utf-8") + ",no prompt\n", encoding="utf-8")
    options: dict[str, Any] = {"width": 64, "height": 64, "out": str(tmp_path / "out")}
    planned = module.prompt_table(str(table), plan=True, **options)
    assert isinstance(planned, Plan)
    assert (5, 1) == (planned.send, planned.refused)
    assert 0 == together_sandbox.count(POST)
    results: list[Any] = module.prompt_table(str(table), clip_model="sandbox/tiny", **options)
    assert [(5, 1), (5, 0)] == [(one.kept, one.refused) for one in results]
    assert 10 == len(together_sandbox.charges())
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [*(f"fox {row}" for row in range(5)), "no prompt"] == [row["animal"] for row in rows]
    assert "Row 6, column 'prompt'" in rows[5]["error"]
    again: list[Any] = module.prompt_table(str(table), clip_model="sandbox/tiny", **options)
    assert [5, 5] == [one.reused for one in again]
    assert 10 == len(together_sandbox.charges())
    assert 6 == len(requests_from_table(tmp_path / "out.parquet", constants={"model": "m"}))
    assert results[0].contact_sheet
    last = module.report(results).splitlines()
    for name in ("out.parquet", "out.csv", "out-clips.parquet", "out-clips.csv"):
        assert 1 == sum(str(tmp_path / name) in line for line in last)
        assert (tmp_path / name).is_file()


def _prompts(folder: Path, rows: int) -> Path:
    """Write a table separated by tabs, quoted nowhere."""
    path = folder / "prompts.tsv"
    lines = ["Prompt\tCategory\tNote", *(f"{AWKWARD[row % len(AWKWARD)].format(row)}\tAbstract\t" for row in range(rows))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _killed(command: list[str], environment: dict[str, str], together: Sandbox, after: int) -> None:
    """Start a command and kill it as soon as so much is charged."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, Process(command, env=environment, out=nowhere) as process:
        try:
            until("so much is charged", lambda: len(together.charges()) >= after or process.poll() is not None, every=0.002)
            assert process.poll() is None, "it ended before it could be killed"
        finally:
            process.kill()


@pytest.mark.parametrize("after", [1, 20, 47])
def test_killed_at_any_row_and_started_again(
    after: int, together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """Killed after so many charges: the next run makes the others. Only what was in flight then is unknown.

    The limit is just enough for all rows, so what the killed run had reserved and not sent is there for the next one.
    """
    table = _table(tmp_path, 60)
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    command = ["-c", WORKER, str(table), "fail"]
    _killed(command, environment, together_sandbox, after)
    done = forking.run(command, env=environment)
    assert 0 == done.returncode, done.stderr[-2000:]
    counts = json.loads(done.stdout.strip().splitlines()[-1])
    made = counts["kept"] + counts["reused"]
    assert 60 == made + counts["unknown"], counts
    assert counts["unknown"] <= 4
    assert made <= len(together_sandbox.charges()) <= 60


def test_killed_again_and_again(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """The flow itself on awkward prompts, killed three times anywhere: every row is made once.

    Only what was in flight when it was killed may have been charged twice: one accident of $0.03 is forgiven each row.
    """
    rows, width, kills = 300, 8, 3
    prompts = _prompts(tmp_path, rows + 1)
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    command = [str(ROOT / "flows" / "prompt_table.py"), "--table", str(prompts), "--rows", str(rows)]
    command += ["--width", "64", "--height", "64", "--concurrency", str(width), "--out", str(tmp_path / "out")]
    for after in sorted(random.Random(7).sample(range(1, rows - 60), kills)):
        _killed(command, environment, together_sandbox, after)
    done = forking.run(command, env=environment)
    assert 0 == done.returncode, done.stderr[-2000:]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        made = list(csv.DictReader(file))
    assert [row.columns["Prompt"] for row in requests_from_table(prompts, constants={"model": "m"}, rows=rows)] == [
        row["Prompt"] for row in made
    ]
    assert {"kept", "reused"} == {row["status"] for row in made}
    charges = Counter(charge.prompt for charge in together_sandbox.charges())
    assert {row["Prompt"].strip() for row in made} == set(charges)
    assert sum(charges.values()) - len(charges) <= kills * width
    assert max(charges.values()) <= 2


def test_all_of_a_long_table(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """A thousand awkward prompts on the sandbox; again: no request, and every row reused."""
    module, prompts = _flow(), _prompts(tmp_path, 1000)
    options: dict[str, Any] = {"width": 64, "height": 64, "out": str(tmp_path / "out")}
    (first,) = module.prompt_table(str(prompts), **options)
    assert 1000 == first.kept + first.reused
    charged, asked = len(together_sandbox.charges()), len(together_sandbox.requests())
    assert first.kept == charged
    (again,) = module.prompt_table(str(prompts), **options)
    assert 1000 == again.reused
    assert (charged, asked) == (len(together_sandbox.charges()), len(together_sandbox.requests()))


def _one_row(tmp_path: Path) -> Path:
    table = tmp_path / "one.csv"
    table.write_text("prompt\na teapot\n", encoding="utf-8")
    return table


@pytest.mark.parametrize("place", ["no folder", "a folder", "read-only", "s3"])
def test_an_output_that_cannot_be_written_costs_nothing(
    place: str, together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the tables could not be written is found out before the first row is sent."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "taken.csv").mkdir()
    if place == "s3":
        monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        monkeypatch.setattr("prefect_together.storage.storage.open_store", _impatient)
    out = {
        "no folder": str(tmp_path / "file" / "out"),
        "a folder": str(tmp_path / "taken"),
        "read-only": "/proc/out",
        "s3": "s3://no-such/out",
    }[place]
    with pytest.raises((InvalidRequest, LibraryError)) as caught:
        _flow().prompt_table(str(_one_row(tmp_path)), out=out)
    assert "paid" not in str(caught.value)
    assert 0 == together_sandbox.count("/v")


def _impatient(url: str, options: dict[str, Any], *, patient: bool = False) -> Any:
    return open_store(url, {**options, "retry_config": {"max_retries": 0}})


def test_a_second_batch_that_fails_leaves_the_first_ones_table(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """The table of the pictures is there, and so is that of the clips that failed, with what is known of them."""
    together_sandbox.fault("POST /v2/videos", "422", times=None)
    with pytest.raises(BatchFailed) as caught:
        _flow().prompt_table(
            str(_one_row(tmp_path)), width=64, height=64, clip_model="minimax/hailuo-02", out=str(tmp_path / "out")
        )
    assert "Nothing was paid" not in str(caught.value)
    (still,) = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
    (clip,) = csv.DictReader((tmp_path / "out-clips.csv").read_text(encoding="utf-8").splitlines())
    assert ("kept", "failed") == (still["status"], clip["status"])
    assert str(tmp_path / "out-clips.csv") in str(caught.value)


def test_one_table_that_cannot_be_written_does_not_keep_the_other(
    together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is gone when the first table is written: the other one is tried, and the error does not speak of money."""
    real = BatchResult.write_table

    def write(self: BatchResult, path: str, **options: Any) -> str:
        if path.endswith(".parquet"):
            raise LibraryError(f"The table {path} cannot be written: it is gone.")
        return real(self, path, **options)

    monkeypatch.setattr(BatchResult, "write_table", write)
    with pytest.raises(LibraryError) as caught:
        _flow().prompt_table(str(_one_row(tmp_path)), width=64, height=64, out=str(tmp_path / "out"))
    assert "paid" not in str(caught.value)
    assert (tmp_path / "out.csv").exists()
    assert 1 == together_sandbox.count("/v1/images")


def test_a_table_of_a_database_comes_out(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """An address of a database is taken as it is, and the clips get a table beside that of the pictures."""
    pytest.importorskip("sqlalchemy")
    module, table = _flow(), _table(tmp_path, 2)
    out = f"sqlite:///{tmp_path / 'shop.db'}"
    module.prompt_table(str(table), clip_model="sandbox/tiny", width=64, height=64, out=f"{out}#pictures")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        assert [2, 2] == [
            shop.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in ("pictures", "pictures-clips")
        ]
    with pytest.raises(InvalidRequest, match=rf"Name the table in {out}: table="):
        module.prompt_table(str(table), width=64, height=64, out=out)
    assert 4 == len(together_sandbox.charges())
