"""What was submitted before its library was moved is waited for afterwards: wherever it is kept then, it is paid for once."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_together import (
    ChatRequest,
    MediaLibrary,
    ProviderBatch,
    VideoJob,
    VideoRequest,
    submit_batch,
    submit_video,
    wait_for_batch,
    wait_for_video,
)
from prefect_together.errors import LibraryError
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow


def _submitted(library: Path) -> VideoJob:
    asked = VideoRequest(prompt="waves", model="sandbox/tiny", width=64, height=48, seconds=1, fps=15, seed=6)
    return submit_video(asked, library=library)


def _sent(library: Path) -> ProviderBatch:
    model = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    asked = [ChatRequest(prompt=f"Name fox {number}.", model=model, max_tokens=20, seed=1) for number in range(3)]
    return submit_batch(asked, library=library)


def test_a_clip_without_its_library_is_kept_in_the_default_one(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """For nothing; its own library, where it is now, fetches it too, and nothing is made where it was."""
    old, new = tmp_path / "old", tmp_path / "new"
    job = _submitted(old)
    old.rename(new)
    made = wait_for_video(job)
    assert made.uri.startswith(MediaLibrary().storage().url)
    assert made.verify()
    own = wait_for_video(job, library=new)
    assert own.uri.startswith(new.as_uri())
    assert own.verify()
    assert not old.exists()
    assert 1 == len(together_sandbox.charges())


def test_a_batch_without_its_library_says_what_to_name(
    together_sandbox: Sandbox, prefect_server: str, tmp_path: Path
) -> None:
    """It is not told to pay again where nothing is kept; named where it is now, the library takes what came."""
    old, new = tmp_path / "old", tmp_path / "new"
    batch = _sent(old)
    old.rename(new)
    with pytest.raises(LibraryError, match="If its library was moved, name it where it is now: library="):
        wait_for_batch(batch)
    assert not old.exists()
    assert 3 == wait_for_batch(batch, library=new).kept
    assert 3 == len(together_sandbox.charges())
