"""What a type that a test registers makes is shown everywhere: tables, galleries, cards, commands, plans, events."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_together import (
    MediaLibrary,
    expected,
    plan,
    publish_gallery,
    publish_grid,
    requests_from_table,
    summary,
    write_gallery,
)
from prefect_together._internal.event_loop import run
from prefect_together.batch.table_reader import Source
from prefect_together.batch.text_formats import BadRow
from prefect_together.cli import main
from prefect_together.engine.trace import trace
from prefect_together.errors import InvalidRequest, UnknownOutcome
from prefect_together.generations import registry
from prefect_together.generations.kept_file import KeptFile

from .asking import run_batch, shown
from .own_asking import MODEL, SAID, caption, made, sketch, storage
from .own_server import Endpoint
from .own_types import (
    CaptionRequest,
    GeneratedSketch,
    SketchRequest,
    generate_caption,
    generate_sketch,
)


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
    drawn, said = made(sketch("a card")), made(caption("a card"))
    (picture,), (words,) = shown(drawn.name), shown(said.name)
    assert "data:image/webp;base64," in picture.description
    assert "a card: a &lt;fox&gt;, without a picture" in words.data
    assert f"a-card-{said.fingerprint[:6]}" == said.name


def test_the_gallery_page_has_both(endpoint: Endpoint) -> None:
    """Words and nouns stand in the page, which can be read again from its index."""
    made(sketch())
    made(caption())
    endpoint.manner = "drop"
    with pytest.raises(UnknownOutcome):
        made(caption("a chair"))
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
    assert [SAID] == tiles["line of words", "kept"]["said"]["texts"]
    assert tiles["sketch", "kept"]["thumb"]
    assert "CaptionRequest(" in tiles["line of words", "kept"]["code"]
    assert {"line of words": "lines of words", "sketch": "sketches"}.items() <= data["plurals"].items()


def test_the_commands_know_values_and_files(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger` lists both; `trace` and `replay` find a file by its name and a value by its ledger key, and name its inputs."""
    drawn = made(sketch())
    said = made(caption(image=drawn))

    def printed(*arguments: str) -> str:
        assert 0 == main(list(arguments))
        return capsys.readouterr().out

    listed = printed("ledger")
    assert "2 attempts." in listed
    assert str(drawn.path()) in listed
    rows = {row["kind"]: row for row in map(json.loads, printed("ledger", "--json").splitlines())}
    assert ("kept", "0.002", []) == tuple(rows["caption"][name] for name in ("state", "cost", "files"))
    assert ("kept", "0.01", [drawn.uri]) == tuple(rows["sketch"][name] for name in ("state", "cost", "files"))
    key = rows["caption"]["key"]
    assert key in listed
    assert key.startswith(said.fingerprint)
    traced = printed("trace", key)
    assert "caption" in traced
    assert f"made from:\n    {drawn.uri}" in traced
    assert "sketch" in traced.partition("made from:")[2]
    assert "kind:        sketch" in printed("trace", str(drawn.path()))
    for target, request in ((key, said.request), (said.fingerprint, said.request), (drawn.uri, drawn.request)):
        assert run(trace(storage(), target)).request == request
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
        made(request)
    after = plan([caption(), sketch(), caption(image=awaited)])
    assert (1, 2) == (after.send, after.reused)
    assert isinstance(expected(sketch()), GeneratedSketch)
    nothing: object = expected(caption("a chair"))
    assert nothing is None  # nothing stands for an answer
    assert 2 == len(endpoint.posts)


def test_a_summary_has_a_line_for_each(endpoint: Endpoint) -> None:
    """A value is told by its words, a file by its place."""
    said, drawn = made(caption()), made(sketch())
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
    made(caption())
    made(sketch())
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
