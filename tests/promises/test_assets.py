"""What a run keeps and writes is told to Prefect's lineage, and telling it fails nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.types.names import validate_valid_asset_key

from prefect_together import ImageRequest, contact_sheet, generate_image, requests_from_table, write_table
from prefect_together._internal.asset_events import asset_key
from prefect_together.sandbox import Sandbox

from .asking import picture

MODEL = "black-forest-labs/FLUX.2-pro"
Event = tuple[str, dict[str, str], list[dict[str, str]], dict[str, Any]]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return what Prefect is told of assets."""
    found: list[Event] = []

    def hear(
        event: str, *, resource: Mapping[str, str], related: list[dict[str, str]] | None = None, payload: dict[str, Any]
    ) -> None:
        if event.startswith("prefect.asset."):
            found.append((event.removeprefix("prefect.asset."), dict(resource), related or [], payload))

    monkeypatch.setattr("prefect.events.emit_event", hear)
    return found


@flow
def _made(out: Path, asked: ImageRequest) -> list[str]:
    still = generate_image(asked)
    sheet = contact_sheet([still])
    return [still.uri, sheet.uri, write_table([{"uri": sheet.uri, "n": 1}, {"n": 2}], out)]


def test_files_and_tables_are_assets(together_sandbox: Sandbox, heard: list[Event], tmp_path: Path) -> None:
    """With what they are made of, what they cost and no prompt; what was kept before is used, not made again."""
    asked = picture(seed=7)
    still, sheet, table = _made(tmp_path / "out.csv", asked)
    made = {
        resource["prefect.resource.id"]: (related, payload) for what, resource, related, payload in heard if "mat" in what
    }
    assert {asset_key(uri) for uri in (still, sheet, table)} == set(made)
    assert [asset_key(still)] == [
        one["prefect.resource.id"] for one in made[asset_key(sheet)][0] if one["prefect.resource.role"] == "asset"
    ]
    assert [asset_key(sheet)] == [
        one["prefect.resource.id"] for one in made[asset_key(table)][0] if one["prefect.resource.role"] == "asset"
    ]
    assert "0.03" == made[asset_key(still)][1]["estimated_cost"]
    assert {"rows": 2} == made[asset_key(table)][1]
    assert asked.label() not in str([(resource.get("prefect.resource.name"), payload) for _, resource, _, payload in heard])
    heard.clear()
    _made(tmp_path / "out.csv", asked)
    assert [asset_key(table)] == [resource["prefect.resource.id"] for what, resource, _, _ in heard if "mat" in what]
    assert ("referenced", asset_key(still)) in [(what, resource["prefect.resource.id"]) for what, resource, _, _ in heard]
    assert 1 == len(together_sandbox.charges())


def test_tables_that_are_read_are_named_as_where_they_are_written(
    heard: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path or a database's address, without its password; what is in memory is none."""
    monkeypatch.chdir(tmp_path)

    @flow
    def written_and_read(to: str) -> None:
        table = write_table([{"prompt": "a fox"}], to)
        requests_from_table(to, constants={"model": MODEL})
        requests_from_table([{"prompt": "a fox"}], constants={"model": MODEL})
        assert [("materialization.succeeded", asset_key(table.replace("#", "/")))] == [
            (what, resource["prefect.resource.id"]) for what, resource, _, _ in heard[:1]
        ]

    for to in ("rows.csv", "sqlite:///a.db#rows"):
        heard.clear()
        written_and_read(to)
        (_, made, _, _), (what, read, _, _) = heard
        assert ("referenced", made) == (what, read)
    heard.clear()
    requests_from_table("rows.csv", constants={"model": MODEL})
    assert [] == heard


def test_assets_can_be_switched_off(
    together_sandbox: Sandbox, heard: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then Prefect is told of none; outside of a run it never is."""
    generate_and_write = picture(seed=7)
    write_table([{"a": 1}], tmp_path / "out.csv")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_ASSETS", "false")
    _made(tmp_path / "out.csv", generate_and_write)
    assert [] == heard


def test_what_prefect_does_not_take_fails_no_task(
    together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that was paid for comes back whatever becomes of its event."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no events today")

    monkeypatch.setattr("prefect.events.emit_event", refuse)
    still, _, _ = _made(tmp_path / "out.csv", picture(seed=7))
    assert still.startswith("file://")
    assert 1 == len(together_sandbox.charges())


@pytest.mark.parametrize(
    "address",
    [
        'file:///a%20b/c\'s "x".png',
        "s3://bucket/a#b?c.png",
        "postgresql://host/db/public.t",
        f"s3://b/{'x' * 900}",
        "gs://b/{a}|b^`[0]",
    ],
)
def test_every_address_is_a_key_that_prefect_takes(address: str) -> None:
    """Its own rule says so."""
    assert validate_valid_asset_key(asset_key(address))
