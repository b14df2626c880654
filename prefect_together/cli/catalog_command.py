"""The command that shows what is known about models, and what Together says differently. It prints, and judges nothing."""

from __future__ import annotations

import argparse
from typing import Any, cast

from prefect_together import catalog
from prefect_together.catalog.comparison import differences
from prefect_together.catalog.money import dollars


def show_catalog(given: argparse.Namespace) -> None:
    """Print the models that are offered, or with ``--check`` what Together lists differently."""
    if given.check:
        _check()
        return
    for model in catalog.models(given.kind):
        if model.listed:
            print(f"{model.kind:<14} {model.id:<48} {_price(model)}")
    print(f"As Together listed them on {catalog.as_of().isoformat()}; prices change, and the bill counts.")


def _check() -> None:
    from prefect_together._internal.event_loop import run
    from prefect_together.blocks.credentials import TogetherCredentials  # imports Prefect

    async def rows() -> list[dict[str, Any]]:
        return await TogetherCredentials().get_client().get("/v1/models", _rows)

    found = differences(run(rows()))
    for line in found:
        print(line)
    print(f"{len(found)} difference(s) between the catalogue of {catalog.as_of().isoformat()} and Together's list.")


def _rows(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list):
        raise ValueError("the answer is no list of models")  # noqa: TRY004 - what the client takes for unreadable
    rows = cast("list[Any]", answer)
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def _price(model: catalog.Model) -> str:
    price = model.price
    if price is None:
        return "price unknown"
    if price.output is not None:
        # Exact: a rounded price of tokens is another price.
        return f"${price.usd:f} in, ${price.output:f} out per million tokens"
    most = max(price.most, *(rate.most for rate in price.rates)) if price.rates else price.most
    upper = f" to {dollars(most)}" if dollars(most) != dollars(price.usd) else ""
    return f"{dollars(price.usd)}{upper} per {price.per.replace('_', ' ')}"
