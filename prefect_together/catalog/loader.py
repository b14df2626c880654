"""Read the data files once, on first use, and look models up; judge nothing.

Each file in `models/` holds the models of one kind, and no code names a kind: a further file is a further kind. An entry
is a list of *facts*, each with the source that states it, because one page gives the price and another the sizes. Reading
an entry joins its facts, after the file's `defaults`, which are a fact about every model of the file that states nothing
else. Where two pages list different sizes, both lists count: a size that either page names must not raise a warning.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from prefect_together.catalog.types import Model, Price, Rate, Reasoning, Source

# Facts that hold one statement per request field: they are merged key by key.
_BY_FIELD = ("takes", "instead", "max_items")


@dataclass(frozen=True, slots=True)
class _Catalogue:
    as_of: datetime.date
    sources: Mapping[str, Source]
    models: tuple[Model, ...]
    by_id: Mapping[str, Model]
    ratio_sizes: Mapping[str, str]


@dataclass(slots=True)
class _Joined:
    """The facts of one entry, joined."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    dates: dict[str, datetime.date] = field(default_factory=dict[str, datetime.date])
    sources: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, fact: Mapping[str, Any], *, source: Source) -> None:
        self.sources[source.key] = None
        for name, value in fact.items():
            if name == "source":
                continue
            if name in _BY_FIELD:
                self.values.setdefault(name, {}).update(value)
                self.dates.update(dict.fromkeys(value, source.date))
                continue
            self.dates[name] = source.date
            if name == "sizes":
                self.values[name] = list(dict.fromkeys([*self.values.get(name, []), *value]))
            elif name == "price":
                self.values[name] = _price(value, source=source)
                if "unit_source" in value:
                    self.sources[value["unit_source"]] = None
            else:
                self.values[name] = value


def find(model_id: str) -> Model | None:
    """Look one model up; upper and lower case are the same here, though not at Together.

    Args:
        model_id: Together's id, such as `black-forest-labs/FLUX.2-pro`; None is returned for one that is not known.
    """
    return _catalogue().by_id.get(model_id.casefold())


def models(kind: str | None = None) -> tuple[Model, ...]:
    """List what is known, sorted by kind.

    Args:
        kind: Only models of this kind, such as `image`; there are none of a kind that is not known.
    """
    return tuple(model for model in _catalogue().models if kind is None or model.kind == kind)


def as_of() -> datetime.date:
    """Date of the newest list of models that Together itself published and this catalogue knows."""
    return _catalogue().as_of


def sources() -> Mapping[str, Source]:
    """Where the facts come from, by the key under which models and prices cite them."""
    return _catalogue().sources


def ratio_sizes() -> Mapping[str, str]:
    """Give the usual size of about one megapixel for each common aspect ratio, "16:9" to "1344x768"."""
    return _catalogue().ratio_sizes


@cache
def _catalogue() -> _Catalogue:
    folder = resources.files("prefect_together.catalog")
    dated = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
    known = {
        key: Source(
            key=key,
            title=entry["title"],
            url=entry["url"],
            date=datetime.date.fromisoformat(entry["date"]),
            note=entry["note"],
        )
        for key, entry in dated["sources"].items()
    }
    files = {file.name: file for file in (folder / "models").iterdir() if file.name.endswith(".json")}
    tables = [json.loads(files[name].read_text(encoding="utf-8")) for name in sorted(files)]
    found = tuple(_model(entry, table=table, known=known) for table in tables for entry in table["models"])
    return _Catalogue(
        as_of=datetime.date.fromisoformat(dated["as_of"]),
        sources=known,
        models=found,
        by_id={model.id.casefold(): model for model in found},
        ratio_sizes=dated["ratio_sizes"]["sizes"],
    )


def _model(entry: Mapping[str, Any], *, table: Mapping[str, Any], known: Mapping[str, Source]) -> Model:
    defaults = [table["defaults"]] if "defaults" in table else []
    joined = _Joined()
    for fact in [*defaults, *entry["facts"]]:
        joined.add(fact, source=known[fact["source"]])
    values = joined.values
    keyframes = values.get("keyframes")
    return Model(
        id=entry["id"],
        kind=table["kind"],
        provider=entry["provider"],
        note=entry.get("note", ""),
        listed=values.get("listed", False),
        removed=values.get("removed", ""),
        successor=values.get("successor"),
        price=values.get("price"),
        default_steps=values.get("default_steps"),
        default_seconds=values.get("default_seconds"),
        default_resolution=values.get("default_resolution"),
        takes=values.get("takes", {}),
        instead=values.get("instead", {}),
        refuses=tuple(values.get("refuses", ())),
        requires=tuple(values.get("requires", ())),
        expects=tuple(values.get("expects", ())),
        conflicts=tuple((first, second) for first, second in values.get("conflicts", ())),
        fails={name: tuple(found) for name, found in values.get("fails", {}).items()},
        excludes=tuple((first, second) for first, second in values.get("excludes", ())),
        prompt=values.get("prompt", "optional"),
        sizes=tuple(values.get("sizes", ())),
        area=_pair(values.get("area")),
        max_proportion=values.get("max_proportion"),
        aspect_ratios=tuple(values.get("aspect_ratios", ())),
        resolutions=tuple(values.get("resolutions", ())),
        ratios=tuple(values.get("ratios", ())),
        seconds=_seconds(values.get("seconds", [])),
        fps=tuple(values.get("fps", ())),
        keyframes=None if keyframes is None else tuple(keyframes),
        max_keyframes=values.get("max_keyframes"),
        max_items=values.get("max_items", {}),
        prompt_length=_pair(values.get("prompt_length")),
        negative_prompt_length=values.get("negative_prompt_length"),
        formats=tuple(values.get("formats", ())),
        encodings=tuple(values.get("encodings", ())),
        sample_rates=tuple(values.get("sample_rates", ())),
        context=values.get("context"),
        max_output=values.get("max_output"),
        reasoning=_reasoning(values.get("reasoning")),
        batch_discount=_amount(values.get("batch_discount")),
        sources=tuple(joined.sources),
        dates=joined.dates,
    )


def _price(entry: Mapping[str, Any], *, source: Source) -> Price:
    return Price(
        usd=Decimal(entry["usd"]),
        most=Decimal(entry.get("most", entry["usd"])),
        per=entry["per"],
        rates=tuple(
            Rate(when=rate["when"], usd=Decimal(rate["usd"]), most=Decimal(rate.get("most", rate["usd"])))
            for rate in entry.get("rates", ())
        ),
        added={name: Decimal(usd) for name, usd in entry.get("added", {}).items()},
        note=entry["note"],
        source=source.key,
        as_of=source.date,
        output=_amount(entry.get("output")),
        cached=_amount(entry.get("cached")),
    )


def _amount(stated: str | None) -> Decimal | None:
    return None if stated is None else Decimal(stated)


def _reasoning(stated: Mapping[str, Any] | None) -> Reasoning | None:
    if stated is None:
        return None
    return Reasoning(
        default=stated.get("default"),
        off=stated.get("off"),
        efforts=tuple(stated.get("efforts", ())),
        other_efforts=stated.get("other_efforts"),
        trace=stated.get("trace"),
    )


def _pair(values: list[int] | None) -> tuple[int, int] | None:
    return None if values is None else (values[0], values[1])


def _seconds(stated: str | list[int]) -> tuple[int, ...]:
    """Expand "4-15" into every whole second of it."""
    if isinstance(stated, list):
        return tuple(stated)
    first, last = stated.split("-")
    return tuple(range(int(first), int(last) + 1))
