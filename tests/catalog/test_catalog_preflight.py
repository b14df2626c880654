"""What preflight promises: errors only for documented rules, warnings for the rest, one useful sentence each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from prefect_together import catalog

BFL = "black-forest-labs/"
WAN = "Wan-AI/wan2.7-"
P = {"prompt": "a red kite"}
KEYFRAME = {"input_image": "https://x"}


@dataclass
class Frame:
    """A keyframe as another package may pass it: an object instead of a mapping."""

    frame: str | None


def found(model_id: str, fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Severity and field of each finding, without those about the model itself being removed."""
    return [(f.severity, f.field) for f in catalog.preflight(model_id, fields) if f.field != "model"]


ERRORS = [
    pytest.param("kwaivgI/kling-2.1-master", P, "frame_images", "needs frame_images", id="kling-without-frames"),
    pytest.param(
        "kwaivgI/kling-1.6-pro", {**P, "frame_images": ()}, "frame_images", "none was given", id="kling-empty-frames"
    ),
    pytest.param(WAN + "videoedit", P, "source_video", "needs source_video", id="edit-without-video"),
    pytest.param(
        BFL + "FLUX.1.1-pro", {**P, "aspect_ratio": "16:9"}, "aspect_ratio", "use width=1344, height=768", id="1.1-pro"
    ),
    pytest.param(
        BFL + "FLUX.1-pro", {**P, "aspect_ratio": "9:16"}, "aspect_ratio", "use width=768, height=1344", id="1-pro"
    ),
    pytest.param(
        BFL + "FLUX.1-dev", {**P, "aspect_ratio": "1:1"}, "aspect_ratio", "use width=1024, height=1024", id="1-dev"
    ),
    pytest.param(
        BFL + "FLUX.1-dev", {**P, "aspect_ratio": "21:9"}, "aspect_ratio", "use width=1568, height=672", id="rare-ratio"
    ),
    pytest.param(
        BFL + "FLUX.1-dev", {**P, "aspect_ratio": "wide"}, "aspect_ratio", "prefer width and height", id="no-ratio"
    ),
    pytest.param("openai/gpt-image-2", {}, "prompt", "needs a prompt", id="no-prompt"),
    pytest.param("google/veo-3.1", {"prompt": "  "}, "prompt", "needs a prompt", id="blank-prompt"),
]

