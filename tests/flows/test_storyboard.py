"""What a storyboard has paid for is shown in any case: a film or a sheet that cannot be made is a line in the log."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from prefect_together import DerivedMedia
from prefect_together.errors import MediaError
from prefect_together.sandbox import Sandbox

pytestmark = pytest.mark.slow

STORYBOARD = Path(__file__).parents[2] / "flows" / "storyboard.py"


@pytest.mark.parametrize(("broken", "left"), [("contact_sheet", "join"), ("join_videos", "contact_sheet")])
def test_one_that_cannot_be_made_takes_nothing_with_it(
    broken: str, left: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The flow completes with all stills and clips, and with the other one of the two."""
    spec = importlib.util.spec_from_file_location("storyboard", STORYBOARD)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def failing(*_files: Any, **_options: Any) -> DerivedMedia:
        raise MediaError("One of them is gone.")

    monkeypatch.setattr(module, broken, failing)
    made = module.storyboard(video_model="sandbox/tiny", width=64, height=64, review=False)
    assert [left] == [file.operation for file in made if isinstance(file, DerivedMedia)]
    assert 7 == len(made)
    assert 6 == len(together_sandbox.charges())
    assert "One of them is gone." in caplog.text
