"""The table flow: a table in, pictures and tables out; killed at any row and started again, every row is made once."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prefect_together import BatchResult, Plan, requests_from_table
from prefect_together.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
PROMPTS = Path(os.environ.get("PARTI_PROMPTS") or ROOT.parent / "shared" / "data" / "PartiPrompts.tsv")
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
    results: list[BatchResult] = module.prompt_table(str(table), clip_model="sandbox/tiny", **options)
    assert [(5, 1), (5, 0)] == [(result.kept, result.refused) for result in results]
    assert 10 == len(together_sandbox.charges())
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [*(f"fox {row}" for row in range(5)), "no prompt"] == [row["animal"] for row in rows]
    assert "Row 6, column 'prompt'" in rows[5]["error"]
    again: list[BatchResult] = module.prompt_table(str(table), clip_model="sandbox/tiny", **options)
    assert [5, 5] == [result.reused for result in again]
    assert 10 == len(together_sandbox.charges())
    assert 6 == len(requests_from_table(tmp_path / "out.parquet", constants={"model": "m"}))
    assert results[0].contact_sheet


def _killed(command: list[str], environment: dict[str, str], together: Sandbox, after: int) -> None:
    """Start a command and kill it as soon as so much is charged."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(together.charges()) < after:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("after", [1, 20, 47])
def test_killed_at_any_row_and_started_again(
    after: int, together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """Killed after so many charges: the next run makes the others. Only what was in flight then is unknown.

    The limit is just enough for all rows, so what the killed run had reserved and not sent is there for the next one.
    """
    table = _table(tmp_path, 60)
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    command = [sys.executable, "-c", WORKER, str(table), "fail"]
    _killed(command, environment, together_sandbox, after)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr[-2000:]
    counts = json.loads(done.stdout.strip().splitlines()[-1])
    made = counts["kept"] + counts["reused"]
    assert 60 == made + counts["unknown"], counts
    assert counts["unknown"] <= 4
    assert made <= len(together_sandbox.charges()) <= 60


@pytest.mark.skipif(not PROMPTS.exists(), reason="the table of PartiPrompts is not here")
@pytest.mark.timeout(600)
def test_killed_again_and_again(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """The flow itself on real prompts, killed three times anywhere: every row is made once.

    Only what was in flight when it was killed may have been charged twice: one accident of $0.03 is forgiven each row.
    """
    rows, width, kills = 300, 8, 3
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    command = [sys.executable, str(ROOT / "flows" / "prompt_table.py"), "--table", str(PROMPTS), "--rows", str(rows)]
    command += ["--width", "64", "--height", "64", "--concurrency", str(width), "--out", str(tmp_path / "out")]
    for after in sorted(random.Random(7).sample(range(1, rows - 60), kills)):
        _killed(command, environment, together_sandbox, after)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert 0 == done.returncode, done.stderr[-2000:]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        made = list(csv.DictReader(file))
    assert [row.columns["Prompt"] for row in requests_from_table(PROMPTS, constants={"model": "m"}, rows=rows)] == [
        row["Prompt"] for row in made
    ]
    assert {"kept", "reused"} == {row["status"] for row in made}
    charges = Counter(charge.prompt for charge in together_sandbox.charges())
    assert {row["Prompt"] for row in made} == set(charges)
    assert sum(charges.values()) - len(charges) <= kills * width
    assert max(charges.values()) <= 2


@pytest.mark.skipif(not PROMPTS.exists(), reason="the table of PartiPrompts is not here")
def test_all_of_parti_prompts(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """1,632 real prompts on the sandbox; again: no request, and every row reused."""
    module = _flow()
    options: dict[str, Any] = {"width": 64, "height": 64, "out": str(tmp_path / "out")}
    (first,) = module.prompt_table(str(PROMPTS), **options)
    assert 1632 == first.kept + first.reused
    charged, asked = len(together_sandbox.charges()), len(together_sandbox.requests())
    assert first.kept == charged
    (again,) = module.prompt_table(str(PROMPTS), **options)
    assert 1632 == again.reused
    assert (charged, asked) == (len(together_sandbox.charges()), len(together_sandbox.requests()))
    print(f"first {first.seconds:.1f} s, again {again.seconds:.1f} s")
