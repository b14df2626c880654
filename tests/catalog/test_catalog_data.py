"""What the data files promise: complete, sourced, dated, without doubles."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from prefect_together import catalog


def words(text: str) -> list[str]:
    """Split a list that is written one or more to a line."""
    return text.split()


# Written out by hand, independent of the data: the official lists, the removed models, the audio models.
LISTED_IMAGES = words("""
openai/gpt-image-2 openai/gpt-image-1.5
google/flash-image-2.5 google/flash-image-3.1 google/flash-image-3.1-lite google/gemini-3-pro-image
black-forest-labs/FLUX.2-max black-forest-labs/FLUX.2-pro black-forest-labs/FLUX.2-flex black-forest-labs/FLUX.2-dev
black-forest-labs/FLUX.1.1-pro black-forest-labs/FLUX.1-kontext-pro black-forest-labs/FLUX.1-kontext-max
ByteDance-Seed/Seedream-3.0 ByteDance-Seed/Seedream-4.0 ByteDance/Seedream-5.0-lite
Qwen/Qwen-Image Qwen/Qwen-Image-2.0 Qwen/Qwen-Image-2.0-Pro
Wan-AI/Wan2.6-image ideogram/ideogram-3.0 ideogram/ideogram-4.0 prunaai/p-image-ideogram
RunDiffusion/Juggernaut-pro-flux Rundiffusion/Juggernaut-Lightning-Flux stabilityai/stable-diffusion-xl-base-1.0
""")
OTHER_IMAGES = words("""
google/imagen-4.0-preview google/imagen-4.0-fast google/imagen-4.0-ultra
black-forest-labs/FLUX.1-schnell black-forest-labs/FLUX.1-schnell-Free black-forest-labs/FLUX.1-pro
black-forest-labs/FLUX.1-dev black-forest-labs/FLUX.1-dev-lora black-forest-labs/FLUX.1-kontext-dev
black-forest-labs/FLUX.1-krea-dev stabilityai/stable-diffusion-3-medium Lykon/DreamShaper
HiDream-ai/HiDream-I1-Full HiDream-ai/HiDream-I1-Dev HiDream-ai/HiDream-I1-Fast xai/grok-imagine-image-pro
""")
LISTED_VIDEOS = words("""
minimax/video-01-director minimax/hailuo-02 MiniMaxAI/MiniMax-H3 google/veo-3.1 google/veo-3.1-lite
ByteDance/Seedance-1.0-pro ByteDance/Seedance-1.0-lite ByteDance/Seedance-2.0 ByteDance/Seedance-2.5
Wan-AI/wan2.7-t2v Wan-AI/wan2.7-i2v Wan-AI/wan2.7-r2v
alibaba/happyhorse-1.1-t2v alibaba/happyhorse-1.1-i2v alibaba/happyhorse-1.1-r2v black-forest-labs/FLUX-3
pixverse/pixverse-v5 pixverse/pixverse-v5.6 pixverse/pixverse-v6 vidu/vidu-q1 vidu/vidu-q3 vidu/vidu-q3-turbo
""")
OTHER_VIDEOS = words("""
google/veo-2.0 google/veo-3.0 google/veo-3.0-audio google/veo-3.0-fast google/veo-3.0-fast-audio
Wan-AI/wan2.7-videoedit Wan-AI/Wan2.2-T2V-A14B Wan-AI/Wan2.2-I2V-A14B
alibaba/happyhorse-1.0-t2v alibaba/happyhorse-1.0-i2v alibaba/happyhorse-1.0-r2v vidu/vidu-2.0
openai/sora-2 openai/sora-2-pro kwaivgI/kling-2.1-standard kwaivgI/kling-2.1-pro kwaivgI/kling-2.1-master
kwaivgI/kling-2.0-master kwaivgI/kling-1.6-standard kwaivgI/kling-1.6-pro
""")
SPEECH = words("canopylabs/orpheus-3b-0.1-ft hexgrad/Kokoro-82M cartesia/sonic-3 cartesia/sonic-2 cartesia/sonic")
OTHER_SPEECH = words("cartesia/sonic-3.5")
TRANSCRIPTION = words("""
openai/whisper-large-v3 nvidia/parakeet-tdt-0.6b-v3
nvidia/nemotron-3-asr-streaming-0.6b nvidia/nemotron-3.5-asr-streaming-0.6b
""")

CHAT = words("""
moonshotai/Kimi-K3 zai-org/GLM-5.3 zai-org/GLM-5.3-Flash zai-org/GLM-5.2
deepseek-ai/DeepSeek-V4-Pro-0813 deepseek-ai/DeepSeek-V4-Flash-0731 deepseek-ai/DeepSeek-V4.1-Flash
thinkingmachines/Inkling MiniMaxAI/MiniMax-M3 Qwen/Qwen3.5-9B openai/gpt-oss-120b
meta-llama/Llama-3.3-70B-Instruct-Turbo Qwen/Qwen3.8-2.4T-A95B Qwen/Qwen3.7-Max Qwen/Qwen3.7-Plus
Qwen/Qwen3.6-Plus Qwen/Qwen3.8-Flash meta-models/Muse-Glimmer-30B Prism-ML/Ternary-Bonsai-27B
together/Tev1-4B-experimental
""")

EXPECTED = [
    pytest.param(model_id, kind, listed, id=model_id)
    for ids, kind, listed in (
        (CHAT, "chat", True),
        (LISTED_IMAGES, "image", True),
        (OTHER_IMAGES, "image", False),
        (LISTED_VIDEOS, "video", True),
        (OTHER_VIDEOS, "video", False),
        (SPEECH, "speech", True),
        (OTHER_SPEECH, "speech", False),
        (TRANSCRIPTION, "transcription", True),
    )
    for model_id in ids
]
KINDS = ("chat", "image", "speech", "transcription", "video")
EVERY_MODEL = [pytest.param(model, id=model.id) for model in catalog.models()]


def tables() -> list[dict[str, Any]]:
    """Read the data files of the models as they are written."""
    folder = resources.files(catalog) / "models"
    return [json.loads(folder.joinpath(f"{kind}.json").read_text(encoding="utf-8")) for kind in KINDS]


def entries() -> list[dict[str, Any]]:
    """Read the raw entries, as written in the data files."""
    return [entry for table in tables() for entry in table["models"]]


def all_facts() -> list[dict[str, Any]]:
    """Read every fact, those that hold for a whole file included."""
    return [fact for entry in entries() for fact in entry["facts"]] + [
        table["defaults"] for table in tables() if "defaults" in table
    ]


@pytest.mark.parametrize(("model_id", "kind", "listed"), EXPECTED)
def test_every_documented_model_is_known(model_id: str, kind: str, listed: bool) -> None:
    """Each model of the official lists, and each removed one, is known by its real id, kind and standing."""
    model = catalog.find(model_id)
    assert model is not None
    assert (model_id, kind, listed) == (model.id, model.kind, model.listed)


def test_nothing_is_known_that_is_not_in_the_checked_list() -> None:
    """A new entry is added to the checked list as well, so that none slips in or out unnoticed."""
    assert {param.values[0] for param in EXPECTED} == {model.id for model in catalog.models()}


def test_ids_are_unique() -> None:
    """No id appears twice, not even in another spelling, because lookups ignore case."""
    ids = [entry["id"].casefold() for entry in entries()]
    assert len(ids) == len(set(ids))


def test_every_fact_cites_a_known_source() -> None:
    """Each fact names a source of the table, and each source is used."""
    facts = all_facts()
    cited = {fact["source"] for fact in facts} | {
        fact["price"]["unit_source"] for fact in facts if "unit_source" in fact.get("price", {})
    }
    assert cited == set(catalog.sources())


def test_every_fact_has_a_name_that_is_read() -> None:
    """A misspelt fact would be ignored silently, so the names in the files are those of a model."""
    known = set(catalog.Model.__dataclass_fields__) | {"source"}
    unknown = {name for fact in all_facts() for name in fact} - known
    assert set() == unknown


def test_no_fact_is_stated_twice() -> None:
    """Only sizes may come from two sources, because there both lists count."""
    for entry in entries():
        names: list[str] = []
        for fact in entry["facts"]:
            for name, value in fact.items():
                if name in ("takes", "max_items"):
                    names += [f"{name} {field}" for field in value]
                elif name not in ("source", "sizes", "instead"):
                    names.append(name)
        assert sorted(set(names)) == sorted(names), entry["id"]


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_every_entry_is_sourced_and_dated(model: catalog.Model) -> None:
    """Each entry rests on at least one source of the table, and its price and facts carry dates."""
    assert model.sources
    assert set(model.sources) <= set(catalog.sources())
    assert all(isinstance(date, datetime.date) for date in model.dates.values())
    if model.price is not None:
        assert catalog.sources()[model.price.source].date == model.price.as_of


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_every_entry_makes_sense(model: catalog.Model) -> None:
    """Prices are above zero, but for tokens that are free; sizes are sizes, advice is about refused fields, successors are listed."""
    if model.price is not None:
        amounts = [(model.price.usd, model.price.most), *((rate.usd, rate.most) for rate in model.price.rates)]
        free = model.price.per == "million_tokens"
        assert all((free or 0 < usual) and 0 <= usual <= most for usual, most in amounts)
        assert (model.price.output is None) is not free
        assert all(usd > 0 for usd in model.price.added.values())
    for size in model.sizes:
        width, height = (int(side) for side in size.split("x"))
        assert min(width, height) > 0
    assert {name for name, taken in model.takes.items() if not taken} >= set(model.instead)
    assert all(model.takes[name] is False for name in model.refuses)
    assert model.batch_discount is None or 0 < model.batch_discount < 1
    assert model.keyframes is None or set(model.keyframes) <= {"first", "last"}
    assert model.listed == (model.removed == "")
    if model.successor is not None:
        successor = catalog.find(model.successor)
        assert successor is not None
        assert (True, model.kind) == (successor.listed, successor.kind)


def test_only_two_models_are_cheaper_in_a_batch() -> None:
    """Half off is known of one model that answers and of one that listens; of all others nothing is."""
    known = {model.id: model.batch_discount for model in catalog.models() if model.batch_discount is not None}
    assert {"meta-llama/Llama-3.3-70B-Instruct-Turbo": Decimal("0.5"), "openai/whisper-large-v3": Decimal("0.5")} == known


@pytest.mark.parametrize("source", [pytest.param(source, id=key) for key, source in catalog.sources().items()])
def test_every_source_says_what_it_is(source: catalog.Source) -> None:
    """A source has a title and a date, and an address unless it is a third party's measurement."""
    assert source.title
    assert datetime.date(2026, 1, 1) <= source.date
    assert source.url is None or source.url.startswith("https://")
    assert source.url is not None or "hird party" in source.note


def test_the_catalogue_is_dated() -> None:
    """The date of the catalogue is the date of Together's newest list."""
    assert datetime.date(2026, 10, 7) == catalog.as_of()
