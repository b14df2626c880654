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
        pytest.param("minimax/hailuo-02", {"seconds": 6}, "0.56", id="per-video"),
        pytest.param("minimax/hailuo-02", {}, "0.56", id="per-video-nothing-set"),
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
            {"resolution": "480p", "seconds": 5, "source_video": "https://x"},
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


VEO = "google/veo-3.1"
FLUX3 = "black-forest-labs/FLUX-3"
HORSE = "alibaba/happyhorse-1.1-t2v"
SEEDANCE = "ByteDance/Seedance-2.0"
PIXVERSE = "pixverse/pixverse-v5.6"


@pytest.mark.parametrize(
    ("model_id", "fields", "usual", "most"),
    [
        pytest.param(VEO, {"seconds": 8, "generate_audio": True}, "4.80", "4.80", id="with-sound"),
        pytest.param(VEO, {"seconds": 8, "generate_audio": False}, "0.64", "0.64", id="without-sound"),
        pytest.param(VEO, {"seconds": 8}, "0.64", "4.80", id="sound-left-open"),
        pytest.param("google/veo-3.1-lite", {"seconds": 4, "generate_audio": True}, "3.20", "3.20", id="lite-with-sound"),
        pytest.param("pixverse/pixverse-v6", {"seconds": 5, "generate_audio": True}, "0.575", "0.575", id="v6-with-sound"),
        pytest.param(PIXVERSE, {"seconds": 5, "generate_audio": False}, "0.1031", "0.221", id="five-seconds"),
        pytest.param(PIXVERSE, {"seconds": 10, "generate_audio": False}, "0.2062", "0.442", id="ten-seconds"),
        pytest.param(PIXVERSE, {}, "0.1031", "0.3536", id="five-seconds-nothing-set"),
        pytest.param(FLUX3, {"seconds": 5, "resolution": "720p"}, "0.85", "0.85", id="flux-3-720p"),
        pytest.param(FLUX3, {"seconds": 5, "resolution": "1080P"}, "1.45", "1.45", id="flux-3-1080p"),
        pytest.param(FLUX3, {"seconds": 5, "width": 1920, "height": 1080}, "1.45", "1.45", id="flux-3-by-its-size"),
        pytest.param(FLUX3, {"seconds": 5, "width": 960, "height": 960}, "0.85", "0.85", id="flux-3-square"),
        pytest.param(FLUX3, {"seconds": 5}, "0.85", "1.45", id="flux-3-nothing-set"),
        pytest.param(
            FLUX3, {"seconds": 5, "source_video": "x", "resolution": "1080p"}, "2.70", "2.70", id="flux-3-from-video"
        ),
        pytest.param(FLUX3, {"seconds": 5, "source_video": "x"}, "2.15", "2.70", id="flux-3-from-video-nothing-set"),
        pytest.param(HORSE, {"seconds": 5, "resolution": "720p"}, "0.70", "0.70", id="happyhorse-720p"),
        pytest.param(HORSE, {"seconds": 5, "resolution": "1080p"}, "0.90", "0.90", id="happyhorse-1080p"),
        pytest.param(SEEDANCE, {"seconds": 5, "source_video": "x"}, "1.40", "1.40", id="seedance-from-video"),
        pytest.param(SEEDANCE, {"seconds": 5, "width": 1112, "height": 834}, "0.80", "0.80", id="seedance-4-to-3"),
        pytest.param("vidu/vidu-q3", {"seconds": 4}, "0.39", "0.416", id="vidu-q3"),
        pytest.param("vidu/vidu-q3-turbo", {"seconds": 4}, "0.78", "1.04", id="vidu-q3-turbo"),
        pytest.param("openai/gpt-image-2", {"n": 2}, "0.106", "0.33", id="gpt-image-2"),
        pytest.param("openai/gpt-image-1.5", {}, "0.034", "0.199", id="gpt-image-1.5"),
        pytest.param("ideogram/ideogram-4.0", {}, "0.06", "0.10", id="ideogram"),
        pytest.param("google/flash-image-3.1", {"reference_images": ("a", "b")}, "0.05056", "0.05056", id="input-images"),
        pytest.param(FLUX + "FLUX.2-pro", {"n": 4}, "0.12", "0.12", id="one-price"),
    ],
)
def test_a_price_goes_by_what_is_asked(model_id: str, fields: dict[str, Any], usual: str, most: str) -> None:
    """Sound, resolution, clips and pictures that are sent in change it; what is left open makes it a range."""
    assert Decimal(usual) == catalog.estimate(model_id, fields)
    assert Decimal(most) == catalog.estimate_at_most(model_id, fields)


@pytest.mark.parametrize("model", [pytest.param(model, id=model.id) for model in catalog.models()])
def test_the_most_is_never_below_the_usual(model: catalog.Model) -> None:
    """And both are known, or neither is: a budget can trust the upper end."""
    for fields in ({}, {"seconds": 5}, {"seconds": 5, "resolution": "1080p", "generate_audio": True, "source_video": "x"}):
        usual, most = catalog.estimate(model.id, fields), catalog.estimate_at_most(model.id, fields)
        assert (usual is None) == (most is None)
        assert usual is None or most is None or most >= usual


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
    ("model_id", "text"), [(FLUX + "FLUX.2-pro", "0.03"), ("minimax/hailuo-02", "0.56"), ("google/veo-2.0", "2.50")]
)
def test_estimates_read_well(model_id: str, text: str) -> None:
    """Whole cents are shown as cents, so that a table of them lines up."""
    assert text == str(catalog.estimate(model_id, {}))
