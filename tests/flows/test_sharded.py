"""One table, several processes of a task runner: they share its rows and return one result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox

from .conftest import Command

pytestmark = pytest.mark.slow

IMAGES = "POST /v1/images/generations"
ROWS = 24


def test_processes_of_a_task_runner_share_a_table(
    command: Command, load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each row is paid for once, by one of the two; the table that comes out has all of them in order; again costs nothing."""
    together_sandbox.fault(IMAGES, "accept_then_delay", seconds=1.5, times=ROWS)
    rows = tmp_path / "rows.csv"
    rows.write_text("prompt\n" + "".join(f"fox {number}\n" for number in range(ROWS)), encoding="utf-8")
    told = {"table": str(rows), "width": 64, "height": 64, "chunk_size": 2, "concurrency": 2}
    options = [text for name, value in told.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    ended = command("sharded.py", *options, "--workers", "2", "--out", "out.csv")
    assert (0, f"{ROWS} kept") == (ended.returncode, ended.stdout.splitlines()[1].partition(".")[0]), ended.stderr
    assert ROWS == len(together_sandbox.charges())
    claims = [json.loads(path.read_bytes()) for path in (tmp_path / "library" / "ledger").rglob("*-claimed.json")]
    assert 2 == len(Counter(claim["owner"]["pid"] for claim in claims))
    out = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [f"fox {number}" for number in range(ROWS)] == [line.split(",")[0] for line in out]
    assert ROWS == load("sharded").sharded(**told).reused
    assert ROWS == len(together_sandbox.charges())
