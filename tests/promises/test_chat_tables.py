"""Columns made by models: typed by the schema, priced exactly, planned beforehand, and never asked for twice."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from prefect_together import generate_batch, generate_image, plan, requests_from_table
from prefect_together.sandbox import Sandbox

from .asking import picture
from .questions import CHAT, LLAMA, PATH, SEES, Scene, charged


def test_a_column_made_by_a_model(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A table goes in and comes out with a typed column for each field of the schema, tokens and exact costs."""
    table = requests_from_table(
        [{"topic": "foxes", "id": 1}, {"topic": "owls", "id": 2}, {"topic": None, "id": 3}],
        type="chat",
        templates={"prompt": "A scene about {topic}."},
        constants={"model": LLAMA, "response_format": Scene, "seed": 7, "max_tokens": 300},
    )
    result = generate_batch(table, name="scenes")
    assert (2, 1) == (result.kept, result.refused)
    where = tmp_path / "scenes.parquet"
    result.write_table(where)
    found: Any = import_module("pyarrow.parquet").read_table(where)
    types = {field.name: str(field.type) for field in found.schema}
    assert ("string", "int64", "list<element: string>", "string") == tuple(
        types[name] for name in ("prompt", "seconds", "tags", "mood")
    )
    assert "int64" == types["input_tokens"]
    rows = found.to_pylist()
    assert ["kept", "kept", "refused"] == [row["status"] for row in rows]
    assert isinstance(rows[0]["tags"], list)
    assert charged(together_sandbox) == sum(row["cost"] for row in rows if row["cost"] is not None)
    again = generate_batch(table, name="scenes")
    assert (2, 0) == (again.reused, again.kept)
    assert 2 == together_sandbox.count(PATH)


def test_an_invalid_row_is_a_row(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """It has a status of its own, its text and its cost, and is not asked again."""
    together_sandbox.fault(CHAT, "json_wrong", times=9, match="owls")
    table = requests_from_table(
        [{"topic": "foxes"}, {"topic": "owls"}],
        type="chat",
        templates={"prompt": "A scene about {topic}."},
        constants={"model": LLAMA, "response_format": Scene, "max_tokens": 300, "repair": 0},
    )
    result = generate_batch(table, name="owls")
    assert (1, 1) == (result.kept, result.invalid)
    assert 2 == len(together_sandbox.charges())
    good, bad = [item.record() for item in result.stream()]
    assert ("kept", None) == (good["status"], good["text"])
    assert "invalid" == bad["status"]
    assert bad["text"]
    assert bad["cost"] + good["cost"] == charged(together_sandbox)
    assert "not asked for" in str(bad["error"])
    again = generate_batch(table, name="owls")
    assert (1, 1) == (again.reused, again.invalid)
    assert 2 == len(together_sandbox.charges())


def test_pictures_in_a_column(together_sandbox: Sandbox) -> None:
    """A column of files is what the questions are about."""
    stills = [generate_image(picture(f"a {animal} in the snow", seed=7)) for animal in ("fox", "owl")]
    table = requests_from_table(
        [{"picture": still.uri} for still in stills],
        type="chat",
        columns={"images": "picture"},
        constants={"prompt": "What is it?", "model": SEES, "seed": 7},
    )
    texts = [item.record()["text"] for item in generate_batch(table).stream()]
    assert ["fox" in texts[0], "owl" in texts[1]] == [True, True]


def test_a_plan_says_what_answers_usually_cost(together_sandbox: Sandbox) -> None:
    """The upper end is what may be, by ``max_tokens``; where answers of the model are kept, the plan learns from them."""

    def table(rows: int) -> Any:
        return requests_from_table(
            [{"topic": f"fox {number}"} for number in range(rows)],
            type="chat",
            templates={"prompt": "Name {topic}."},
            constants={"model": LLAMA, "max_tokens": 1000, "seed": 7},
        )

    before = plan(table(10))
    assert before.cost == before.cost_at_most
    result = generate_batch(table(4), name="foxes")
    after = plan(table(10), name="foxes")
    assert (4, 6) == (after.reused, after.send)
    assert result.cost is not None
    assert after.cost_at_most == before.cost_at_most * 6 / 10
    assert after.cost < after.cost_at_most / 2
    assert abs(after.cost - result.cost / 4 * 6) < result.cost / 100
    assert after.cost == sum(planned.cost or 0 for planned in after.to_send)
    assert 4 == together_sandbox.count(PATH)
