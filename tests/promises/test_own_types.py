"""A generation type that a test registers goes every way that a built-in one goes: files, and values that need none."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect import flow

from prefect_together import (
    MediaLibrary,
    expected,
    plan,
    publish_gallery,
    publish_grid,
    reconcile,
    requests_from_table,
    summary,
    write_gallery,
)
from prefect_together._internal.event_loop import run
from prefect_together.batch.table_reader import Source
from prefect_together.batch.text_formats import BadRow
from prefect_together.cli import main
from prefect_together.engine.trace import trace
from prefect_together.errors import AuthenticationError, InvalidRequest, UnknownOutcome
from prefect_together.generations import registry
from prefect_together.generations.kept_file import KeptFile
from prefect_together.storage.storage import Storage

from . import own_server
from .asking import run_batch, shown
from .own_server import Endpoint
from .own_types import (
    CAPTION,
    SKETCH,
    CaptionRequest,
    GeneratedCaption,
    GeneratedSketch,
    SketchRequest,
    generate_caption,
    generate_sketch,
)

MODEL = "house/pencil"
SAID = "a still: a <fox>, without a picture"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    """Register the two types, and run a server that knows them."""
    for spec in (CAPTION, SKETCH):
        registry.register(spec)
    with own_server.serve() as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", own_server.KEY)
        monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))
        yield running
    for spec in (CAPTION, SKETCH):
        registry.unregister(spec.kind)


def caption(prompt: str = "a still", **fields: Any) -> CaptionRequest:
    """Ask for words."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": prompt, **fields}
    return CaptionRequest(**asked)


def sketch(prompt: str = "a fox", **fields: Any) -> SketchRequest:
    """Ask for a file."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": prompt, "seed": 7, **fields}
    return SketchRequest(**asked)


def _task(request: CaptionRequest | SketchRequest) -> Any:
    return generate_caption if isinstance(request, CaptionRequest) else generate_sketch


@flow
def _made(request: Any) -> Any:
    return _task(request)(request)


def _storage() -> Storage:
    return MediaLibrary().storage()


def test_a_value_is_paid_once_and_kept_in_the_ledger(endpoint: Endpoint) -> None:
    """Two runs, no seed: one charge, because its type says that everybody's is as good; there is no file."""
    first = _made(caption())
    assert isinstance(first, GeneratedCaption)
    assert (SAID, "en", Decimal("0.002"), False) == (first.text, first.language, first.cost, first.reused)
    again = _made(caption())
    assert first.model_copy(update={"reused": True}) == again
    assert ["/v1/captions"] == endpoint.charged
    assert [("/v1/captions", {"model": MODEL, "prompt": "a still"})] == endpoint.posts
    assert {"ledger"} == {name.partition("/")[0] for name in run(_storage().names(""))}


def test_a_file_inside_the_answer_is_paid_once_and_kept(endpoint: Endpoint) -> None:
    """Two runs with a seed: one charge, the same verified bytes, and what the answer said beside them."""
    first, again = _made(sketch()), _made(sketch())
    assert isinstance(first, GeneratedSketch)
    assert first.verify()
    assert (40, 30) == Image.open(io.BytesIO(first.read_bytes())).size == (first.width, first.height)
    assert (5, "image/png", Decimal("0.01")) == (first.strokes, first.media_type, first.cost)
    assert first.model_copy(update={"reused": True}) == again
    assert ["/v1/sketches"] == endpoint.charged


def test_a_file_without_a_seed_is_made_anew_in_every_run(endpoint: Endpoint) -> None:
    """Whose result may be taken is what the type says of itself: two runs, two charges."""
    assert not _made(sketch(seed=None)).reused
    assert not _made(sketch(seed=None)).reused
    assert 2 == len(endpoint.charged)


def test_what_one_type_made_is_what_another_is_made_from(endpoint: Endpoint) -> None:
    """A sketch goes into a caption as its bytes, and counts as one of its parents."""
    drawn = _made(sketch())
    words = _made(caption(image=drawn))
    assert "with a picture" in words.text
    assert endpoint.posts[-1][1]["image"].startswith("data:image/png;base64,")
    assert (drawn.reference(),) == words.made_from()


