"""A generation type that a test registers goes every way that a built-in one goes: files, and values that need none."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_together import (
    reconcile,
)
from prefect_together._internal.event_loop import run
from prefect_together.errors import AuthenticationError, InvalidRequest, UnknownOutcome
from prefect_together.generations.registry import spec_of

from . import own_server
from .own_asking import MODEL, SAID, caption, made, sketch, storage, task_of
from .own_server import Endpoint
from .own_types import (
    GeneratedCaption,
    GeneratedSketch,
    generate_caption,
)


def test_a_value_is_paid_once_and_kept_in_the_ledger(endpoint: Endpoint) -> None:
    """Two runs, no seed: one charge, because its type says that everybody's is as good; there is no file."""
    first = made(caption())
    assert isinstance(first, GeneratedCaption)
    assert (SAID, "en", Decimal("0.002"), False) == (first.text, first.language, first.cost, first.reused)
    again = made(caption())
    assert first.model_copy(update={"reused": True}) == again
    assert ["/v1/captions"] == endpoint.charged
    assert [("/v1/captions", {"model": MODEL, "prompt": "a still"})] == endpoint.posts
    assert {"ledger"} == {name.partition("/")[0] for name in run(storage().names(""))}


def test_a_file_inside_the_answer_is_paid_once_and_kept(endpoint: Endpoint) -> None:
    """Two runs with a seed: one charge, the same verified bytes, and what the answer said beside them."""
    first, again = made(sketch()), made(sketch())
    assert isinstance(first, GeneratedSketch)
    assert first.verify()
    assert (40, 30) == Image.open(io.BytesIO(first.read_bytes())).size == (first.width, first.height)
    assert (5, "image/png", Decimal("0.01")) == (first.strokes, first.media_type, first.cost)
    assert first.model_copy(update={"reused": True}) == again
    assert ["/v1/sketches"] == endpoint.charged


def test_a_file_without_a_seed_is_made_anew_in_every_run(endpoint: Endpoint) -> None:
    """Whose result may be taken is what the type says of itself: two runs, two charges."""
    assert not made(sketch(seed=None)).reused
    assert not made(sketch(seed=None)).reused
    assert 2 == len(endpoint.charged)


def test_what_one_type_made_is_what_another_is_made_from(endpoint: Endpoint) -> None:
    """A sketch goes into a caption as its bytes, and counts as one of its parents."""
    drawn = made(sketch())
    words = made(caption(image=drawn))
    assert "with a picture" in words.text
    assert endpoint.posts[-1][1]["image"].startswith("data:image/png;base64,")
    assert (drawn.reference(),) == words.made_from()


def test_refusals_are_free_and_name_the_reason(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key is refused, for values and files alike, and nothing is charged."""
    monkeypatch.setenv("TOGETHER_API_KEY", "wrong")
    for request in (caption(), sketch()):
        with pytest.raises(AuthenticationError):
            made(request)
    assert [] == endpoint.charged


def test_a_task_takes_no_request_of_another_type(endpoint: Endpoint) -> None:
    """The mistake is one sentence, and nothing is sent."""
    with pytest.raises(InvalidRequest, match="generate_caption takes a CaptionRequest, and was given a SketchRequest"):
        generate_caption(sketch())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [] == endpoint.posts


@pytest.mark.parametrize("request_", [caption(), sketch()], ids=["value", "file"])
@pytest.mark.parametrize("manner", ["drop", "spoil"])
def test_no_usable_answer_is_an_unknown_outcome(manner: own_server.Manner, request_: Any, endpoint: Endpoint) -> None:
    """Cut off or not what the API promises: it may have been paid for, so it is not sent again until somebody decides."""
    endpoint.manner = manner
    with pytest.raises(UnknownOutcome):
        made(request_)
    endpoint.manner = "answer"
    with pytest.raises(UnknownOutcome) as raised:  # no price is known, so nothing is risked
        made(request_)
    assert f"one {spec_of(request_).noun} by {MODEL}" in str(raised.value)
    assert 1 == len(endpoint.charged)
    assert [request_.kind] == [entry.kind for entry in reconcile().undecided]
    assert not task_of(request_)(request_, on_unknown="resubmit").reused
    assert 2 == len(endpoint.charged)
    assert [] == reconcile().undecided


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from promises import own_types
from prefect_together import generate_batch
from prefect_together.generations import registry

for spec in (own_types.CAPTION, own_types.SKETCH):
    registry.register(spec)
requests = [
    own_types.CaptionRequest(model="house/pencil", prompt="a still"),
    own_types.SketchRequest(model="house/pencil", prompt="a fox", seed=7),
]
generate_batch.fn(requests)
"""


@pytest.mark.slow
def test_what_was_being_sent_by_a_killed_process_is_undecided(endpoint: Endpoint) -> None:
    """A value and a file, charged while their process dies: reconcile lists both, pays nothing, and so does asking again."""
    endpoint.manner = "hold"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1])]
    process = subprocess.Popen(command, env=os.environ | {"PREFECT_LOGGING_TO_API_ENABLED": "false"})
    try:
        end = time.monotonic() + 60
        while len(endpoint.charged) < 2 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == process.wait()
    endpoint.manner = "answer"
    report = reconcile()
    assert {"caption", "sketch"} == {entry.kind for entry in report.undecided}
    assert (2, 2) == (len(report.undecided), report.at_stake()[1])
    for request in (caption(), sketch()):
        with pytest.raises(UnknownOutcome):
            made(request)
    assert 2 == len(endpoint.charged)
