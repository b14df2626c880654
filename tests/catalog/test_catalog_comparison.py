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
        pytest.param(changed("Qwen/Qwen3.5-9B", pricing={"input": 0.16999999999999998, "output": 0.3}),
                     "Qwen/Qwen3.5-9B is $0.17 in and $0.25 out per million tokens in the catalogue and listed at $0.17 in and $0.3 out per million tokens.", id="tokens"),
        pytest.param(changed("zai-org/GLM-5.3", pricing={"input": 1.4, "output": 4.4, "cached_input": 0.13}),
                     "zai-org/GLM-5.3 is $1.40 in, $0.26 cached and $4.40 out per million tokens in the catalogue and listed at $1.4 in, $0.13 cached and $4.4 out per million tokens.", id="cached"),
        pytest.param(changed("openai/gpt-oss-120b", pricing={"input": 0.15, "output": 0.6, "cached_input": 0.05}),
                     "openai/gpt-oss-120b is $0.15 in and $0.60 out per million tokens in the catalogue and listed at $0.15 in, $0.05 cached and $0.6 out per million tokens.", id="cached-not-known"),
        pytest.param(changed("Prism-ML/Ternary-Bonsai-27B", pricing={"input": 0.01, "output": 0.02}),
                     "Prism-ML/Ternary-Bonsai-27B is $0 in and $0 out per million tokens in the catalogue and listed at $0.01 in and $0.02 out per million tokens.", id="not-free-any-more"),
        pytest.param([*ROWS, row("new/talker", "chat", input=0.09999999999999999, cached_input=0.01, output=0.4)],
                     "new/talker (chat) is listed at $0.1 in, $0.01 cached and $0.4 out per million tokens and not in the catalogue.", id="new-chat"),
    ],
)  # fmt: skip
def test_a_difference_is_one_sentence(rows: list[dict[str, Any]], said: str) -> None:
    """It names the model and both sides; floats lose their noise."""
    assert (said,) == differences(rows)


@pytest.mark.parametrize(
    "odd",
    [{}, {"id": "x"}, {"id": "x/y", "type": "image"}, {"id": "x/y", "type": "image", "pricing": None},
     row("x/y", "image", image="0.1"), row("x/y", "video", video={"example_price": "free"}),
     row("x/y", "embedding", input=3), row("x/y", "chat", output=0), row("x/y", "chat", input="free", output="free"),
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
        assert f"0 differences between the catalogue of {catalog.as_of().isoformat()}" in capsys.readouterr().out
        monkeypatch.delenv("TOGETHER_API_KEY")
        assert 1 == main(["catalog", "--check"])
        assert "There is no API key" in capsys.readouterr().err


def test_the_command_lists_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key: what is offered, by kind, with both ends of a price."""
    assert 0 == main(["catalog", "--kind", "chat"])
    assert "$0.30 in, $1.20 out per million tokens" in capsys.readouterr().out
    assert 0 == main(["catalog", "--kind", "video"])
    out = capsys.readouterr().out
    assert "minimax/hailuo-02" in out
    assert "$0.08 to $0.60 per second" in out
    assert "FLUX.2-pro" not in out
    assert "kling" not in out
