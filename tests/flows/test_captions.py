"""Pictures become a table of captions: each is paid for once, by its bytes, wherever it is and however often it is asked."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from prefect_together import BatchResult, ImageRequest, Plan, generate_batch
from prefect_together.sandbox import Sandbox

from .conftest import Command, Killed

pytestmark = pytest.mark.slow

CHAT = "POST /v1/chat/completions"
ANIMALS = (
    "a red fox",
    "a grey heron",
    "a brown hare",
    "a green frog",
    "a black crow",
    "a white owl",
    "a blue tit",
    "a toad",
)


def _drawn(count: int) -> BatchResult:
    model: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro", "width": 256, "height": 192}
    return generate_batch([ImageRequest(prompt=animal, seed=7, **model) for animal in ANIMALS[:count]])


@pytest.fixture
def folder(tmp_path: Path, together_sandbox: Sandbox) -> Path:
    """Give a folder with eight pictures that the sandbox drew."""
    (tmp_path / "pictures" / "below").mkdir(parents=True)
    for number, picture in enumerate(_drawn(8).media):
        shutil.copy(picture.path(), tmp_path / "pictures" / ("below" if number == 0 else "") / f"{number}.jpg")
    return tmp_path / "pictures"


def _looks(together: Sandbox) -> list[str]:
    """Return what is charged for captions, an id each."""
    return [charge.id for charge in together.charges() if charge.kind == "chat"]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_only_new_pictures_cost_the_next_night(
    folder: Path, load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """New are new bytes: not another name, not the same picture twice. A broken file and a hidden one cost nothing."""
    flow, out = load("captions").captions, tmp_path / "captions.csv"
    (last := folder / "7.jpg").rename(tmp_path / "new.jpg")
    shutil.copy(folder / "1.jpg", folder / "1 again.JPG")
    (folder / "broken.png").write_text("no picture", encoding="utf-8")
    (folder / ".hidden.jpg").write_text("nothing", encoding="utf-8")
    planned = flow(str(folder), plan=True)
    assert isinstance(planned, Plan)
    assert (7, 1, 1) == (planned.send, planned.reused, planned.refused)
    assert [] == _looks(together_sandbox)
    first = flow(str(folder), out=str(out))
    assert (7, 1, 1) == (first.kept, first.reused, first.refused)
    assert 7 == len(_looks(together_sandbox))
    rows = {row["picture"].removeprefix(f"{folder}/"): row for row in _rows(out)}
    assert {"below/0.jpg", "1 again.JPG", "broken.png", *(f"{number}.jpg" for number in range(1, 7))} == set(rows)
    assert "a red fox" in rows["below/0.jpg"]["alt"]
    assert "a grey heron" == rows["1 again.JPG"]["text_in_picture"]
    assert "no picture" not in rows["broken.png"]["alt"]
    assert "broken.png" in rows["broken.png"]["error"]
    (tmp_path / "new.jpg").rename(last)
    (folder / "2.jpg").rename(folder / "renamed.jpg")
    second = flow(str(folder), out=str(out))
    assert (1, 8) == (second.kept, second.reused)
    assert 8 == len(_looks(together_sandbox))


def test_a_bucket(
    folder: Path,
    s3_endpoint: str,
    load: Callable[[str], Any],
    together_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its pictures are described as those of the folder are, which are the same by their bytes: nothing is paid again."""
    for name, value in {"ENDPOINT": s3_endpoint, "ALLOW_HTTP": "true", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "captions")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "captions")
    _bucket(s3_endpoint, folder)
    flow, out = load("captions").captions, tmp_path / "captions.csv"
    first = flow("s3://captions/shop", out=str(out))
    assert 8 == first.kept, first.problems[0].error
    assert sorted(f"s3://captions/shop/{number}.jpg" for number in range(8)) == [row["picture"] for row in _rows(out)]
    again = flow(str(folder), out=str(out))
    assert 8 == again.reused
    assert 8 == len(_looks(together_sandbox))


def _bucket(endpoint: str, folder: Path) -> None:
    import httpx

    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=captions/20260101/us-east-1/s3/aws4_request"}
    httpx.put(f"{endpoint}/captions", headers=signed, trust_env=False).raise_for_status()
    store = S3Store("captions")
    for picture in folder.rglob("*.jpg"):
        obstore.put(store, f"shop/{picture.name}", picture.read_bytes())


def test_the_table_of_another_batch(load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Its pictures are described, and its prompts, models and seeds are carried along: they are not what is asked here."""
    _drawn(2).write_table(tmp_path / "pictures.csv")
    result = load("captions").captions(str(tmp_path / "pictures.csv"), column="uri", out=str(tmp_path / "captions.csv"))
    assert 2 == result.kept
    assert ["Qwen/Qwen3.5-9B"] * 2 == [charge.model for charge in together_sandbox.charges() if charge.kind == "chat"]
    rows = _rows(tmp_path / "captions.csv")
    assert list(ANIMALS[:2]) == [row["prompt"] for row in rows] == [row["text_in_picture"] for row in rows]
    assert {"black-forest-labs/FLUX.2-pro"} == {row["model"] for row in rows}


def test_what_is_not_by_the_schema_stays_a_row(
    folder: Path, load: Callable[[str], Any], together_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its text and what it cost are in its row, and it is not sent again; the others are described."""
    together_sandbox.fault(CHAT, "json_wrong", times=2)
    out = tmp_path / "captions.jsonl"
    first = load("captions").captions(str(folder), out=str(out), concurrency=1)
    assert (7, 1) == (first.kept, first.invalid)
    assert "unexpected" in out.read_text(encoding="utf-8")
    again = load("captions").captions(str(folder), out=str(out))
    assert (7, 1) == (again.reused, again.invalid)
    assert 9 == len(_looks(together_sandbox))


def test_killed_and_started_again(folder: Path, command: Command, killed: Killed, together_sandbox: Sandbox) -> None:
    """Killed in the middle: the next run pays for the others, once each."""
    options = ["--pictures", str(folder), "--concurrency", "2"]
    killed("captions.py", *options, at=CHAT, after=8 + 3)
    assert 3 <= len(_looks(together_sandbox)) < 8
    done = command("captions.py", *options)
    assert 0 == done.returncode, done.stderr
    assert 8 == len(_looks(together_sandbox))
    assert 8 == len(set(_looks(together_sandbox)))
    again = command("captions.py", *options)
    assert "8 reused. Paid in this batch: nothing, all 8 reused." in again.stdout
    assert 8 == len(_looks(together_sandbox))
