"""Two rows that every format and frame can hold, and what has to come of them."""

from __future__ import annotations

from typing import Any

from prefect_together.batch.request_table import RequestTable
from prefect_together.generations.image import ImageRequest

MODEL: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro"}
ROWS: list[dict[str, Any]] = [
    {"Prompt": "a fox, asleep", "seed": 1, "width": 512, "note": "ä"},
    {"Prompt": 'a "red" fox', "seed": 2, "width": None, "note": "b"},
]


def check(table: RequestTable) -> None:
    """Assert that a table of these rows gives the two requests, in order, as often as it is read."""
    rows = list(table)
    requests = [row.request for row in rows]
    expected = [
        ImageRequest(prompt="a fox, asleep", seed=1, width=512, height=256, **MODEL),
        ImageRequest(prompt='a "red" fox', seed=2, height=256, **MODEL),
    ]
    assert expected == requests
    assert [1, 2] == [row.number for row in rows]
    assert ["ä", "b"] == [row.columns["note"] for row in rows]
    assert 2 == len(table)
    assert requests == [row.request for row in table], "a table can be read again"
