"""What `catalog --check` promises: what Together lists differently is said, and sentences about prices are only shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from prefect_together import catalog, sandbox
from prefect_together.catalog.comparison import differences
from prefect_together.cli.main import main


def row(name: str, type: str, **pricing: Any) -> dict[str, Any]:
    """Return a row of `GET /v1/models`."""
    return {"id": name, "type": type, "pricing": {"hourly": 0, "input": 0, **pricing}}


def as_listed() -> list[dict[str, Any]]:
    """Return what the sandbox lists, which knows no more than the catalogue."""
    with sandbox.serve() as server:
        key = {"Authorization": f"Bearer {server.api_key}"}
        return httpx.get(f"{server.url}/v1/models", headers=key).json()


ROWS = as_listed()


def changed(name: str, **fields: Any) -> list[dict[str, Any]]:
    """Return the list with one row changed."""
    return [{**one, **fields} if one["id"] == name else one for one in ROWS]


def test_what_agrees_is_not_mentioned() -> None:
    """Models that need an endpoint of one's own, are gone, or have no example price are no differences."""
    assert () == differences(ROWS)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([*ROWS, row("new/model", "video", video={"example_price": 0.5, "example_description": "5 s"})],
                     "new/model (video) is listed at $0.5 (5 s) and not in the catalogue.", id="new"),
        pytest.param([one for one in ROWS if one["id"] != "minimax/hailuo-02"],
                     "minimax/hailuo-02 (video) is offered by the catalogue and not listed any more.", id="gone"),
        pytest.param(changed("minimax/hailuo-02", pricing={"video": {"example_price": 0.6000000000000001, "example_description": "768p\n10 s"}}),
                     "minimax/hailuo-02 is $0.56 per video in the catalogue and listed at $0.6 (768p 10 s).", id="dearer"),
        pytest.param(changed("black-forest-labs/FLUX.1.1-pro", pricing={"image_pixel": {"price_per_megapixel": 0.05, "min_steps": 0}}),
                     "black-forest-labs/FLUX.1.1-pro is $0.04 per megapixel in the catalogue and listed at $0.05.", id="megapixel"),
        pytest.param(changed("openai/whisper-large-v3", pricing={"transcribe": {"price_per_minute": 0.002}}),
                     "openai/whisper-large-v3 is $0.0015 per minute in the catalogue and listed at $0.002.", id="minute"),
        pytest.param(changed("hexgrad/Kokoro-82M", pricing={"input": 5}),
                     "hexgrad/Kokoro-82M is $4 per million characters in the catalogue and listed at $5.", id="characters"),
    ],
)  # fmt: skip
def test_a_difference_is_one_sentence(rows: list[dict[str, Any]], said: str) -> None:
    """It names the model and both sides; floats lose their noise."""
    assert (said,) == differences(rows)


@pytest.mark.parametrize(
    "odd",
    [{}, {"id": "x"}, {"id": "x/y", "type": "image"}, {"id": "x/y", "type": "image", "pricing": None},
     row("x/y", "image", image="0.1"), row("x/y", "video", video={"example_price": "free"}), row("x/y", "chat", input=3),
     row("x/y", "video", video={"example_price": float("nan")}), row("x/y", "image", image={"example_price": 0})],
)  # fmt: skip
def test_odd_rows_are_passed_over(odd: dict[str, Any]) -> None:
    """The list has rows of many kinds, and some are broken."""
    assert () == differences([*ROWS, odd])


def test_the_command_asks_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a key it prints what differs and how many; without one it says so and ends with 1."""
    with sandbox.serve() as server:
        monkeypatch.setenv("TOGETHER_BASE_URL", server.url)
        monkeypatch.setenv("TOGETHER_API_KEY", server.api_key)
        assert 0 == main(["catalog", "--check"])
        assert f"0 difference(s) between the catalogue of {catalog.as_of().isoformat()}" in capsys.readouterr().out
        monkeypatch.delenv("TOGETHER_API_KEY")
        assert 1 == main(["catalog", "--check"])
        assert "There is no API key" in capsys.readouterr().err


def test_the_command_lists_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key: what is offered, by kind, with both ends of a price."""
    assert 0 == main(["catalog", "--kind", "video"])
    out = capsys.readouterr().out
    assert "minimax/hailuo-02" in out
    assert "$0.08 to $0.60 per second" in out
    assert "FLUX.2-pro" not in out
    assert "kling" not in out
