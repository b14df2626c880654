"""A library that an earlier release wrote, and the results that Prefect kept of it, are read as they were.

The library is `tests/data/library-0.1`; nothing in here may be paid for again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.serializers import JSONSerializer

import prefect_together as together
from prefect_together import ImageRequest, VideoRequest, sandbox
from prefect_together.cli import main
from prefect_together.engine.reconciliation import Reconciliation
from prefect_together.errors import UnknownOutcome

pytestmark = pytest.mark.slow

OLD = Path(__file__).parents[1] / "data" / "library-0.1"
MODEL = "black-forest-labs/FLUX.2-pro"


@pytest.fixture(params=["in place", "moved"])
def library(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the old library into a folder of this test's, which is then the library of the settings.

    It was written with full addresses: of this folder, or of another one that is not there any more.
    """
    room = tmp_path / "old"
    shutil.copytree(OLD, room)
    for path in room.rglob("*"):
        if path.suffix in {".json", ".jsonl"}:
            text = path.read_text(encoding="utf-8")
            if request.param == "in place":
                text = text.replace("/@LIBRARY@", str(room / "library"))
            text = text.replace("/@RESULTS@", str(room / "results"))
            path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(room / "library"))
    return room / "library"


@pytest.fixture
def server(together_sandbox: sandbox.Sandbox, library: Path, prefect_server: str) -> Iterator[sandbox.Sandbox]:
    """Yield a server that must not be paid, and count what was."""
    yield together_sandbox
    assert together_sandbox.charges() == []


def picture(prompt: str = "a fox in the snow", **fields: Any) -> ImageRequest:
    """Ask for a picture as it was asked for then."""
    asked: dict[str, Any] = {"prompt": prompt, "model": MODEL, "width": 64, "height": 64, **fields}
    return ImageRequest(**asked)


def clip(prompt: str, **fields: Any) -> VideoRequest:
    """Ask for a clip as it was asked for then."""
    tiny: dict[str, Any] = {"model": "sandbox/tiny", "width": 64, "height": 48, "seconds": 1, "fps": 15}
    asked: dict[str, Any] = {**tiny, "prompt": prompt, **fields}
    return VideoRequest(**asked)


def test_what_was_made_is_found(server: sandbox.Sandbox) -> None:
    """Pictures, several of one request, and a clip with one of them as its keyframe are reused."""
    still = together.generate_image(picture(seed=7))
    several = together.generate_images(picture("two foxes", n=2, seed=8))
    film = together.generate_video(clip("slow push in", frame_images=[still], seed=9))
    assert all(file.reused and file.verify() for file in (still, *several, film))
    assert [0, 1] == [file.index for file in several]
    assert server.requests() == []


def test_an_unknown_outcome_is_still_unknown(server: sandbox.Sandbox) -> None:
    """What nobody knew then is not paid for now."""
    with pytest.raises(UnknownOutcome):
        together.generate_image(picture("a fox that is lost", seed=12), on_unknown="fail")


def test_an_accepted_job_is_gone_on_with(server: sandbox.Sandbox) -> None:
    """A job that was submitted then is asked for now; this server has never heard of it, so it is lost, and not paid anew."""
    report = together.reconcile()
    assert {"left behind", "a fox that is lost"} == {entry.title for entry in report.undecided}


def test_a_named_batch_goes_on(server: sandbox.Sandbox) -> None:
    """The last run's manifest is compared with, and its shared limit still knows what was spent."""
    rows = [{"product": "teapot", "price": 3}, {"product": "lamp", "price": 4}, {"product": "", "price": 5}]
    constants = {"model": MODEL, "width": 64, "height": 64, "seed": 5}
    table = together.requests_from_table(rows, templates={"prompt": "a {product}"}, constants=constants)
    assert "nothing to pay" in str(together.plan(table, name="catalogue"))
    limit = together.SpendLimit(name="autumn", usd="20")  # type: ignore[arg-type]
    result = together.generate_batch(table, name="catalogue", limit=limit)
    assert (2, 1, 0) == (result.reused, result.refused, result.kept)
    assert result.previous is not None
    assert [3, 4] == [item.columns["price"] for item in result.items[:2]]


def test_derived_files_are_found(server: sandbox.Sandbox, library: Path) -> None:
    """A film, a last frame and a contact sheet are not made again."""
    before = sorted(library.glob("derived/*"))
    still = together.generate_image(picture(seed=7))
    first = together.generate_video(clip("slow push in", frame_images=[still], seed=9))
    second = together.generate_video(clip("pull out", seed=10))
    together.last_frame(first)
    together.join_videos([first, second])
    together.contact_sheet([still, first])
    assert before == sorted(library.glob("derived/*"))


def test_the_commands_read_it(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ledger, trace and replay show what was asked then."""
    assert main(["ledger", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"kept": 6, "accepted": 1, "unknown": 1, "failed": 1, "refused": 1} == {
        state: sum(row["state"] == state for row in rows) for state in sorted({row["state"] for row in rows})
    }
    film = next(row for row in rows if row["request"].get("prompt") == "slow push in")
    assert main(["trace", film["files"][0]]) == 0
    shown = capsys.readouterr().out
    assert "made from:" in shown
    assert "a fox in the snow" in shown
    assert main(["replay", film["files"][0]]) == 0
    assert "VideoRequest(" in capsys.readouterr().out


def test_the_gallery_goes_on(library: Path) -> None:
    """The page is written from the index of then, and shows all of it."""
    index = json.loads((library / "gallery" / "index.json").read_text(encoding="utf-8"))
    together.write_gallery()
    again = json.loads((library / "gallery" / "index.json").read_text(encoding="utf-8"))
    assert index["attempts"].keys() == again["attempts"].keys()
    page = (library / "gallery.html").read_text(encoding="utf-8")
    for words in ("a fox in the snow", "slow push in", "film of 2 clips", "it fails"):
        assert words in page


@pytest.mark.parametrize("path", sorted((OLD / "results").iterdir()), ids=lambda path: path.stem)
def test_prefects_results_are_read(path: Path) -> None:
    """A task's persisted result becomes what it was, whatever its class is called inside today."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    found: Any = JSONSerializer().loads(stored["result"].encode())
    one: Any = cast("Any", found)[0] if isinstance(found, list) else found
    assert path.stem.partition("-")[0].removesuffix("s") == type(one).__name__
    if isinstance(found, Reconciliation):
        assert ["GeneratedImage", "GeneratedVideo"] == [type(file).__name__ for file in found.kept]
        assert {"video", "image"} == {entry.kind for entry in (*found.running, *found.undecided)}
    again: Any = JSONSerializer().loads(JSONSerializer().dumps(found))
    assert isinstance(found, BaseException) or found == again