WARNINGS = [
    pytest.param(
        BFL + "FLUX.1-kontext-pro",
        {**P, "width": 1536, "height": 1024},
        "width",
        "prefer aspect_ratio='3:2'",
        id="kontext-size",
    ),
    pytest.param(
        BFL + "FLUX.1-kontext-max", {**P, "height": 1024}, "height", "prefer aspect_ratio (1:1", id="kontext-height"
    ),
    pytest.param(
        BFL + "FLUX.1-kontext-pro", {**P, "aspect_ratio": "2:1"}, "aspect_ratio", "1:1, 16:9, 9:16", id="kontext-ratio"
    ),
    pytest.param(
        BFL + "FLUX.2-pro", {**P, "aspect_ratio": "4:3"}, "aspect_ratio", "use width=1184, height=864", id="flux-2"
    ),
    pytest.param(BFL + "FLUX.2-pro", {**P, "steps": 30}, "steps", "steps=30", id="steps"),
    pytest.param(BFL + "FLUX.2-dev", {**P, "negative_prompt": "fog"}, "negative_prompt", "'fog'", id="negative-prompt"),
    pytest.param(BFL + "FLUX.2-dev", {**P, "image_url": "x"}, "image_url", "prefer reference_images", id="image-url"),
    pytest.param(BFL + "FLUX.2-max", {**P, "image_loras": [{"path": "x"}]}, "image_loras", "(1 item)", id="loras"),
    pytest.param(
        "google/flash-image-2.5", {**P, "image_url": "x"}, "image_url", "prefer reference_images", id="google-image"
    ),
    pytest.param(
        "google/flash-image-3.1-lite",
        {**P, "width": 1920, "height": 1080},
        "width",
        "or 9 more, nearest is 1376x768",
        id="size-menu",
    ),
    pytest.param(
        "Wan-AI/Wan2.6-image", {**P, "width": 1024, "height": 1536}, "width", "makes 1,572,864", id="area-too-small"
    ),
    pytest.param("Wan-AI/Wan2.6-image", {**P, "width": 3000, "height": 600}, "width", "between 1:4 and 4:1", id="too-wide"),
    pytest.param(
        "minimax/hailuo-02", {**P, "width": 1280, "height": 720}, "width", "1366x768 or 1920x1080", id="video-size"
    ),
    pytest.param("minimax/hailuo-02", {**P, "negative_prompt": "x"}, "negative_prompt", "does not take", id="hailuo"),
    pytest.param("minimax/hailuo-02", {**P, "seconds": "7"}, "seconds", "6 or 10", id="seconds"),
    pytest.param("ByteDance/Seedance-2.0", {**P, "seconds": 16}, "seconds", "4 to 15", id="seconds-range"),
    pytest.param("ByteDance/Seedance-2.0", {**P, "seconds": "soon"}, "seconds", "'soon'", id="seconds-unreadable"),
    pytest.param("pixverse/pixverse-v5", {**P, "fps": 30}, "fps", "16 or 24", id="fps"),
    pytest.param(WAN + "t2v", {**P, "resolution": "720p"}, "resolution", "'720P', not '720p'", id="resolution-lower"),
    pytest.param("ByteDance/Seedance-2.0", {**P, "resolution": "4K"}, "resolution", "'4k', not '4K'", id="resolution-upper"),
    pytest.param("ByteDance/Seedance-2.5", {**P, "resolution": "4k"}, "resolution", "480p or 720p", id="resolution"),
    pytest.param("ByteDance/Seedance-2.5", {**P, "ratio": "16:9"}, "ratio", "prefer resolution", id="ratio-not-taken"),
    pytest.param(WAN + "t2v", {**P, "ratio": "21:9"}, "ratio", "16:9, 9:16, 1:1, 4:3 or 3:4", id="ratio"),
    pytest.param(WAN + "t2v", {**P, "width": 1280, "height": 720}, "width", "prefer resolution and ratio", id="wan-size"),
    pytest.param(WAN + "t2v", {**P, "frame_images": [KEYFRAME]}, "frame_images", "wan2.7-i2v", id="frames-not-taken"),
    pytest.param(WAN + "i2v", P, "frame_images", "frame_images or frame_videos", id="image-to-video-without-image"),
    pytest.param("alibaba/happyhorse-1.1-r2v", P, "reference_images", "works from", id="reference-without-reference"),
    pytest.param(
        "minimax/hailuo-02",
        {**P, "frame_images": [KEYFRAME, KEYFRAME]},
        "frame_images",
        "at most 1 keyframe",
        id="keyframes",
    ),
    pytest.param(
        "minimax/hailuo-02", {**P, "frame_images": [{"frame": "last"}]}, "frame_images", "'last'", id="last-keyframe"
    ),
    pytest.param("minimax/hailuo-02", {**P, "frame_images": [Frame("last")]}, "frame_images", "'last'", id="last-as-object"),
    pytest.param(
        "ByteDance/Seedance-2.0",
        {**P, "reference_images": ["x"] * 10},
        "reference_images",
        "at most 9",
        id="too-many-references",
    ),
    pytest.param(WAN + "t2v", {**P, "audio_inputs": ["a", "b"]}, "audio_inputs", "at most 1", id="too-many-audios"),
    pytest.param(
        "ByteDance/Seedance-2.5",
        {**P, "frame_images": [KEYFRAME], "reference_images": ["x"]},
        "frame_images",
        "not both",
        id="conflict",
    ),
    pytest.param("pixverse/pixverse-v5", {"prompt": "x" * 2049}, "prompt", "has 2,049", id="prompt-too-long"),
    pytest.param("pixverse/pixverse-v5", {"prompt": "x"}, "prompt", "2 to 2,048", id="prompt-too-short"),
    pytest.param(WAN + "t2v", {**P, "negative_prompt": "x" * 501}, "negative_prompt", "at most 500", id="negative-too-long"),
    pytest.param(
        BFL + "FLUX.2-pro", {"reference_images": ["x"]}, "prompt", "beside reference_images", id="prompt-with-image"
    ),
]

