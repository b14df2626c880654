"""Spans by the real OpenTelemetry SDK: children of Prefect's runs, with what was made and no prompt; none without a provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prefect.settings import PREFECT_API_URL

from prefect_together.engine.tracing import span
from prefect_together.generations.image import ImageRequest

pytestmark = pytest.mark.slow

TRACED = """
import asyncio, json, sys
from opentelemetry import trace

if "provider" in sys.argv:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

from prefect import flow
from prefect_together import (
    ChatRequest, ImageRequest, Message, VideoRequest, agenerate_image, generate_batch, generate_image, generate_text,
    generate_video, sandbox,
)
from prefect_together.errors import TogetherError

def fox(seed, **more):
    return ImageRequest(prompt="a secret fox", model="black-forest-labs/FLUX.2-pro", width=64, height=64, seed=seed, **more)

@flow
def traced(together):
    still = generate_image(fox(1))
    generate_image.submit(fox(1)).result()
    generate_video(VideoRequest(prompt="secret push", model="sandbox/tiny", frame_images=[still], width=64, height=48, seconds=1))
    generate_text(ChatRequest(messages=[Message(role="user", content="a secret question")], model="zai-org/GLM-5.3-Flash"))
    together.fault("POST /v1/images/generations", "422")
    try:
        generate_image(fox(2))
    except TogetherError as error:
        print(type(error).__name__, file=sys.stderr)
    generate_batch([fox(3), fox(4)], name="traced")

@flow
async def twin():
    await agenerate_image(fox(5))

with sandbox.serve(render_seconds=0.1) as together:
    import os
    os.environ |= {"TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key}
    traced.with_options(validate_parameters=False)(together)
    asyncio.run(twin())
    assert len(together.charges()) == 6, together.charges()
spans = [json.loads(one.to_json()) for one in exporter.get_finished_spans()] if "provider" in sys.argv else []
print("SPANS" + json.dumps({"spans": spans, "sdk": "opentelemetry.sdk" in sys.modules}))
"""


class Span(NamedTuple):
    """What was exported of a span."""

    name: str
    scope: str
    id: str
    parent: str | None
    kind: str
    status: str
    attributes: dict[str, Any]
    all: str


def _trace(folder: Path, *arguments: str, **environment: str) -> tuple[list[Span], bool]:
    """Run the flows in a process of their own, and return the spans that were exported, and whether the SDK was loaded."""
    run = subprocess.run(
        [sys.executable, "-c", TRACED, *arguments],
        env={
            **os.environ,
            "PREFECT_API_URL": PREFECT_API_URL.value(),
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(folder),
            **environment,
        },
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert 0 == run.returncode, run.stderr
    found = json.loads(run.stdout.rpartition("SPANS")[2])
    spans = [
        Span(
            name=one["name"],
            scope=one.get("instrumentation_scope", {}).get("name", one["attributes"].get("prefect.run.type", "")),
            id=one["context"]["span_id"],
            parent=one["parent_id"],
            kind=one["kind"],
            status=one["status"]["status_code"],
            attributes=one["attributes"],
            all=json.dumps(one),
        )
        for one in found["spans"]
    ]
    return spans, found["sdk"]


def _ours(spans: list[Span]) -> list[Span]:
    return [one for one in spans if "gen_ai.provider.name" in one.attributes]


@pytest.fixture(scope="module")
def spans(prefect_server: object, tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    """Give the spans of one run of everything."""
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
    return _trace(tmp_path_factory.mktemp("traced"), "provider")[0]


def test_every_generation_is_a_child_of_its_task_run(spans: list[Span]) -> None:
    """Called, submitted, awaited or in a batch: each has one span, below that of Prefect's task run."""
    runs = {one.id: one for one in spans if one.attributes.get("prefect.run.type") == "task"}
    ours = _ours(spans)
    assert 8 == len(ours)
    parents = [runs[one.parent].name.partition(":")[0] for one in ours if one.parent]
    assert ["FLUX.2-pro", "FLUX.2-pro", "tiny", "GLM-5.3-Flash", "FLUX.2-pro", "batch", "batch", "FLUX.2-pro"] == parents
    flows = {one.id for one in spans if one.attributes.get("prefect.run.type") == "flow"}
    assert flows >= {runs[str(one.parent)].parent for one in ours}


def test_a_span_says_what_was_made(spans: list[Span]) -> None:
    """Model, seed, place and money, in the words of the conventions where there are some."""
    kept, reused, clip, *_ = _ours(spans)
    assert ("generate_image black-forest-labs/FLUX.2-pro", "SpanKind.CLIENT", "UNSET") == (kept.name, kept.kind, kept.status)
    said = {
        "gen_ai.operation.name": "generate_image",
        "gen_ai.provider.name": "together",
        "gen_ai.request.model": "black-forest-labs/FLUX.2-pro",
        "gen_ai.request.seed": 1,
        "gen_ai.output.type": "image",
        "prefect_together.files": 1,
        "prefect_together.reused": False,
        "prefect_together.estimated_cost_usd": 0.03,
    }
    assert said.items() <= kept.attributes.items()
    assert "prefect_together.cost_usd" not in kept.attributes
    assert (64, 40) == (
        len(kept.attributes["prefect_together.sha256"]),
        len(kept.attributes["prefect_together.fingerprint"]),
    )
    assert reused.attributes["prefect_together.reused"]
    assert ("generate_video sandbox/tiny", 1.0) == (clip.name, clip.attributes["prefect_together.clip_seconds"])
    assert clip.attributes["gen_ai.response.id"]


def test_a_failure_is_an_error_without_words(spans: list[Span]) -> None:
    """Class and what was paid; the words of a refusal may repeat the prompt."""
    (failed,) = [one for one in _ours(spans) if one.status == "ERROR"]
    assert {"error.type": "ContentPolicyError", "prefect_together.paid": "nothing"}.items() <= failed.attributes.items()
    assert 2 == failed.attributes["gen_ai.request.seed"]


def test_no_prompt_unless_it_is_asked_for(spans: list[Span], prefect_server: object, tmp_path: Path) -> None:
    """Nothing of ours holds a word of it, nor of an answer; `TRACE_PROMPTS` puts them where the conventions say."""
    assert [] == [one.all for one in _ours(spans) if "secret" in one.all]
    asked, _ = _trace(tmp_path, "provider", PREFECT_INTEGRATIONS_TOGETHER_TRACE_PROMPTS="true")
    found = [json.loads(one.attributes["gen_ai.input.messages"])[0]["parts"][0]["content"] for one in _ours(asked)]
    assert sorted(["a secret fox"] * 6 + ["secret push", "a secret question"]) == sorted(found)
    (answered,) = [one for one in _ours(asked) if "gen_ai.output.messages" in one.attributes]
    assert json.loads(answered.attributes["gen_ai.output.messages"])[0]["parts"][0]["content"]
    assert _ours(asked)[0].attributes["prefect_together.uri"].startswith("file://")


def test_nothing_is_needed_where_nobody_listens(prefect_server: object, tmp_path: Path) -> None:
    """Without a provider everything works, and nothing of the SDK is loaded."""
    assert ([], False) == _trace(tmp_path)


def test_nothing_is_needed_where_there_is_no_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API comes with Prefect; where it cannot be imported, work goes on, and its errors stay what they are."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    request, done = ImageRequest(prompt="a fox", model="m/m"), list[str]()
    with span(request, prompt=True):
        done.append("work")
    with pytest.raises(ZeroDivisionError), span(request, prompt=True):
        raise ZeroDivisionError
    assert ["work"] == done
