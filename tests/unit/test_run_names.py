"""What flow runs are called after."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.runtime import flow_run

from prefect_together import named_after


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param("/home/ada/films/2026/spring/stormy night.mp4", "stormy night.mp4 in es", id="path"),
        pytest.param("C:\\films\\night.mp4", "night.mp4 in es", id="windows"),
        pytest.param("s3://films/2026/night.mp4", "night.mp4 in es", id="bucket"),
        pytest.param("https://example.com/talks/night.mp3?signature=secret", "night.mp3 in es", id="signed"),
        pytest.param("films/", "films in es", id="folder"),
        pytest.param("night {seed}.mp4", "night {seed}.mp4 in es", id="braces"),
        pytest.param("", "dub", id="nothing"),
    ],
)
def test_a_run_is_called_after_its_file(monkeypatch: pytest.MonkeyPatch, value: str, name: str) -> None:
    """By the last part of a path or address: never by folders, nor by what signs a URL."""
    given: dict[str, Any] = {"film": value, "language": "es"}
    monkeypatch.setattr(flow_run, "parameters", given, raising=False)
    monkeypatch.setattr(flow_run, "flow_name", "dub", raising=False)
    assert name == named_after("film", words="{film} in {language}", file=True)()