PASSES = [
    pytest.param("nobody/nothing", {"aspect_ratio": "16:9", "steps": 1000}, id="unknown-model"),
    pytest.param("nobody/nothing", {}, id="unknown-model-no-prompt"),
    pytest.param("openai/gpt-image-2", {**P, "steps": 30, "aspect_ratio": "7:5"}, id="nothing-documented"),
    pytest.param(BFL + "FLUX.1-schnell", {**P, "aspect_ratio": "16:9"}, id="schnell-ratio"),
    pytest.param(BFL + "FLUX.1-schnell", {**P, "width": 1344, "height": 768, "steps": 4}, id="schnell-size"),
    pytest.param(BFL + "FLUX.1-kontext-dev", {**P, "aspect_ratio": "1:1"}, id="kontext-dev-ratio"),
    pytest.param(BFL + "FLUX.1.1-pro", {**P, "width": 1344, "height": 768, "aspect_ratio": None}, id="none-is-unset"),
    pytest.param(BFL + "FLUX.2-flex", {**P, "steps": 30}, id="sources-differ"),
    pytest.param("google/gemini-3-pro-image", {**P, "width": 1344, "height": 768}, id="older-size"),
    pytest.param("google/flash-image-3.1-lite", {**P, "width": 1000}, id="one-side-only"),
    pytest.param("Wan-AI/Wan2.6-image", {**P, "width": 1280, "height": 1280}, id="area"),
    pytest.param("kwaivgI/kling-2.1-pro", {"frame_images": [{"frame": "first"}]}, id="kling-without-prompt"),
    pytest.param("minimax/hailuo-02", {**P, "seconds": 6, "width": 1366, "height": 768}, id="hailuo"),
    pytest.param("minimax/hailuo-02", {**P, "seconds": "10", "fps": 25, "frame_images": [KEYFRAME]}, id="hailuo-text"),
    pytest.param(WAN + "i2v", {**P, "resolution": "720P", "frame_images": [Frame("first"), Frame("last")]}, id="wan"),
    pytest.param(WAN + "i2v", {**P, "frame_videos": ["x"]}, id="wan-continue"),
    pytest.param(WAN + "videoedit", {**P, "source_video": "x", "reference_images": ["y"]}, id="wan-edit"),
    pytest.param("ByteDance/Seedance-2.0", {**P, "resolution": "720p", "ratio": "16:9", "seconds": "5"}, id="seedance"),
    pytest.param("hexgrad/Kokoro-82M", {"input": "hello"}, id="speech"),
    pytest.param("google/veo-3.1", {**P, "frame_images": "opaque", "width": "?"}, id="opaque"),
]


@pytest.mark.parametrize(("model_id", "fields", "field", "says"), ERRORS)
def test_documented_rules_are_errors(model_id: str, fields: dict[str, Any], field: str, says: str) -> None:
    """A documented hard rule gives one error, and the message says what to do."""
    assert [("error", field)] == found(model_id, fields)
    assert says in next(f.message for f in catalog.preflight(model_id, fields) if f.field == field)


@pytest.mark.parametrize(("model_id", "fields", "field", "says"), WARNINGS)
def test_everything_else_is_a_warning(model_id: str, fields: dict[str, Any], field: str, says: str) -> None:
    """A value outside what is documented gives one warning that names what the model takes."""
    assert [("warning", field)] == found(model_id, fields)
    assert says in next(f.message for f in catalog.preflight(model_id, fields) if f.field == field)


@pytest.mark.parametrize(("model_id", "fields"), PASSES)
def test_what_is_fine_or_unknown_passes(model_id: str, fields: dict[str, Any]) -> None:
    """A request that the documentation allows, or says nothing about, has no findings."""
    assert [] == found(model_id, fields)


@pytest.mark.parametrize(("model_id", "fields"), [pytest.param(*p.values[:2], id=p.id) for p in [*ERRORS, *WARNINGS]])
def test_messages_are_one_useful_sentence(model_id: str, fields: dict[str, Any]) -> None:
    """Each message is one sentence on one line that names the model and the field."""
    for finding in catalog.preflight(model_id, fields):
        message = finding.message
        assert "\n" not in message
        assert message.endswith(".")
        assert not message.endswith("..")
        assert re.search(r"[.!?] ", message) is None
        assert model_id in message
        assert finding.field in message


@pytest.mark.parametrize("model", [pytest.param(m, id=m.id) for m in catalog.models() if not m.listed])
def test_a_removed_model_warns(model: catalog.Model) -> None:
    """A model that is no longer listed warns with the date of the list, since when, and a listed successor."""
    (finding,) = (f for f in catalog.preflight(model.id, P) if f.field == "model")
    assert "warning" == finding.severity
    assert "2026-10-07" in finding.message
    assert model.removed in finding.message
    assert model.successor is None or model.successor in finding.message


