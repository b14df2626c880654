"""Options of flows that take several values: a list, or one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow
from pydantic import BaseModel

from prefect_together.cli.flow_options import read_options


class Shot(BaseModel):
    """What a list may hold."""

    prompt: str


@flow
def film(languages: list[str] | None = None, seeds: list[int] = [1], shots: list[Shot] | None = None) -> None:  # noqa: B006
    """Take lists."""


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--languages", "de"], {"languages": ["de"]}),
        (["--languages", "de", "--languages", "fr"], {"languages": ["de", "fr"]}),
        (["--languages", "[de, fr]", "--languages", "ja"], {"languages": ["de", "fr", "ja"]}),
        (["--languages", '["de"]'], {"languages": ["de"]}),
        (["--languages", "none"], {"languages": None}),
        (["--seeds", "7"], {"seeds": [7]}),
        (["--shots", "{prompt: a fox}", "--shots", "[{prompt: a hare}]"], {"shots": [{"prompt": "a fox"}, {"prompt": "a hare"}]}),
        ([], {}),
    ],
)  # fmt: skip
def test_a_list_is_given_as_one_or_item_by_item(words: list[str], given: dict[str, Any]) -> None:
    """A single item is a list of one."""
    assert given == read_options(film, words).parameters


def test_what_is_wrong_in_a_list_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With its place."""
    with pytest.raises(SystemExit):
        read_options(film, ["--seeds", "7", "--seeds", "seven"])
    assert "--seeds.1: 'seven' is no whole number" in capsys.readouterr().err
