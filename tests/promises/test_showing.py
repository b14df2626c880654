"""What is shown never costs what was paid for: no server, no Pillow, a broken picture, a slow server."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest
from prefect import flow
from prefect.artifacts import Artifact

from prefect_together import (
    DerivedMedia,
    GeneratedImage,
    generate_image,
    generate_video,
    join_videos,
    last_frame,
    publish_gallery,
    publish_grid,
    write_gallery,
)
from prefect_together._internal import event_loop as runtime
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.errors import ConfigurationError
from prefect_together.generations.result_reference import ResultReference
from prefect_together.generations.video import GeneratedVideo
from prefect_together.sandbox import Sandbox
from prefect_together.ui import artifacts

from .asking import IMAGES, POLL, clip, picture, shown

pytestmark = pytest.mark.slow


def test_a_gallery_lists_files_money_and_failures(together_sandbox: Sandbox) -> None:
    """One table: thumbnails, what came of what, reported, estimated and unknown costs apart, and why one is missing."""

    @flow
    def work() -> bool:
        still = generate_image(picture("a fox | in <b>snow</b>", seed=1))
        moving = generate_video(clip(frame_images=[still], seed=1))
        together_sandbox.fault(IMAGES, "422")
        failed = generate_image(picture("nothing", seed=2), return_state=True).result(raise_on_failure=False)
        return publish_gallery([[still, moving], failed], key="My gallery!", title="Foxes")

    assert work()
    (found,) = shown("my-gallery")
    assert 2 == found.data.count("data:image/webp;base64,")
    assert "<b>" not in found.data
    assert "**2** clip" in found.data
    assert "← #1" in found.data
    assert "### 1 failed" in found.data
    assert "ContentPolicyError" in found.data
    assert "1 picture · 1 clip · **1 failed**<br>About \\$0.03 by list price, 1 of unknown cost." == found.description
    assert "by list price" not in found.data
    assert len(found.data) < 60_000


def test_a_grid_stands_side_by_side(together_sandbox: Sandbox) -> None:
    """A cell for each file, the reason where there is none, and notes below."""

    @flow
    def work() -> bool:
        cells = [[generate_image(picture(seed=1)), ValueError("no | such model")]]
        return publish_grid(cells, key="grid", rows=["a fox"], columns=["one", "two"], notes=["cheap", "dear"])

    assert work()
    (found,) = shown("grid")
    assert "**ValueError**: no \\| such model" in found.data
    assert "| | **cheap** | **dear** |" in found.data


def test_no_cell_is_wider_than_a_table(together_sandbox: Sandbox) -> None:
    """What words came from, names of rows and reasons are broken into lines: Prefect's first UI breaks none, and hid costs."""
    source = ResultReference(kind="chat", fingerprint="a" * 40, title="Write a short film of three scenes. " * 6)

    @flow
    def work() -> None:
        still = generate_image(picture(seed=1, based_on=source))
        publish_gallery([still], key="as-wide-as-a-table")
        publish_grid(
            [[still, ValueError("no such model " * 20)]],
            key="as-wide-as-a-table-grid",
            rows=["a fox " * 30],
            columns=["one", "two"],
        )

    work()
    tables = "\n".join(found.data for found in shown("as-wide-as-a-table"))
    assert "← answer: Write a short film" in tables
    assert "no such model no such model" in tables
    texts = re.split(r"<br>|\||\n", re.sub(r"!?\[[^]]*\]\([^)]*\)", "", tables))
    assert [] == [text for text in texts if len(text) > 70]


def test_no_server_no_harm(
    together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the server takes no artifact, the task succeeds, is paid once, and says so in the log."""

    async def refusing(self: Artifact, client: object = None) -> None:
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(Artifact, "acreate", refusing)

    @flow
    def work() -> tuple[GeneratedImage, bool]:
        made = generate_image(picture(seed=1))
        return made, publish_gallery([made], key="gone")

    made, shown = work()
    runtime.flush()
    assert made.verify()
    assert not shown
    assert 1 == len(together_sandbox.charges())
    assert "the server is gone" in caplog.text


def test_a_slow_server_delays_nobody(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task waits at most 50 ms for its card, however long the server takes: here, until the flow has ended."""
    real, ended = Artifact.acreate, threading.Event()
    spent: list[float] = []

    async def slowly(self: Artifact, client: Any = None) -> Any:
        while not ended.is_set():
            await asyncio.sleep(0.02)
        return await real(self, client=client)  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]

    async def timed(media: Any, show: Any = artifacts.show) -> None:
        began = time.perf_counter()
        await show(media)
        spent.append(time.perf_counter() - began)

    monkeypatch.setattr(Artifact, "acreate", slowly)
    monkeypatch.setattr("prefect_together.ui.artifacts.show", timed)

    @flow
    def work() -> list[GeneratedImage]:
        return [generate_image(picture(seed=seed)) for seed in range(4)]

    made = work()
    ended.set()
    assert 4 == len(spent)
    assert max(spent) < 1.0  # 50 ms, and what a busy machine adds
    assert {f"a-fox-in-the-snow-{file.fingerprint[:6]}" for file in made} <= {found.key for found in shown("a-fox-")}


