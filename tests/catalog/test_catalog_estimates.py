"""What an estimate promises: Together's own billing rules, and None rather than a wrong number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from prefect_together import catalog

FLUX = "black-forest-labs/"


@pytest.mark.parametrize(
    ("model_id", "fields", "usd"),
    [
        pytest.param(FLUX + "FLUX.2-pro", {"width": 1344, "height": 768, "n": 1}, "0.03", id="per-image"),
        pytest.param(FLUX + "FLUX.2-pro", {}, "0.03", id="per-image-nothing-set"),
        pytest.param(FLUX + "FLUX.2-pro", {"n": 4}, "0.12", id="per-image-four"),
        pytest.param(FLUX + "FLUX.1.1-pro", {}, "0.041943", id="megapixel-default-size"),
        pytest.param(FLUX + "FLUX.1.1-pro", {"width": 1000, "height": 500}, "0.02", id="megapixel-half"),
        pytest.param(FLUX + "FLUX.1.1-pro", {"width": 1000, "height": 1000, "n": 3}, "0.12", id="megapixel-three"),
        pytest.param(FLUX + "FLUX.1-kontext-max", {"aspect_ratio": "16:9"}, "0.082575", id="megapixel-ratio"),
        pytest.param(FLUX + "FLUX.2-max", {"width": 1000, "height": 1000, "steps": 100}, "0.14", id="megapixel-more-steps"),
        pytest.param(FLUX + "FLUX.2-max", {"width": 1000, "height": 1000, "steps": 5}, "0.07", id="megapixel-fewer-steps"),
        pytest.param("google/gemini-3-pro-image", {}, "0.134", id="image-tier-1k"),
        pytest.param("google/gemini-3-pro-image", {"width": 3168, "height": 1344}, "0.134", id="image-tier-2k"),
        pytest.param("google/gemini-3-pro-image", {"width": 6336, "height": 2688}, "0.24", id="image-tier-4k"),
        pytest.param("minimax/hailuo-02", {"seconds": 6}, "0.49", id="per-video"),
        pytest.param("minimax/hailuo-02", {}, "0.49", id="per-video-nothing-set"),
        pytest.param("ByteDance/Seedance-2.0", {"resolution": "720p", "seconds": 5}, "0.80", id="second-720p"),
        pytest.param("ByteDance/Seedance-2.0", {"resolution": "4k", "seconds": "10"}, "8.36", id="second-4k-text"),
        pytest.param("ByteDance/Seedance-2.0", {"seconds": 5}, "0.80", id="second-no-resolution"),
        pytest.param(
            "ByteDance/Seedance-2.0",
            {"resolution": "1080p", "seconds": 5, "reference_videos": [{"video": "https://x"}]},
            "2.40",
            id="second-video-input",
        ),
        pytest.param("ByteDance/Seedance-2.5", {"resolution": "480p"}, "0.575", id="second-default-duration"),
        pytest.param("Wan-AI/wan2.7-t2v", {}, "0.50", id="wan-default-duration"),
        pytest.param("WAN-ai/WAN2.7-t2v", {"seconds": "15"}, "1.50", id="case-does-not-matter"),
        pytest.param("hexgrad/Kokoro-82M", {"input": "x" * 1_000}, "0.004", id="characters"),
        pytest.param("openai/whisper-large-v3", {"seconds": 120}, "0.003", id="audio-minutes"),
    ],
)
def test_a_known_price_is_estimated(model_id: str, fields: dict[str, Any], usd: str) -> None:
    """The estimate follows the unit of the price, the number of images, the size, the steps and the duration."""
    assert Decimal(usd) == catalog.estimate(model_id, fields)


@pytest.mark.parametrize(
    ("model_id", "fields"),
    [
        pytest.param("nobody/nothing", {}, id="unknown-model"),
        pytest.param(FLUX + "FLUX.1-dev", {}, id="unknown-price"),
        pytest.param("google/veo-3.1", {}, id="unknown-duration"),
        pytest.param("google/veo-3.1", {"seconds": "long"}, id="unreadable-duration"),
        pytest.param("google/veo-3.1", {"seconds": 0}, id="no-duration"),
        pytest.param("ByteDance/Seedance-2.0", {"resolution": "480p", "seconds": 5}, id="unpriced-resolution"),
        pytest.param(
            "ByteDance/Seedance-2.0",
            {"resolution": "720p", "seconds": 5, "source_video": "https://x"},
            id="unpriced-video-input",
        ),
        pytest.param("hexgrad/Kokoro-82M", {"input": ""}, id="no-characters"),
        pytest.param("hexgrad/Kokoro-82M", {}, id="no-text"),
        pytest.param("openai/whisper-large-v3", {}, id="unknown-audio-length"),
        pytest.param(FLUX + "FLUX.2-pro", {"n": 0}, id="no-images"),
        pytest.param(FLUX + "FLUX.2-pro", {"n": "many"}, id="unreadable-number"),
        pytest.param(FLUX + "FLUX.1.1-pro", {"width": -5, "height": 5}, id="impossible-size"),
    ],
)
def test_an_unknown_price_is_none(model_id: str, fields: dict[str, Any]) -> None:
    """What cannot be known is None: never 0, never a guess, never an exception."""
    assert catalog.estimate(model_id, fields) is None


@pytest.mark.parametrize("model", [pytest.param(model, id=model.id) for model in catalog.models()])
def test_no_estimate_is_zero(model: catalog.Model) -> None:
    """Zero would read as free, so an estimate is a positive number without float noise, or None."""
    for fields in ({}, {"seconds": 5}, {"input": "x"}, {"width": 64, "height": 64}):
        usd = catalog.estimate(model.id, fields)
        assert usd is None or usd > 0
        assert usd is None or usd == usd.quantize(Decimal("0.000001"))


def test_an_unset_field_counts_as_unset() -> None:
    """A field that is None is a field that was not set."""
    fields = {"n": None, "width": None, "height": None, "steps": None, "aspect_ratio": None}
    assert catalog.estimate(FLUX + "FLUX.2-max", {}) == catalog.estimate(FLUX + "FLUX.2-max", fields)


@pytest.mark.parametrize(
    ("model_id", "text"), [(FLUX + "FLUX.2-pro", "0.03"), ("minimax/hailuo-02", "0.49"), ("google/veo-2.0", "2.50")]
)
def test_estimates_read_well(model_id: str, text: str) -> None:
    """Whole cents are shown as cents, so that a table of them lines up."""
    assert text == str(catalog.estimate(model_id, {}))
