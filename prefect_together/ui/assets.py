"""Kept files as Prefect's assets: what a run made, of what, and what it used again."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_together._internal.asset_events import in_a_run, materialized, referenced
from prefect_together.blocks.settings import current_settings
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated
from prefect_together.ui.events import money_text


def emit_assets(results: Sequence[object]) -> None:
    """Say of each file that this run has made it, or used it again, unless assets are switched off."""
    files = [result for result in results if isinstance(result, KeptFile)]
    if not files or not in_a_run() or not current_settings().assets:
        return
    for file in files:
        name = f"{file.noun} {file.sha256[:8]}"  # not its title: that is the prompt, which events have where it is asked for
        if isinstance(file, Generated) and file.reused:
            referenced(file.uri, name=name)
        else:
            materialized(file.uri, name=name, upstream=[source.uri for source in file.made_from()], payload=_payload(file))


def _payload(file: KeptFile) -> dict[str, object]:
    found: dict[str, object] = {
        "sha256": file.sha256,
        "size": file.size,
        "media_type": file.media_type,
        "made_by": file.maker,
    }
    if isinstance(file, Generated):
        found |= {"model": file.model, "fingerprint": file.fingerprint}
        found |= {"cost": money_text(file.cost), "estimated_cost": money_text(file.estimated_cost)}
    return {name: value for name, value in found.items() if value is not None}