@pytest.fixture
def _no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "PIL.Image", "av"):
        monkeypatch.setitem(sys.modules, name, None)


def test_without_pillow_there_are_words(together_sandbox: Sandbox, request: pytest.FixtureRequest) -> None:
    """Without the extra, galleries and pages are there without thumbnails, and derived media say what is missing."""
    moving = generate_video(clip(seed=1))
    still = generate_image(picture(seed=1))
    request.getfixturevalue("_no_pillow")
    from prefect_together.ui import thumbnails

    thumbnails._made.clear()  # pyright: ignore[reportPrivateUsage]

    @flow
    def work() -> bool:
        return publish_gallery([still, moving], key="words")

    assert work()
    (found,) = shown("words")
    assert "base64" not in found.data
    assert "_image/" in found.data
    assert write_gallery()
    with pytest.raises(ConfigurationError, match="PyAV is not installed"):
        last_frame(moving)


def test_a_file_that_is_gone_is_words(together_sandbox: Sandbox) -> None:
    """A gallery with a file that is not there any more shows the others."""

    @flow
    def work() -> bool:
        first, second = generate_image(picture(seed=1)), generate_image(picture(seed=2))
        gone = first.model_copy(update={"uri": first.uri + "x", "sha256": "0" * 64})
        return publish_gallery([gone, second], key="half")

    assert work()
    assert 1 == shown("half")[0].data.count("base64")


def test_listeners_cannot_harm(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event or a bar that raises is nobody's problem."""

    def failing(happening: LifecycleEvent) -> None:
        raise RuntimeError("no events today")

    monkeypatch.setattr("prefect_together.ui.listener.emit", failing)

    @flow
    def work() -> GeneratedVideo:
        return generate_video(clip(seed=1))

    assert work().verify()


def test_a_large_gallery_is_bounded(together_sandbox: Sandbox) -> None:
    """Five hundred files are one artifact below Prefect's limit; what is not listed is counted."""

    @flow
    def work() -> bool:
        made = generate_image(picture(seed=1, width=1024, height=1024))
        return publish_gallery([made] * 500, key="large")

    assert work()
    (found,) = shown("large")
    assert len(found.data) < 1_400_000
    assert "… and 300 more." in found.data


def test_a_library_learns_how_long_it_takes(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second clip of a model is waited for in the knowledge of how long the first one took."""
    heard: list[LifecycleEvent] = []
    monkeypatch.setattr("prefect_together.ui.listener.emit", heard.append)
    monkeypatch.setattr("prefect_together.engine.poll_schedule.ENOUGH", 1)
    generate_video(clip(seed=1))
    together_sandbox.fault(POLL, "unknown_status")  # else the first look, timed by what was learnt, finds it done
    generate_video(clip(seed=2))
    waits = [happening for happening in heard if happening.what == "waiting"]
    assert waits[0].usual is None
    assert waits[-1].usual is not None
    assert 0 < waits[-1].usual < 30
    assert ["accepted", "kept"] * 2 == [happening.what for happening in heard if happening.what != "waiting"]


def test_galleries_and_films_leave_a_line(together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """What is made or shown without a task run is a line in the flow's log, with its place; made before is said so."""

    @flow
    def work() -> DerivedMedia:
        film = join_videos([generate_video(clip(seed=1))])
        join_videos([generate_video(clip(seed=1))])
        publish_gallery([film], key="film")
        write_gallery()
        return film

    with caplog.at_level("INFO", logger="prefect.flow_runs"):
        film = work()
    lines = [record.getMessage() for record in caplog.records if record.name == "prefect.flow_runs"]
    assert f"Made here, for free: the film of 1 clip, {film.path()}" in lines
    assert f"Made before: the film of 1 clip, {film.path()}" in lines
    assert any(line.startswith("The gallery film is shown: ") for line in lines)
    assert any(line.startswith("The gallery page is written: /") and line.endswith("gallery.html") for line in lines)


def test_what_is_no_result_is_left_out_and_said(together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A future that nobody waited for is no gallery of nothing without a word."""

    @flow
    def shows() -> bool:
        return publish_gallery([Future[object](), "x.png"], key="early")

    assert shows()
    assert "The gallery early leaves out what is no result, such as a Future: call .result() on it" in caplog.text
