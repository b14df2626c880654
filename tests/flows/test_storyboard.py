"""What a storyboard has paid for is shown in any case: a film or a sheet that cannot be made is a line in the log."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from prefect_together import DerivedMedia
from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

STORYBOARD = Path(__file__).parents[2] / "flows" / "storyboard.py"


def _flow() -> Any:
    spec = importlib.util.spec_from_file_location("storyboard", STORYBOARD)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("broken", "left"), [("contact_sheet", "join"), ("join_videos", "contact_sheet")])
def test_one_that_cannot_be_made_takes_nothing_with_it(
    broken: str, left: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The flow completes with all stills and clips, and with the other one of the two."""
    module = _flow()

    def failing(*_files: Any, **_options: Any) -> DerivedMedia:
        raise MediaError("One of them is gone.")

    monkeypatch.setattr(module, broken, failing)
    made = module.storyboard(video_model="sandbox/tiny", width=64, height=64, review=False)
    assert [left] == [file.operation for file in made if isinstance(file, DerivedMedia)]
    assert 7 == len(made)
    assert 6 == len(together_sandbox.charges())
    assert "One of them is gone." in caplog.text


def test_a_chain_of_a_model_with_one_keyframe_is_refused_first(together_sandbox: Sandbox) -> None:
    """A model that takes one keyframe cannot lead from one picture to the next: that is said before a still is paid for."""
    with pytest.raises(InvalidRequest, match="takes one keyframe and a chain needs two"):
        _flow().storyboard(continuity="chain", video_model="minimax/hailuo-02", review=False)
    assert 0 == together_sandbox.count("/v")


def test_a_chain_by_the_default_model(together_sandbox: Sandbox) -> None:
    """The model that is taken for a chain where none is named takes a first and a last frame."""
    module = _flow()
    shots = [module.Shot(prompt=f"a lighthouse, {time}", seconds=4) for time in ("at dusk", "at night")]
    made = module.storyboard(shots=shots, continuity="chain", width=256, height=144, review=False)
    assert 4 == len(together_sandbox.charges())
    assert "join" in [file.operation for file in made if isinstance(file, DerivedMedia)]