@pytest.mark.parametrize("model", [pytest.param(m, id=m.id) for m in catalog.models() if m.listed])
def test_a_listed_model_with_a_plain_prompt_has_no_error(model: catalog.Model) -> None:
    """The plainest request to a listed model is never refused."""
    assert "error" not in {finding.severity for finding in catalog.preflight(model.id, P)}


def test_a_wrongly_spelt_id_warns() -> None:
    """An id in another case is recognised, and the warning names the right spelling."""
    (finding,) = catalog.preflight("google/VEO-3.1", P)
    assert ("warning", "model") == (finding.severity, finding.field)
    assert "google/veo-3.1" in finding.message
    assert "google/VEO-3.1" in finding.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("FLUX2-pro", "black-forest-labs/FLUX.2-pro"),
        ("flux.2-pro", "black-forest-labs/FLUX.2-pro"),
        ("black-forest-labs/FLUX2-pro", "black-forest-labs/FLUX.2-pro"),
        ("black-forest-labs/FLUX.2-prro", "black-forest-labs/FLUX.2-pro"),
        ("black-forest-lab/FLUX.2-pro", "black-forest-labs/FLUX.2-pro"),
        ("minimax/hailou-02", "minimax/hailuo-02"),
        ("minimax-hailuo-02", "minimax/hailuo-02"),
        ("hailuo", "minimax/hailuo-02"),
        ("gpt-image-2", "openai/gpt-image-2"),
        ("kling-2.1-pro", "kwaivgI/kling-2.1-pro"),
        ("whisper-large-v3", "openai/whisper-large-v3"),
        ("hexgrad/Kokoro-82", "hexgrad/Kokoro-82M"),
        ("openai/gpt-oss-120", "openai/gpt-oss-120b"),
        ("Qwen/Qwen3.5-9", "Qwen/Qwen3.5-9B"),
    ],
)
def test_a_misspelled_model_is_an_error(written: str, meant: str) -> None:
    """What can be no id of a dedicated endpoint and is spelled like a model is refused, with the model's id."""
    (finding,) = catalog.preflight(written, P)
    assert ("error", "model") == (finding.severity, finding.field)
    assert finding.message.startswith(f"Together has no model {written!r}: did you mean {meant}?")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("minimax/hailuo-03", id="newer"),
        pytest.param("google/veo-3.1-fast", id="variant"),
        pytest.param("black-forest-labs/FLUX.3-pro", id="another-generation"),
        pytest.param("pixverse/pixverse-v5.7", id="another-minor-version"),
        pytest.param("openai/gpt-oss-12b", id="another-size"),
        pytest.param("hexgrad/Kokoro-82B", id="another-unit"),
        pytest.param("hexgrad/Kokoro-8M", id="a-digit-less"),
        pytest.param("Wan-AI/wan2.7-s2v", id="another-short-word"),
        pytest.param("black-forest-labs/FLUX.2-klein", id="another-long-word"),
        pytest.param("acme/FLUX.2-pro-1a2b3c4d", id="fine-tuned"),
        pytest.param("acme/black-forest-labs/FLUX.2-pro-a32b82a1", id="dedicated"),
        pytest.param("endpoint-c2a48674-9ec7-45b3", id="endpoint"),
        pytest.param("nobody/nothing", id="unlike-any"),
        pytest.param("no-owner", id="without-a-maker"),
    ],
)
def test_what_may_be_a_model_of_its_own_passes(written: str) -> None:
    """A model that is newer than the catalogue, another variant or somebody's own is no misspelling."""
    assert () == catalog.preflight(written, P)


@pytest.mark.parametrize(
    ("field", "value"),
    [("negative_prompt", "secret\nline " * 50), ("image_url", "data:image/png;base64," + "A" * 9000)],
)
def test_long_and_private_values_stay_out_of_messages(field: str, value: str) -> None:
    """A message stays short, on one line, and never contains media."""
    (finding,) = catalog.preflight(BFL + "FLUX.2-dev", {**P, field: value})
    assert len(finding.message) < 300
    assert "\n" not in finding.message
    assert "base64" not in finding.message


def test_nothing_of_the_request_is_changed() -> None:
    """Looking at a request leaves it as it was."""
    fields = {**P, "frame_images": [{"frame": "last"}], "seconds": "7"}
    before = {**fields, "frame_images": [{"frame": "last"}]}
    catalog.preflight("minimax/hailuo-02", fields)
    catalog.estimate("minimax/hailuo-02", fields)
    assert before == fields
