"""A table that names files of a library as text goes on after the library was moved: nothing else says which files they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_together import (
    GeneratedImage,
    ImageRequest,
    MediaLibrary,
    RequestTable,
    TranscriptionRequest,
    VideoRequest,
    generate_batch,
    generate_image,
    generate_video,
    join_videos,
    last_frame,
    requests_from_table,
    transcribe,
)
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

EDITS: dict[str, Any] = {"model": "black-forest-labs/FLUX.1-kontext-pro", "prompt": "in winter", "seed": 1}


def stills(library: MediaLibrary) -> list[GeneratedImage]:
    """Make two pictures."""
    return [
        generate_image(
            ImageRequest(prompt=f"a {animal}", model="black-forest-labs/FLUX.2-pro", width=256, height=256, seed=5),
            library=library,
        )
        for animal in ("fox", "hen")
    ]


def edits(rows: list[str]) -> RequestTable:
    """Return a table whose pictures are named as text."""
    return requests_from_table([{"picture": row} for row in rows], columns={"image_url": "picture"}, constants=EDITS)


def test_rows_of_before_are_found(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """By address and by path, and as the same requests as before: what was made of them is not paid for again."""
    old, new = tmp_path / "old place ü", tmp_path / "new"
    before = MediaLibrary(url=str(old))
    made = stills(before)
    rows = [made[0].uri, str(made[1].path())]
    first = generate_batch(edits(rows), name="winter", library=before)
    assert 2 == first.kept
    asked = VideoRequest(prompt="a fox", model="sandbox/tiny", width=64, height=48, seconds=1, fps=15, seed=6)
    clip = generate_video(asked, library=before)
    clip_path, frame = str(clip.path()), last_frame(clip, library=before)
    paid = len(together_sandbox.charges())
    old.rename(new)
    now = MediaLibrary(url=str(new))
    again = generate_batch(edits(rows), name="winter", library=now)
    assert (2, 0) == (again.reused, again.refused)
    assert paid == len(together_sandbox.charges())
    more = generate_batch(edits([frame.uri]), library=now)
    assert 1 == more.kept, more.problems
    assert 2 == len(join_videos([clip.uri, clip_path], library=now).made_from())


def test_a_recording_of_before_is_heard(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """Its length is known before it is sent, so that what it will cost is."""
    old, new = tmp_path / "old", tmp_path / "new"
    clip = generate_video(
        VideoRequest(
            prompt="a fox that sings",
            model="sandbox/tiny",
            width=64,
            height=48,
            seconds=2,
            fps=15,
            seed=6,
            generate_audio=True,
        ),
        library=MediaLibrary(url=str(old)),
    )
    address = clip.uri
    old.rename(new)
    heard = transcribe(
        TranscriptionRequest(file=address, model="openai/whisper-large-v3"), library=MediaLibrary(url=str(new))
    )
    assert heard.cost is not None


def test_another_file_of_that_name_is_not_taken(together_sandbox: Sandbox, prefect_server: str, tmp_path: Path) -> None:
    """A path that no library gave is a path: it is not looked for anywhere else. What is gone is said."""
    library = MediaLibrary(url=str(tmp_path / "library"))
    still = stills(library)[0]
    own = tmp_path / "own" / "fox.png"
    (tmp_path / "library" / "own").mkdir()
    (tmp_path / "library" / "own" / "fox.png").write_bytes(still.read_bytes())
    result = generate_batch(edits([str(own)]), library=library, fail_on="never")
    assert 1 == result.refused
    assert "there is no file" in str(result.problems[0].error)
    gone = str(still.path())
    still.path().unlink()
    with pytest.raises(InvalidRequest, match="there is no file"):
        generate_image(ImageRequest(image_url=gone, **EDITS), library=library)