def test_refusals_are_free_and_name_the_reason(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key is refused, for values and files alike, and nothing is charged."""
    monkeypatch.setenv("TOGETHER_API_KEY", "wrong")
    for request in (caption(), sketch()):
        with pytest.raises(AuthenticationError):
            _made(request)
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
        _made(request_)
    endpoint.manner = "answer"
    with pytest.raises(UnknownOutcome) as raised:  # no price is known, so nothing is risked
        _made(request_)
    assert f"one {request_.kind} by {MODEL}" in str(raised.value)
    assert 1 == len(endpoint.charged)
    assert [request_.kind] == [entry.kind for entry in reconcile().undecided]
    assert not _task(request_)(request_, on_unknown="resubmit").reused
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
            _made(request)
    assert 2 == len(endpoint.charged)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_batch_of_both_has_the_columns_of_both(ending: str, endpoint: Endpoint, tmp_path: Path) -> None:
    """Four requests, four charges, and a table with what each type says of its results; again: none, all reused."""
    requests = [caption(), sketch(), caption("a chair"), sketch("a chair")]
    result = run_batch(requests, name="both")
    assert (4, 4) == (result.kept, len(endpoint.charged))
    assert ["caption", "sketch", "caption", "sketch"] == [one.kind for one in result.results]
    assert [GeneratedSketch, GeneratedSketch] == [type(one) for one in result.media]
    assert "$0.02 reported" in result.money()
    result.write_table(tmp_path / f"made.{ending}")
    rows = [dict(row) for row in Source(tmp_path / f"made.{ending}").rows() if not isinstance(row, BadRow)]
    drawn = [file.sha256 for file in result.media]
    assert [SAID, "", "a chair: a <fox>, without a picture", ""] == [row.get("words") or "" for row in rows]
    assert ["", "5", "", "7"] == [str(row.get("strokes") or "") for row in rows]
    assert ["", drawn[0], "", drawn[1]] == [row.get("sha256") or "" for row in rows]
    assert [Decimal("0.002"), Decimal("0.01")] * 2 == [Decimal(str(row["cost"])) for row in rows]
    for again in (run_batch(requests, name="both"), run_batch(requests)):
        assert (0, 4) == (again.kept, again.reused)
        assert result.results == [one.model_copy(update={"reused": False}) for one in again.results]
    assert 4 == len(endpoint.charged)


def test_a_table_of_values_has_no_columns_of_files(endpoint: Endpoint) -> None:
    """Where only values were made, and one was not, there is nothing to say about files."""
    result = run_batch([caption(), caption(image="gone.png")])
    assert [1, 1] == [result.kept, result.refused]
    columns = result.to_table().columns
    assert {"words", "language", "cost", "error"} <= set(columns)
    assert set() == {"uri", "width", "strokes"} & set(columns)


def test_rows_become_requests_of_the_type(endpoint: Endpoint) -> None:
    """A table of requests takes any registered type: columns fill its fields, and a wrong row is refused by name."""
    table = requests_from_table(
        [{"Prompt": "a still", "note": "x"}, {"Prompt": "", "note": "y"}],
        request=CaptionRequest, columns={}, constants={"model": MODEL},
    )  # fmt: skip
    result = run_batch(table)
    assert ["kept", "refused"] == [item.outcome for item in result.items]
    assert [SAID] == [getattr(one, "text", None) for one in result.results]
    assert "Row 2, column 'Prompt'" in str(result.items[1].error)
    with pytest.raises(InvalidRequest, match="SketchRequest has no field 'image'"):
        requests_from_table([{"prompt": "a fox"}], request=SketchRequest, constants={"model": MODEL, "image": "x.png"})
    assert 1 == len(endpoint.charged)


def test_a_gallery_shows_words_and_pictures(endpoint: Endpoint) -> None:
    """The words of an answer stand in the table, escaped; counts are in the type's own words; parents are numbered."""

    @flow
    def work() -> bool:
        drawn = generate_sketch(sketch())
        said = [generate_caption(caption(image=drawn)), generate_caption(caption("a chair"))]
        publish_grid([[drawn, said[0]]], key="side by side", rows=["one"], columns=["sketch", "words"])
        return publish_gallery([drawn, *said], key="both types")

    assert work()
    (table,), (grid,) = shown("both-types"), shown("side-by-side")
    assert "2 lines of words · 1 sketch" in table.description
    assert "a chair: a &lt;fox&gt;, without a picture" in table.data
    assert "**2** line of words<br>a still: a &lt;fox&gt;, with a picture | **pencil** ← #1" in table.data
    assert 1 == table.data.count("data:image/webp;base64,") == grid.data.count("data:image/webp;base64,")
    assert "a still: a &lt;fox&gt;, with a picture" in grid.data
    assert "\\$0.01 reported" in table.description


def test_every_result_has_a_card(endpoint: Endpoint) -> None:
    """A task shows what it made: a sketch with its thumbnail, a caption as its words."""
    drawn, said = _made(sketch("a card")), _made(caption("a card"))
    (picture,), (words,) = shown(drawn.name), shown(said.name)
    assert "data:image/webp;base64," in picture.description
    assert "a card: a &lt;fox&gt;, without a picture" in words.data
    assert f"a-card-{said.fingerprint[:6]}" == said.name


def test_the_gallery_page_has_both(endpoint: Endpoint) -> None:
    """Words and nouns stand in the page, which can be read again from its index."""
    _made(sketch())
    _made(caption())
    endpoint.manner = "drop"
    with pytest.raises(UnknownOutcome):
        _made(caption("a chair"))
    first, again = write_gallery(), write_gallery()
    assert first is not None
    assert first == again
    data = json.loads(
        (Path(MediaLibrary().url) / "gallery.html")
        .read_text(encoding="utf-8")
        .partition('id="data">')[2]
        .partition("</script>")[0]
    )
    tiles = {(item["noun"], item["state"]): item for item in data["items"]}
    assert {("sketch", "kept"), ("line of words", "kept"), ("line of words", "unknown")} == tiles.keys()
    assert SAID == tiles["line of words", "kept"]["text"]
    assert tiles["sketch", "kept"]["thumb"]
    assert "CaptionRequest(" in tiles["line of words", "kept"]["code"]
    assert {"line of words": "lines of words", "sketch": "sketches"}.items() <= data["plurals"].items()


def test_the_commands_know_values_and_files(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger` lists both; `trace` and `replay` find a file by its name and a value by its ledger key, and name its inputs."""
    drawn = _made(sketch())
    said = _made(caption(image=drawn))

    def printed(*arguments: str) -> str:
        assert 0 == main(list(arguments))
        return capsys.readouterr().out

    listed = printed("ledger")
    assert "2 attempt(s)." in listed
    assert str(drawn.path()) in listed
    rows = {row["kind"]: row for row in map(json.loads, printed("ledger", "--json").splitlines())}
    assert ("stored", "0.002", []) == tuple(rows["caption"][name] for name in ("state", "cost", "files"))
    assert ("stored", "0.01", [drawn.uri]) == tuple(rows["sketch"][name] for name in ("state", "cost", "files"))
    key = rows["caption"]["key"]
    assert key in listed
    assert key.startswith(said.fingerprint)
    traced = printed("trace", key)
    assert "caption" in traced
    assert f"made from:\n    {drawn.uri}" in traced
    assert "sketch" in traced.partition("made from:")[2]
    assert "kind:        sketch" in printed("trace", str(drawn.path()))
    for target, request in ((key, said.request), (said.fingerprint, said.request), (drawn.uri, drawn.request)):
        assert run(trace(_storage(), target)).request == request
        pasted: dict[str, Any] = {}
        exec(printed("replay", target), pasted)
        assert (type(request), request.label()) == (type(pasted["request"]), pasted["request"].label())
        assert request == registry.read_request(request.kind, json.loads(printed("replay", "--json", target)))
    assert 1 == main(["trace", "0" * 40])


def test_a_plan_counts_both(endpoint: Endpoint) -> None:
    """Before: two to send, of unknown price; after: nothing. Nothing is sent for it."""
    before = plan([caption(), sketch()])
    assert (2, 2, 0) == (before.send, before.unknown_prices, len(endpoint.posts))
    awaited = expected(sketch())
    assert ("image/png", False) == (awaited.media_type, isinstance(awaited, KeptFile))
    for request in (caption(), sketch()):
        _made(request)
    after = plan([caption(), sketch(), caption(image=awaited)])
    assert (1, 2) == (after.send, after.reused)
    assert isinstance(expected(sketch()), GeneratedSketch)
    with pytest.raises(InvalidRequest, match="CaptionRequest makes no file"):
        expected(caption("a chair"))
    assert 2 == len(endpoint.posts)


def test_a_summary_has_a_line_for_each(endpoint: Endpoint) -> None:
    """A value is told by its words, a file by its place."""
    said, drawn = _made(caption()), _made(sketch())
    first, second, money = summary([said, drawn]).splitlines()
    assert first.startswith("line of words")
    assert SAID in first
    assert second.startswith("sketch")
    assert str(drawn.path()) in second
    assert "Paid in this run: $0.01 reported." == money


def test_events_and_spans_say_what_was_made(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both types are told of like any other: kind, money, and a file only where there is one."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
    exporting = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter, provider = exporting.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(sdk.export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(event: str, *, resource: dict[str, str], payload: dict[str, Any]) -> None:
        assert payload["kind"] == resource["prefect-together.kind"]
        heard.append((event.rpartition(".")[2], payload))

    monkeypatch.setattr("prefect_together.ui.events.emit_event", hear)
    _made(caption())
    _made(sketch())
    assert ["accepted", "kept", "accepted", "kept"] == [what for what, _ in heard]
    assert [("0.002", False), ("0.01", True)] == [(said["cost"], "uri" in said) for _, said in heard[1::2]]
    ended = {
        one.attributes["gen_ai.output.type"]: one.attributes
        for one in exporter.get_finished_spans()
        if one.name.startswith("generate_")
    }
    assert {"caption", "sketch"} == ended.keys()
    assert [0.002, 0.01] == [ended[kind]["prefect_together.cost_usd"] for kind in ("caption", "sketch")]
    assert ["prefect_together.sha256" in ended[kind] for kind in ("caption", "sketch")] == [False, True]
