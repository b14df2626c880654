"""Which values notebooks show, and what they say of those that are no files."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest

import prefect_together
from prefect_together import BatchItem, Decision, Review, Sweep, VideoJob, VideoRequest
from prefect_together._internal.notebook_view import ShownInNotebooks
from prefect_together.tasks._swept import RestartedRun

from .making import WHEN, generated_image
from .notebook_pages import sources_of, text_of

RUN = UUID(int=7)


def test_all_that_tasks_return_is_shown() -> None:
    """Whatever class of this package a public task or function says that it returns, a notebook shows it as its siblings."""
    functions = [
        getattr(named, "fn", named) for named in (getattr(prefect_together, name) for name in prefect_together.__all__)
    ]
    said = " ".join(str(getattr(function, "__annotations__", {}).get("return")) for function in functions)
    returned = {word.rpartition(".")[2] for word in re.findall(r"[\w.]+", said)} & set(prefect_together.__all__)
    small = {"MediaReference", "Segment"}  # an address, and a line of subtitles
    assert {"BatchResult", "Sweep", "VideoJob", "Review", "GeneratedImage"} <= returned
    assert not {name for name in returned - small if not issubclass(getattr(prefect_together, name), ShownInNotebooks)}


def test_a_job_says_that_it_is_paid_for() -> None:
    """Which job it is, when it was accepted and that waiting for it costs nothing more."""
    job = VideoJob(
        id="video-1", request=VideoRequest(prompt="a fox", model="minimax/hailuo-02"), submitted_at=WHEN, reused=True
    )
    assert "a fox" in str(job)
    assert all(
        words in text_of(job) for words in ("a fox", "hailuo-02", "job video-1", "accepted before", "pays nothing more")
    )


def test_a_long_table_says_what_it_leaves_out() -> None:
    """However many runs, pictures or lines there are, none is missing without being counted."""
    runs = [RestartedRun(crashed=RUN, restarted=RUN, name=f"run-{number}", number=1) for number in range(25)]
    assert "… and 15 more" in text_of(Sweep(restarted=runs))
    decisions = tuple(Decision(generated_image(uri=f"file:///gone/{number}.png"), "approve") for number in range(60))
    assert "… and 10 more" in text_of(Review(decisions))


def test_a_row_of_a_batch_shows_its_picture(tmp_path: Path) -> None:
    """The picture of its only file, and what stood in its row."""
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    made = generated_image(uri=(tmp_path / "a.png").as_uri()).model_dump(mode="json")
    item = BatchItem(row=3, outcome="kept", kind="image", files=[made], columns={"prompt": "a fox"}, model="m")
    assert ["image/webp"] == sources_of(item)
    assert all(words in text_of(item) for words in ("Row 3: kept", "a fox"))
